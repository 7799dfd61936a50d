/** @file What a run's loop asks of whatever trains its weights, and fine-tuning as one that does. */
import type { FineTune, Lab, WeightSet } from '../engine.ts';
import type { Turn } from '../gpu/turn.ts';
import type { RunConfig, StepMetrics } from './protocol.ts';

/** Trains weights step by step. */
export interface Learner {
  /** As they are under training; read between steps. */
  readonly weights: WeightSet;
  /** @param turn others get their turns between slices of the work */
  take(count: number, turn: Turn): Promise<readonly StepMetrics[]>;
  /** Everything that the next step depends on; absent where training cannot be taken up again. */
  saveState?(): ReturnType<FineTune['saveState']>;
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
  const submit = async (count: number): Promise<StepMetrics[]> => {
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
    return records.map((record, i): StepMetrics => ({ ...record, loss: record.skipped ? Number.NaN : record.loss, learningRate: fineTune.learningRate(record.step), trainedTokens: trained[i] ?? 0, tokensPerSecond }));
  };
  return {
    weights: fineTune.weights,
    take: (count, turn) => turn(() => submit(count)),
    saveState: () => fineTune.saveState(),
  };
}
