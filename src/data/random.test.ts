import { describe, expect, it } from 'vitest';
import { Random, shuffledIndices } from './random.ts';

describe('Random', () => {
  it('is a function of seed and stream', () => {
    const draw = (seed: number, stream?: number): number[] => {
      const random = new Random(seed, stream);
      return Array.from({ length: 4 }, () => random.uint32());
    };
    expect(draw(7, 3)).toEqual(draw(7, 3));
    const kinds = [draw(7, 3), draw(7, 4), draw(8, 3), draw(7 + 2 ** 32, 3), draw(0)].map(String);
    expect(new Set(kinds).size).toBe(kinds.length);
  });

  it('draws every value below the bound about as often', () => {
    const random = new Random(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]! += 1;
    // Chi-squared with 9 degrees of freedom: 33.7 is passed once in 10,000 seeds.
    expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(33.7);
  });

  it('shuffles into a permutation in which every first element is as likely', () => {
    expect([...shuffledIndices(100, new Random(5))].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    const firsts = Array.from({ length: 6000 }, (_, epoch) => shuffledIndices(6, new Random(42, epoch))[0]!);
    // Chi-squared with 5 degrees of freedom: 25.7 is passed once in 10,000 seeds.
    const chiSquared = Array.from({ length: 6 }, (_, value) => (firsts.filter((first) => first === value).length - 1000) ** 2 / 1000).reduce((a, b) => a + b);
    expect(chiSquared).toBeLessThan(25.7);
  });
});
