/** @file The learning rate as it is planned before the run. */
import type { RunConfig } from '../../worker/protocol.ts';

/** Learning rate of a 1-based step: linear warm-up, then constant or falling to zero at the end of the run. */
export function plannedLearningRate(config: RunConfig, step: number): number {
  const { learningRate, warmupSteps, steps, schedule } = config;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const part = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  switch (schedule) {
    case 'constant':
      return learningRate;
    case 'linear':
      return learningRate * (1 - part);
    case 'cosine':
      return (learningRate * (1 + Math.cos(Math.PI * part))) / 2;
  }
}

/** Two runs have the same learning rate at every step. */
export const samePlan = (a: RunConfig, b: RunConfig): boolean =>
  a.learningRate === b.learningRate &&
  a.schedule === b.schedule &&
  a.warmupSteps === b.warmupSteps &&
  (a.schedule === 'constant' || a.steps === b.steps);
