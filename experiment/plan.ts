/** @file What `npm run experiment` runs: methods, learning rates, seeds, and the settings they share. */
import type { FineTuneSettings, MethodId } from '../src/engine.ts';

export interface PlannedRun {
  readonly method: MethodId;
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
/** SFT is compared at the best of these, found with the first seed. */
export const SFT_RATES = [2e-4, 3e-4, 5e-4] as const;

const setting = (method: MethodId, learningRate: number, lambda = 0) => ({ method, learningRate, lambda });
const RPSFT = setting('rpsft', 5e-4, 10);
const L2SP = setting('l2sp', 5e-4, 0.003);

/** Every setting with the first seed. */
export const FIRST: readonly PlannedRun[] = [RPSFT, ...SFT_RATES.map((rate) => setting('sft', rate)), L2SP].map((run) => ({ ...run, seed: SEEDS[0] }));

/** The other seeds of the settings that are compared. */
export const others = (bestRate: number): PlannedRun[] => SEEDS.slice(1).flatMap((seed) => [RPSFT, setting('sft', bestRate), L2SP].map((run) => ({ ...run, seed })));

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
