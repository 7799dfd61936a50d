/** @file Learning rates over a run. */

export type ScheduleKind = 'constant' | 'linear' | 'cosine';

export interface Schedule {
  readonly kind: ScheduleKind;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** All steps, warm-up included. */
  readonly steps: number;
}

/** The learning rate of a step, counted from 1: linear warm-up to the peak, then constant, or down to 0 at the last step. */
export function learningRateAt({ kind, learningRate, warmupSteps, steps }: Schedule, step: number): number {
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  if (kind === 'linear') return learningRate * (1 - progress);
  if (kind === 'cosine') return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
  return learningRate;
}
