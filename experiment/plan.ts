/** @file What `npm run experiment` runs: methods, learning rates, seeds, and the settings they share. */
import type { FineTuneSettings } from '../src/engine.ts';

export interface PlannedRun {
  readonly method: 'rpsft' | 'sft' | 'l2sp';
  readonly learningRate: number;
  readonly lambda: number;
  readonly seed: number;
}

export const STEPS = 400;
/** Tokens of a packed row. Every row of the demo data fits. */
export const LENGTH = 64;
export const EVALUATE_EVERY = 40;
/** Rows of an evaluation batch. */
export const EVALUATION_ROWS = 24;
export const RANK_FRACTION = 0.5;
export const SEEDS = [1, 2, 3] as const;
/** SFT is compared at the best of these, for each level of in-domain accuracy by itself. */
export const SFT_RATES = [2e-4, 3e-4, 5e-4] as const;

const SETTINGS: readonly Omit<PlannedRun, 'seed'>[] = [
  { method: 'rpsft', learningRate: 5e-4, lambda: 10 },
  ...SFT_RATES.map((learningRate) => ({ method: 'sft' as const, learningRate, lambda: 0 })),
  { method: 'l2sp', learningRate: 5e-4, lambda: 0.003 },
];

/** Every setting with every seed; a first seed of everything comes first. */
export const PLAN: readonly PlannedRun[] = SEEDS.flatMap((seed) => SETTINGS.map((setting) => ({ ...setting, seed })));

/** Name of a run in the results, and the identity by which a finished one is not run again. */
export const nameOf = ({ method, learningRate, lambda, seed }: PlannedRun): string => `${method} lr ${learningRate}${lambda ? ` lambda ${lambda}` : ''} seed ${seed}`;

export const settingsOf = ({ method, learningRate, lambda, seed }: PlannedRun): FineTuneSettings => ({
  method,
  lambda,
  rankFraction: RANK_FRACTION,
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate, warmupSteps: 20, steps: STEPS },
  batchSize: 16,
  accumulation: 1,
  length: LENGTH,
  seed,
});
