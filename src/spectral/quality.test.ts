import { describe, expect, it } from 'vitest';
import { estimateQuality, holds } from './quality.ts';

describe('the quality of a basis', () => {
  it('is perfect where nothing is left over, also of a matrix of zeros', () => {
    expect(estimateQuality([3, 2], [0, 0], [1])).toEqual({ lostEnergy: 0, overlap: 1 });
    expect(estimateQuality([0, 0], [0, 0], [0])).toEqual({ lostEnergy: 0, overlap: 1 });
  });

  it('sets the residual of a pair, as that of W Wᵀ, against the gap to what was left out', () => {
    // sigma 2 with residual 0.1: 0.2 over a gap of 4 - 1.
    const { lostEnergy, overlap } = estimateQuality([2], [0.01], [1]);
    expect(overlap).toBeCloseTo(1 - (0.2 / 3) ** 2, 12);
    expect(lostEnergy).toBeCloseTo((0.2 / 3) ** 2, 12);
    expect(holds({ lostEnergy, overlap })).toBe(false);
    expect(holds({ lostEnergy: 1e-4, overlap: 0.999 })).toBe(true);
  });

  it('lets directions stand for each other that are as long as the k-th to a thousandth, and no others', () => {
    const residuals = [1e-12, 1e-6];
    const tied = estimateQuality([2, 1], residuals, [0.9995, 0.5]);
    expect(tied.overlap).toBeGreaterThan(0.999999);
    const apart = estimateQuality([2, 1], residuals, [0.998, 0.5]);
    expect(apart.overlap).toBeCloseTo(1 - 1e-6 / (1 - 0.998 ** 2) ** 2 / 2, 6);
  });

  it('does not ask for directions of values that f32 cannot tell from nothing', () => {
    expect(estimateQuality([1, 1e-7], [0, 1], [1e-8])).toEqual({ lostEnergy: 0, overlap: 1 });
  });
});
