import { describe, expect, it } from 'vitest';
import { along, nearestIndex, pointAt, reduce, stopsOf, type Point } from './points.ts';
import { smooth } from './smooth.ts';

const line = (length: number, y: (index: number) => number | null): Point[] =>
  Array.from({ length }, (_, index) => ({ x: index + 1, y: y(index) }));

describe('reduce', () => {
  it('leaves a short line as it is', () => {
    const points = line(800, (index) => index);
    expect(reduce(points, 800)).toBe(points);
  });

  it('keeps at most the limit, the ends, the order and every spike', () => {
    const points = line(20_000, (index) => (index === 7_777 ? 1_000 : index === 12_345 ? -1_000 : Math.sin(index)));
    const reduced = reduce(points, 800);
    expect(reduced.length).toBeLessThanOrEqual(800);
    expect(reduced.length).toBeGreaterThan(400);
    expect(reduced[0]).toBe(points[0]);
    expect(reduced.at(-1)).toBe(points.at(-1));
    expect(reduced).toContain(points[7_777]);
    expect(reduced).toContain(points[12_345]);
    expect(reduced.every((point, index) => index === 0 || point.x > reduced[index - 1]!.x)).toBe(true);
  });

  it('keeps a gap of a single step', () => {
    const points = line(5_000, (index) => (index === 2_500 ? null : 1));
    expect(reduce(points, 800).filter(({ y }) => y === null)).toEqual([{ x: 2_501, y: null }]);
  });
});

describe('looking up', () => {
  const points = [{ x: 0 }, { x: 30 }, { x: 60 }];
  it('finds the nearest', () => {
    expect([-5, 14, 16, 44, 46, 99].map((x) => nearestIndex(points, x))).toEqual([0, 0, 1, 1, 2, 2]);
    expect(nearestIndex([], 1)).toBe(-1);
  });

  it('finds the exact one only', () => {
    expect(pointAt(points, 30)).toBe(points[1]);
    expect(pointAt(points, 31)).toBeUndefined();
  });

  it('joins the stops of several curves', () => {
    expect(stopsOf([points, [{ x: 45 }, { x: 60 }]])).toEqual([0, 30, 45, 60]);
  });

  it('samples the lines between data', () => {
    expect(
      along(
        [
          { x: 0, y: 0 },
          { x: 20, y: 10 },
        ],
        10,
      ),
    ).toEqual([
      { x: 0, y: 0 },
      { x: 10, y: 5 },
      { x: 20, y: 10 },
    ]);
  });
});

describe('smooth', () => {
  it('does nothing without weight on the past', () => {
    const points = line(3, (index) => index);
    expect(smooth(points, 0, false)).toBe(points);
  });

  it('starts at the first datum and keeps a constant', () => {
    for (const logarithmic of [false, true]) {
      for (const { y } of smooth(
        line(50, () => 0.3),
        0.9,
        logarithmic,
      ))
        expect(y).toBeCloseTo(0.3, 12);
    }
  });

  it('averages logarithms on a logarithmic axis', () => {
    const [, second] = smooth(
      [
        { x: 1, y: 1 },
        { x: 2, y: 100 },
      ],
      0.5,
      true,
    );
    // Weights 1/3 and 2/3 after correction for the empty start.
    expect(second?.y).toBeCloseTo(100 ** (2 / 3), 9);
  });

  it('restarts after a gap, so nothing leaks over it', () => {
    const smoothed = smooth(
      [
        { x: 1, y: 5 },
        { x: 2, y: null },
        { x: 3, y: 1 },
      ],
      0.9,
      false,
    );
    expect(smoothed.map(({ y }) => y)).toEqual([5, null, 1]);
  });
});
