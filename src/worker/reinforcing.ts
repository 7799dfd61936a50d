/** @file GRPO as a run trains by it: the questions it samples answers to, its settings for the engine, and a step's record for the page. */
import type { Example } from '../data/examples.ts';
import type { GrpoRecord, GrpoTrainer, Lab, WeightSet } from '../engine.ts';
import { isJsonObject } from '../formats/folder.ts';
import { learningRateAt } from '../training/schedule.ts';
import type { Learner } from './learner.ts';
import type { ReinforceConfig, RunConfig, StepMetrics } from './protocol.ts';

/** Answers that are decoded together; more would hold the GPU for long on slow adapters. */
const SEQUENCES = 64;

const FIELDS: readonly (keyof ReinforceConfig)[] = ['prompts', 'samples', 'maxNewTokens', 'updates', 'clipLow', 'clipHigh'];

/** Whether a value of a file is the settings of GRPO. */
export const isReinforce = (value: unknown): value is ReinforceConfig => isJsonObject(value) && FIELDS.every((field) => typeof value[field] === 'number');

/** Settings of the engine from those of the page. Its schedule counts updates, the page's counts steps. */
export function reinforceSettings(config: RunConfig, reinforce: ReinforceConfig): Parameters<Lab['reinforce']>[0] {
  const { updates } = reinforce;
  const answers = reinforce.prompts * reinforce.samples;
  return {
    ...reinforce,
    optimizer: { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay: config.weightDecay, clipNorm: config.clipNorm },
    schedule: { kind: config.schedule, learningRate: config.learningRate, warmupSteps: config.warmupSteps * updates, steps: config.steps * updates },
    sequences: Math.min(SEQUENCES, answers),
    rows: Math.ceil(answers / config.accumulation),
    seed: config.seed,
    recompute: config.recompute,
    lora: config.lora,
  };
}

/** The examples whose answers can be checked. @throws where there are none */
export function questionsOf(examples: readonly Example[], dataset: string): readonly Example[] {
  const questions = examples.filter(({ answer }) => answer !== undefined);
  if (questions.length > 0) return questions;
  throw new Error(`No row of ${dataset} has a gold answer, and GRPO rewards answers that agree with one. The data is as it was. Choose the column that holds the answer in Data, or train supervised.`);
}

/** Prepares GRPO from `startFrom`, or from the model. */
export async function reinforcing(lab: Lab, config: RunConfig, reinforce: ReinforceConfig, questions: readonly Example[], startFrom: WeightSet | undefined): Promise<Learner & { destroy(): void }> {
  const settings = reinforceSettings(config, reinforce);
  const trainer = await lab.reinforce(settings, questions, { startFrom });
  const { schedule, prompts, samples, updates } = settings;
  const metricsOf = (record: GrpoRecord, seconds: number): StepMetrics => {
    const { step, reward, mixedGroups, answerTokens, ended, entropy, clipShare, gradientNorm, loss, penalty } = record;
    const trainedTokens = Math.round(answerTokens * prompts * samples);
    const skipped = record.skippedUpdates === updates;
    return {
      step, reward, mixedGroups, answerTokens, ended, entropy, clipShare, gradientNorm, penalty, trainedTokens, skipped,
      loss: skipped ? Number.NaN : loss,
      learningRate: learningRateAt(schedule, step * updates),
      tokensPerSecond: trainedTokens / seconds,
    };
  };
  return {
    weights: trainer.weights,
    take: (count, turn) => takeSteps(trainer, count, turn, metricsOf),
    destroy: () => trainer.destroy(),
  };
}

async function takeSteps(trainer: GrpoTrainer, count: number, turn: Parameters<Learner['take']>[1], metricsOf: (record: GrpoRecord, seconds: number) => StepMetrics): Promise<StepMetrics[]> {
  const steps: StepMetrics[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const record = await trainer.takeStep(turn);
    steps.push(metricsOf(record, (performance.now() - started) / 1000));
  }
  return steps;
}
