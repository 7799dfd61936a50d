import { describe, expect, it } from 'vitest';
import { fitLabels, pushApart } from './labels.ts';
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

describe('fitLabels', () => {
  const fit = (anchors: readonly number[], mustStay = -1) => fitLabels(anchors, 10, 0, 50, (index) => index === mustStay);

  it('leaves as many as fit to pushApart', () => {
    expect(fit([0, 10, 20, 30, 40, 50])).toEqual({ placed: pushApart([0, 10, 20, 30, 40, 50], 10, 0, 50), more: 0 });
  });

  it('drops those that stand closest, keeps a place free for their number, and stays inside', () => {
    const { placed, more } = fit([50, 21, 0, 20, 10, 30, 40, 22]);
    expect(more).toBe(3);
    for (const { at } of placed) expect(at).toBeGreaterThanOrEqual(0);
    for (const { at } of placed) expect(at).toBeLessThanOrEqual(40);
    expect(placed.map(({ anchor }) => anchor)).toEqual([0, 10, 30, 40, 50]);
  });

  it('drops what must stay last', () => {
    const anchors = Array.from({ length: 40 }, () => 25);
    expect(fit(anchors, 17).placed.map(({ index }) => index)).toContain(17);
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
