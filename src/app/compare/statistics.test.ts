import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracyOf } from '../charts/testing.ts';
import { changeAt, hasRange, keptAt, matchedLevels, meanAccuracy, meanPath, paretoFront, spreadOf, verdict, type Kept, type Place } from './statistics.ts';
import { runOf } from './testing.ts';

const kept = (low: number, high: number, reached: number, of: number): Kept => ({ reached, of, value: reached === 0 ? undefined : { low, high, mean: (low + high) / 2, count: reached } });

describe('meanPath', () => {
  it('averages gain and change over seeds, each against its own base model', () => {
    const runs = [runOf({ seed: 1 }, [[0.1, 0.9], [0.5, 0.8]]), runOf({ seed: 2 }, [[0.2, 0.9], [0.8, 0.6]])];
    const path = meanPath(runs);
    expect(path.map(({ step }) => step)).toEqual([0, 30]);
    expect(path[0]?.gain).toEqual({ mean: 0, low: 0, high: 0, count: 2 });
    const last = path[1]!;
    expect(last.gain.mean).toBeCloseTo(0.5, 12);
    expect(last.gain.low).toBeCloseTo(0.4, 12);
    expect(last.gain.high).toBeCloseTo(0.6, 12);
    expect(last.inDomain.mean).toBeCloseTo(0.65, 12);
    expect(last.change.mean).toBeCloseTo(-0.2, 12);
    expect(last.change.low).toBeCloseTo(-0.3, 12);
    expect(last.change.high).toBeCloseTo(-0.1, 12);
  });

  it('leaves out checkpoints that a seed does not have', () => {
    const short = runOf({ seed: 2 }, [[0, 1], [0.5, 0.9]]);
    expect(meanPath([runOf({}, [[0, 1], [0.4, 0.9], [0.8, 0.7]]), short]).map(({ step }) => step)).toEqual([0, 30]);
    expect(meanPath([])).toEqual([]);
  });
});

describe('changeAt', () => {
  it('has the width of one run however many seeds are averaged', () => {
    const one = runOf({}, [[0.2, 0.9], [0.7, 0.6]]);
    expect(changeAt([one, one, one], 30, 'outOfDomain')).toEqual(changeAt([one], 30, 'outOfDomain'));
    const change = changeAt([one], 30, 'outOfDomain')!;
    expect(change.value).toBeCloseTo(-0.3, 12);
    expect(change.low).toBeLessThan(-0.3);
    expect(change.high).toBeGreaterThan(-0.3);
    expect(changeAt([one], 60, 'inDomain')).toBeUndefined();
  });

  it('averages counts and both ends of the intervals', () => {
    const [a, b] = [accuracyOf(0.5, 100), accuracyOf(0.7, 100)];
    expect(meanAccuracy([a, b])).toEqual({ correct: 60, items: 100, low: (a.low + b.low) / 2, high: (a.high + b.high) / 2 });
  });
});

describe('matchedLevels', () => {
  it('are shares of the best gain over the base model', () => {
    const paths = [meanPath([runOf({}, [[0.2, 1], [0.6, 0.9]])]), meanPath([runOf({}, [[0.2, 1], [0.4, 0.9]])])];
    expect(matchedLevels(paths).map(({ inDomain }) => Number(inDomain.toFixed(6)))).toEqual([0.4, 0.52, 0.56]);
  });

  it('are none where nothing was gained', () => {
    expect(matchedLevels([meanPath([runOf({}, [[0.5, 1], [0.4, 0.9]])])])).toEqual([]);
    expect(matchedLevels([])).toEqual([]);
  });
});

describe('keptAt', () => {
  const runs = [runOf({ seed: 1 }, [[0, 0.9], [0.4, 0.8], [0.8, 0.6]]), runOf({ seed: 2 }, [[0, 0.9], [0.3, 0.8], [0.5, 0.7]])];

  it('interpolates between the checkpoints around the level, seed by seed', () => {
    const { value, reached, of } = keptAt(runs, 0.4);
    expect([reached, of]).toEqual([2, 2]);
    expect(value?.high).toBeCloseTo(0.8, 12);
    expect(value?.low).toBeCloseTo(0.75, 12);
    expect(value?.mean).toBeCloseTo(0.775, 12);
  });

  it('counts the seeds that do not get there', () => {
    expect(keptAt(runs, 0.7)).toMatchObject({ reached: 1, of: 2 });
    expect(keptAt(runs, 0.7).value?.mean).toBeCloseTo(0.65, 12);
    expect(keptAt(runs, 0.9)).toEqual({ reached: 0, of: 2, value: undefined });
  });
});

describe('verdict', () => {
  it('marks ranges that are apart and nothing else', () => {
    const reference = kept(0.6, 0.7, 3, 3);
    expect(verdict(kept(0.71, 0.8, 3, 3), reference)).toBe('up');
    expect(verdict(kept(0.5, 0.59, 2, 2), reference)).toBe('down');
    expect(verdict(kept(0.7, 0.8, 3, 3), reference)).toBeUndefined();
    expect(verdict(kept(0.8, 0.9, 2, 3), reference)).toBeUndefined();
    expect(verdict(kept(0.9, 0.9, 1, 1), reference)).toBeUndefined();
    expect(verdict(kept(0, 0, 0, 3), reference)).toBeUndefined();
    expect(verdict(kept(0.9, 0.95, 3, 3), kept(0.6, 0.6, 1, 1))).toBeUndefined();
    expect(hasRange(kept(0.5, 0.6, 2, 3))).toBe(false);
  });
});

describe('paretoFront', () => {
  it('keeps what nothing beats in both', () => {
    const place = (gain: number, change: number): Place => ({ gain, change });
    expect(paretoFront([place(0, 0), place(0.5, -0.2), place(0.4, -0.3), place(0.5, -0.1), place(0.8, -0.4), place(0.8, -0.4)])).toEqual([place(0, 0), place(0.5, -0.1), place(0.8, -0.4)]);
    expect(paretoFront([])).toEqual([]);
  });

  it('is beaten by no point, and beats every other one', () => {
    const coordinate = fc.integer({ min: -10, max: 10 });
    fc.assert(
      fc.property(fc.array(fc.record({ gain: coordinate, change: coordinate }), { minLength: 1 }), (points) => {
        const front = paretoFront(points);
        const beats = (a: Place, b: Place): boolean => a.gain >= b.gain && a.change >= b.change && (a.gain > b.gain || a.change > b.change);
        expect(front.some((one) => points.some((other) => beats(other, one)))).toBe(false);
        for (const point of points) expect(front.some((one) => beats(one, point) || (one.gain === point.gain && one.change === point.change))).toBe(true);
      }),
    );
  });
});

it('spreadOf gives mean and range', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ mean: 2, low: 1, high: 3, count: 3 });
});
