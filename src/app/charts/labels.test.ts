import { describe, expect, it } from 'vitest';
import { pushApart } from './labels.ts';
import { placeTooltip } from './tooltipPlace.ts';

describe('pushApart', () => {
  const places = (anchors: readonly number[]): readonly number[] =>
    [...pushApart(anchors, 12, 0, 200)].sort((a, b) => a.index - b.index).map(({ at }) => at);

  it('leaves labels that are far apart', () => {
    expect(places([30, 90, 60])).toEqual([30, 90, 60]);
  });

  it('moves two by as little as is needed, evenly', () => {
    expect(places([100, 104])).toEqual([96, 108]);
  });

  it('keeps them inside the plot', () => {
    expect(places([199, 200])).toEqual([188, 200]);
    expect(places([0, 0, 1])).toEqual([0, 12, 24]);
  });

  it('joins blocks that meet, and keeps the order of the lines', () => {
    const at = places([50, 55, 62, 64, 150]);
    const sorted = [...at].sort((a, b) => a - b);
    expect(at).toEqual(sorted);
    for (let index = 1; index < at.length; index++) expect(at[index]! - at[index - 1]!).toBeGreaterThanOrEqual(12 - 1e-9);
    expect(at[4]).toBe(150);
  });
});

describe('placeTooltip', () => {
  const plot = { width: 400, height: 180 };
  const size = { width: 120, height: 60 };
  it('stands right of the cursor where nothing is in the way', () => {
    expect(placeTooltip(100, size, plot, [])).toEqual({ left: 112, top: 0 });
  });

  it('goes left at the right edge', () => {
    expect(placeTooltip(390, size, plot, []).left).toBe(258);
  });

  it('goes down from a line at the top', () => {
    const points = Array.from({ length: 40 }, (_, index) => ({ x: index * 10, y: 10 }));
    expect(placeTooltip(200, size, plot, points).top).toBeGreaterThan(20);
  });

  it('stays inside a plot that is narrower than itself and the cursor', () => {
    expect(placeTooltip(60, size, { width: 130, height: 80 }, []).left).toBeGreaterThanOrEqual(0);
  });
});
