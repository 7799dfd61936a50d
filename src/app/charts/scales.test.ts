import { describe, expect, it } from 'vitest';
import { fraction, linearDomain, linearTicks, logDomain, stepTicks, valueAt } from './scales.ts';

describe('scales', () => {
  it('go there and back', () => {
    for (const axis of [
      { kind: 'linear', domain: [60, 100] },
      { kind: 'log', domain: [0.01, 10] },
    ] as const)
      for (const value of [60.5, 77, 0.03, 5].filter((candidate) => candidate >= axis.domain[0] && candidate <= axis.domain[1]))
        expect(valueAt(axis, fraction(axis, value))).toBeCloseTo(value, 9);
  });
});

describe('linear axes', () => {
  it('have round ticks', () => {
    expect(linearTicks(0.6, 1, 6)).toEqual([0.6, 0.7, 0.8, 0.9, 1]);
    expect(linearDomain([5e-4], true, 4)).toEqual({ domain: [0, 6e-4], ticks: [0, 2e-4, 4e-4, 6e-4] });
  });

  it('stand without data and with one value', () => {
    expect(linearDomain([], true, 4).domain[0]).toBe(0);
    const { domain } = linearDomain([0], true, 4);
    expect(domain[1]).toBeGreaterThan(domain[0]);
  });
});

describe('logarithmic axes', () => {
  it('hold the data between 1 and 3 times powers of ten', () => {
    const { domain, ticks } = logDomain([0.04, 7], 6);
    expect(domain).toEqual([0.03, 10]);
    expect(ticks).toEqual([0.03, 0.1, 0.3, 1, 3, 10]);
  });

  it('show powers of ten alone when both would be too many', () => {
    expect(logDomain([0.0008, 7], 5).ticks).toEqual([0.001, 0.01, 0.1, 1, 10]);
  });

  it('leave out zero and what is not finite', () => {
    expect(logDomain([0, NaN, Infinity, 0.2], 4).domain).toEqual([0.1, 0.3]);
  });
});

describe('stepTicks', () => {
  it('end with the run and have at most as many labels as asked', () => {
    for (const end of [2, 7, 100, 250, 300, 517, 600, 1_000, 1_234, 20_000])
      for (const most of [4, 6]) {
        const ticks = stepTicks(end, most);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)).toBe(end);
        expect(ticks.length).toBeLessThanOrEqual(most + 1);
        expect(ticks.every(Number.isInteger)).toBe(true);
      }
  });

  it('are even where the end divides', () => {
    expect(stepTicks(600, 6)).toEqual([0, 120, 240, 360, 480, 600]);
    expect(stepTicks(300, 4)).toEqual([0, 100, 200, 300]);
  });
});
