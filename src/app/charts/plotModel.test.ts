import { describe, expect, it } from 'vitest';
import { cached } from './cache.ts';
import { datumAt, latestValues, pixelX, pixelY, plotBox, snap, type LineSeries } from './plotModel.ts';

const series = (change: Partial<LineSeries>): LineSeries => ({
  id: 'a',
  name: 'RPSFT',
  method: 'rpsft',
  emphasis: 'current',
  line: [
    { x: 0, y: 1 },
    { x: 10, y: null },
    { x: 20, y: 3 },
  ],
  ...change,
});

describe('the plot', () => {
  const box = plotBox(200, 100, { top: 10, right: 20, bottom: 20, left: 30 });
  const axis = { kind: 'linear', domain: [0, 10], ticks: [], format: String } as const;

  it('puts data inside its margins', () => {
    expect(box).toEqual({ left: 30, top: 10, width: 150, height: 70 });
    expect([0, 5, 10].map((x) => pixelX(box, axis, x))).toEqual([30, 105, 180]);
    expect([0, 10].map((y) => pixelY(box, axis, y))).toEqual([80, 10]);
  });

  it('keeps what is beyond the axis on its edge', () => {
    expect([-5, 15].map((y) => pixelY(box, axis, y))).toEqual([80, 10]);
  });

  it('is never without size', () => {
    expect(plotBox(10, 10, { top: 10, right: 20, bottom: 20, left: 30 })).toMatchObject({ width: 1, height: 1 });
  });
});

describe('data under the cursor', () => {
  it('are those of this step only, and never a gap', () => {
    expect([0, 10, 20, 25].map((x) => datumAt(series({}), x)?.y)).toEqual([1, undefined, 3, undefined]);
  });

  it('may be rings', () => {
    expect(datumAt(series({ rings: [{ x: 10, y: 7 }] }), 10)?.y).toBe(7);
  });

  it('snap to the nearest stop', () => {
    expect([-9, 14, 44, 46, 99].map((x) => snap([0, 30, 60], x))).toEqual([0, 0, 30, 60, 60]);
    expect(snap([], 44)).toBeUndefined();
  });
});

describe('the spoken sentence', () => {
  it('names the latest value of each line, the current run first', () => {
    const other = series({ name: 'SFT', line: [{ x: 0, y: 2 }] });
    expect(latestValues([other, series({})], String)).toBe('RPSFT 3, SFT 2');
    expect(latestValues([series({ line: [] })], String)).toBe('');
  });
});

describe('cached', () => {
  it('computes once for an owner and key', () => {
    const owner = {};
    let count = 0;
    const make = (): number => ++count;
    expect([cached(owner, 'a', make), cached(owner, 'a', make), cached(owner, 'b', make), cached({}, 'a', make)]).toEqual([1, 1, 2, 3]);
  });
});
