/** @file The run that starts when nothing is changed. The values come from measurements of the built-in model on its demo data. */
import type { MethodId, RunConfig } from '../../worker/protocol.ts';

export const defaultConfig: RunConfig = {
  method: 'rpsft',
  lambda: 10,
  rankFraction: 0.5,
  learningRate: 5e-4,
  schedule: 'constant',
  warmupSteps: 20,
  steps: 400,
  batchSize: 16,
  accumulation: 1,
  maxLength: 128,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: 40,
  driftEvery: 40,
  evaluationItems: 100,
};

/** λ means something else in each method, so each has its own default and remembers what was set for it. */
export const defaultLambdas: Readonly<Record<MethodId, number>> = { sft: 0, rpsft: defaultConfig.lambda, l2sp: 0.003 };
