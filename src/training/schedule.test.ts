import { describe, expect, it } from 'vitest';
import { learningRateAt } from './schedule.ts';

describe('learningRateAt', () => {
  const schedule = { learningRate: 2, warmupSteps: 4, steps: 12 };

  it('warms up linearly and reaches the peak at the last warm-up step', () => {
    expect([1, 2, 4].map((step) => learningRateAt({ ...schedule, kind: 'cosine' }, step))).toEqual([0.5, 1, 2]);
  });

  it('stays, falls linearly or along a cosine', () => {
    expect(learningRateAt({ ...schedule, kind: 'constant' }, 12)).toBe(2);
    expect(learningRateAt({ ...schedule, kind: 'linear' }, 8)).toBe(1);
    expect(learningRateAt({ ...schedule, kind: 'linear' }, 12)).toBe(0);
    expect(learningRateAt({ ...schedule, kind: 'cosine' }, 8)).toBeCloseTo(1, 12);
    expect(learningRateAt({ ...schedule, kind: 'cosine' }, 12)).toBeCloseTo(0, 12);
  });

  it('works without warm-up', () => {
    expect(learningRateAt({ ...schedule, kind: 'linear', warmupSteps: 0 }, 6)).toBe(1);
  });
});
