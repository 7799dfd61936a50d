/** @file What a run's loop asks of whatever trains its weights, and fine-tuning as one that does. */
import type { DecodeProgress, FineTune, Lab, WeightSet } from '../engine.ts';
import type { Turn } from '../gpu/turn.ts';
import type { RunConfig, SampledAnswers, StepMetrics } from './protocol.ts';

/** What steps came to. */
export interface Taken {
  readonly steps: readonly StepMetrics[];
  /** Of the last step, where it has sampled some. */
  readonly answers?: SampledAnswers;
}

/** What a run was doing ends because it was asked to stop; nothing of the step that was under way has happened. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** What `work` comes to; undefined where it has ended as `Stopped`. */
export async function unlessStopped<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Stopped) return undefined;
    throw error;
  }
}

/** How a step decodes, if it does. */
export interface Decoding {
  /** Throws `Stopped` to end it. */
  readonly turn: Turn;
  readonly onProgress: (progress: DecodeProgress) => void;
}

/** Trains weights step by step. */
export interface Learner {
  /** As they are under training; read between steps. */
  readonly weights: WeightSet;
  /**
   * Takes up to `count` steps; fewer where decoding was ended after the first.
   * @param turn others get their turns between slices of the work
   * @throws {Stopped} where decoding was ended in the first
   */
  take(count: number, turn: Turn, decoding: Decoding): Promise<Taken>;
  /** Everything that the next step depends on, as pieces of a file for `restoreState`. Take no step until they were read. */
  saveState(): ReturnType<FineTune['saveState']>;
  /** @throws FormatError when the file is of another run; this one is as it was then */
  restoreState(file: Blob, fileName: string): Promise<void>;
  destroy(): void;
}

/** Settings of the engine from those of the page. */
export const settingsOf = (config: RunConfig, length: number): Parameters<Lab['fineTune']>[0] => ({
  method: config.method,
  penalty: config.penalty,
  lambda: config.lambda,
  rankFraction: config.rankFraction,
  tau: config.tau,
  throughScale: config.throughScale,
  beta: config.beta,
  optimizer: { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay: config.weightDecay, clipNorm: config.clipNorm },
  schedule: { kind: config.schedule, learningRate: config.learningRate, warmupSteps: config.warmupSteps, steps: config.steps },
  batchSize: config.batchSize,
  accumulation: config.accumulation,
  length,
  seed: config.seed,
  recompute: config.recompute,
  lora: config.lora,
});

/** Fine-tuning: many steps are submitted at once and their records read together. */
export function fineTuning(fineTune: FineTune): Learner {
  const submit = async (count: number): Promise<Taken> => {
    const started = performance.now();
    const trained: number[] = [];
    let tokens = 0;
    for (let i = 0; i < count; i++) {
      const step = fineTune.submitStep();
      trained.push(step.trainedTokens);
      tokens += step.tokens;
    }
    const records = await fineTune.readMetrics();
    const tokensPerSecond = (1000 * tokens) / (performance.now() - started);
    const steps = records.map((record, i): StepMetrics => ({ ...record, loss: record.skipped ? Number.NaN : record.loss, learningRate: fineTune.learningRate(record.step), trainedTokens: trained[i] ?? 0, tokensPerSecond }));
    return { steps };
  };
  return {
    weights: fineTune.weights,
    take: (count, turn) => turn(() => submit(count)),
    saveState: () => fineTune.saveState(),
    restoreState: (file, fileName) => fineTune.restoreState(file, fileName),
    destroy: () => fineTune.destroy(),
  };
}
