import { describe, expect, it } from 'vitest';
import { Random } from '../data/random.ts';
import { bootstrapInterval, pairedDifference, perplexityInterval, scoreInterval, wilsonInterval } from './intervals.ts';

const ones = (successes: number, count: number): number[] => Array.from({ length: count }, (_, i) => (i < successes ? 1 : 0));

describe('intervals', () => {
  it('bootstrap agrees with the normal approximation on many items, and repeats', () => {
    const { mean, low, high, count } = bootstrapInterval(ones(300, 1000));
    expect([mean, count]).toEqual([0.3, 1000]);
    const half = 1.96 * Math.sqrt((0.3 * 0.7) / 1000);
    expect(low).toBeCloseTo(0.3 - half, 2);
    expect(high).toBeCloseTo(0.3 + half, 2);
    expect(bootstrapInterval(ones(300, 1000))).toEqual(bootstrapInterval(ones(300, 1000)));
    const uneven = Float64Array.from({ length: 20 }, (_, i) => Math.sin(i));
    expect(bootstrapInterval(uneven, 1)).not.toEqual(bootstrapInterval(uneven, 2));
  });

  it('covers the true accuracy about 95 times in 100', () => {
    const random = new Random(11);
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const scores = Array.from({ length: 100 }, () => (random.below(10) < 4 ? 1 : 0));
      const { low, high } = scoreInterval(scores, trial);
      if (low <= 0.4 && 0.4 <= high) covered++;
    }
    expect(covered).toBeGreaterThan(180);
    expect(covered).toBeLessThan(199);
  });

  it('Wilson matches published values', () => {
    const { low, high } = wilsonInterval(81, 263);
    expect(low).toBeCloseTo(0.2553, 4);
    expect(high).toBeCloseTo(0.3662, 4);
    expect(wilsonInterval(0, 50)).toMatchObject({ mean: 0, low: 0 });
    expect(wilsonInterval(0, 50).high).toBeCloseTo(0.0713, 4);
    expect(wilsonInterval(50, 50)).toMatchObject({ high: 1 });
  });

  it('is not certain of 0 out of 50, and takes scores between 0 and 1', () => {
    expect(scoreInterval(ones(0, 50)).high).toBeGreaterThan(0.05);
    expect(scoreInterval(ones(50, 50)).low).toBeLessThan(0.95);
    expect(scoreInterval(ones(20, 50))).toEqual(bootstrapInterval(ones(20, 50)));
    expect(scoreInterval([0.5, 0.5])).toMatchObject({ mean: 0.5, low: 0.5, high: 0.5 });
  });

  it('pairs what was asked of both', () => {
    const hard = ones(100, 200);
    const better = hard.map((score, i) => (i >= 190 ? 1 : score));
    const { mean, low } = pairedDifference(better, hard);
    expect(mean).toBeCloseTo(0.05);
    // The interval of either alone is nearly three times as wide as the gain.
    expect(low).toBeGreaterThan(0);
    expect(() => pairedDifference([1], [1, 0])).toThrow('1 and 2 scores cannot be paired');
    expect(() => scoreInterval([])).toThrow('at least one item');
    expect(() => wilsonInterval(0, 0)).toThrow('at least one item');
  });

  it('perplexity weighs items by their tokens, and its interval is that of the ratio', () => {
    const { mean, low, high } = perplexityInterval([2, 6], [2, 2]);
    expect(mean).toBeCloseTo(Math.exp(2), 12);
    expect([low, high]).toEqual([Math.exp(1), Math.exp(3)]);
    const random = new Random(3);
    const tokens = Array.from({ length: 400 }, () => 1 + random.below(20));
    const nll = tokens.map((count) => count * (1 + random.below(1000) / 1000));
    const wide = perplexityInterval(nll, tokens);
    const mu = nll.reduce((a, b) => a + b, 0) / tokens.reduce((a, b) => a + b, 0);
    // Linearised: the variance of Σ(nll - mu tokens) / Σ tokens, on the logarithm.
    const variance = nll.reduce((sum, value, i) => sum + (value - mu * tokens[i]!) ** 2, 0) / tokens.reduce((a, b) => a + b, 0) ** 2;
    expect(Math.log(wide.low)).toBeCloseTo(mu - 1.96 * Math.sqrt(variance), 2);
    expect(Math.log(wide.high)).toBeCloseTo(mu + 1.96 * Math.sqrt(variance), 2);
    expect(perplexityInterval([0, 5], [0, 5]).mean).toBeCloseTo(Math.E, 12);
    expect(() => perplexityInterval([], [])).toThrow('at least one token');
    expect(() => perplexityInterval([0], [0])).toThrow('at least one token');
  });
});
