/** @file What the figures and tables of the comparison are made of. */
import { describe, expect, it } from 'vitest';
import { plotBox } from '../charts/plotModel.ts';
import { compare } from './comparison.ts';
import { accuracySeries, lossSeries, meanLine } from './curves.ts';
import { groupRuns } from './groups.ts';
import { keptRows, seedText } from './keptRows.ts';
import { runRow, sortRows } from './rows.ts';
import { above, exitOf, frontSteps, pointLabels, scatterModel } from './scatterModel.ts';
import { runOf } from './testing.ts';

const path = (gain: number, kept: number): readonly (readonly [number, number])[] => [[0, 0.95], [gain / 2, (0.95 + kept) / 2], [gain, kept]];
const runs = [
  ...[1, 2].map((seed) => runOf({ method: 'rpsft', seed, lambda: 10 }, path(0.8, 0.85 - seed / 100))),
  ...[1, 2].map((seed) => runOf({ method: 'sft', seed, lambda: 0 }, path(0.9, 0.7 - seed / 100))),
  runOf({ method: 'l2sp', lambda: 1 }, path(0.6, 0.1)),
  runOf({ method: 'sft', lambda: 0, learningRate: 1e-5 }, path(0.1, 0.94), { visible: false }),
];
const groups = groupRuns(runs);
const comparison = compare(groups);

describe('above', () => {
  const at = (gain: number, change: number): { gain: number; change: number } => ({ gain, change });

  it('cuts a path where it crosses the floor, and takes it up where it comes back', () => {
    expect(above([at(0, 0), at(0.2, -0.4), at(0.4, 0)], -0.2)).toEqual([[at(0, 0), at(0.1, -0.2)], [at(expect.closeTo(0.3, 9) as number, -0.2), at(0.4, 0)]]);
    expect(above([at(0, -0.5), at(0.2, -0.4)], -0.2)).toEqual([]);
    expect(above([at(0, 0), at(0.2, -0.1)], -0.2)).toEqual([[at(0, 0), at(0.2, -0.1)]]);
  });

  it('knows where a path leaves the frame and with what it ends', () => {
    const exit = exitOf({ points: [{ step: 0, ...at(0, 0) }, { step: 1, ...at(0.5, -1) }] }, -0.5);
    expect(exit).toEqual({ gain: 0.25, final: -1 });
    expect(exitOf({ points: [{ step: 0, ...at(0, 0) }] }, -0.5)).toBeUndefined();
  });
});

it('the front is a staircase that never rises', () => {
  expect(frontSteps([{ gain: 0.1, change: 0 }, { gain: 0.5, change: -0.2 }], 0)).toEqual([{ gain: 0, change: 0 }, { gain: 0.1, change: 0 }, { gain: 0.1, change: -0.2 }, { gain: 0.5, change: -0.2 }]);
});

describe('scatterModel', () => {
  it('ends a little under the front, or under everything', () => {
    const [near] = scatterModel(comparison, 'near').y.domain;
    const [all] = scatterModel(comparison, 'all').y.domain;
    expect(near).toBe(-0.4);
    expect(all).toBe(-0.9);
  });

  it('draws unticked groups faint and the selected one last, and shows where each of several seeds ends', () => {
    const selected = groups[0]!.id;
    const { paths } = scatterModel(comparison, 'all', selected);
    expect(paths.at(-1)).toMatchObject({ id: selected, selected: true });
    expect(paths.filter(({ faint }) => faint).map(({ name }) => name)).toEqual(['SFT lr 1e-5']);
    expect(paths.map(({ seeds }) => seeds.length).toSorted((a, b) => a - b)).toEqual([0, 0, 2, 2]);
  });

  it('names what is ticked, without one name over another, and tells the end of what leaves the frame', () => {
    const model = scatterModel(comparison, 'near');
    const labels = pointLabels(model, plotBox(600, 430, { top: 18, right: 92, bottom: 22, left: 34 }), 92);
    expect(labels.map(({ text }) => text).toSorted((a, b) => a.localeCompare(b))).toEqual(['L2-SP ↓ −85', 'RPSFT', 'SFT lr 5e-4']);
    for (const a of labels) for (const b of labels) if (a !== b) expect(Math.abs(a.y - b.y) >= 13 || Math.abs(a.x - b.x) > 40).toBe(true);
  });
});

describe('curves of groups', () => {
  it('are the mean with the range, and gaps where a seed has one', () => {
    const line = meanLine([[{ x: 1, y: 1 }, { x: 2, y: 2 }, { x: 3, y: 3 }], [{ x: 1, y: 3 }, { x: 2, y: null }]]);
    expect(line).toEqual([{ x: 1, y: 2, low: 1, high: 3 }, { x: 2, y: null }]);
    expect(meanLine([[{ x: 1, y: 1 }]])).toEqual([{ x: 1, y: 1 }]);
  });

  it('have no band for one seed, and say so', () => {
    const [rpsft, , l2sp] = groups.map((group) => accuracySeries({ group, emphasis: 'overlay' }, 'outOfDomain')!);
    expect(rpsft?.line.at(-1)).toMatchObject({ low: 0.83, high: 0.84 });
    expect(rpsft?.detail?.(60)).toBe('83.0–84.0%, 2 seeds');
    expect(l2sp?.line.at(-1)?.low).toBeUndefined();
    expect(l2sp?.detail?.(60)).toBe('1 seed');
  });

  it('smooth the loss of every seed before they average', () => {
    const series = lossSeries({ group: groups[0]!, emphasis: 'overlay' }, 0.9, 'linear')!;
    expect(series.line).toHaveLength(60);
    expect(series.line[0]?.y).toBeCloseTo((runs[0]!.steps[0]!.loss + runs[1]!.steps[0]!.loss) / 2, 9);
  });

  it('have no accuracy for plain text', () => {
    const plain = groupRuns([{ ...runs[0]!, measures: { inDomain: 'exact', outOfDomain: 'perplexity' } }])[0]!;
    expect(accuracySeries({ group: plain, emphasis: 'overlay' }, 'outOfDomain')).toBeUndefined();
    expect(accuracySeries({ group: plain, emphasis: 'overlay' }, 'inDomain')).toBeDefined();
  });
});

describe('keptRows', () => {
  it('reads everything against SFT until another row is chosen, and marks ranges that are apart', () => {
    const { rows, reference, absent } = keptRows(comparison, undefined);
    expect(reference?.group.name).toBe('SFT lr 5e-4');
    expect(rows.map(({ one, marks }) => [one.group.name, marks[0]])).toEqual([['RPSFT', 'up'], ['SFT lr 5e-4', undefined], ['L2-SP', undefined]]);
    expect(absent).toBe('');
    const turned = keptRows(comparison, groups[0]!.id);
    expect(turned.rows.map(({ one, marks }) => [one.group.name, marks[0]])).toEqual([['RPSFT', undefined], ['SFT lr 5e-4', 'down'], ['L2-SP', undefined]]);
  });

  it('says beside each value what it is worth', () => {
    expect(seedText({ reached: 2, of: 3, value: { mean: 0.5, low: 0.4, high: 0.6, count: 2 } })).toBe('2 of 3');
    expect(seedText({ reached: 1, of: 1, value: { mean: 0.5, low: 0.5, high: 0.5, count: 1 } })).toBe('1 seed');
    expect(seedText({ reached: 3, of: 3, value: { mean: 0.5, low: 0.4, high: 0.6, count: 3 } })).toBe('40.0–60.0');
  });

  it('names what never gets there', () => {
    const flat = runOf({ method: 'l2sp', lambda: 2 }, path(0.01, 0.95));
    expect(keptRows(compare(groupRuns([...runs.slice(0, 4), flat])), undefined).absent).toBe('L2-SP does not reach any of these.');
  });
});

describe('the run table', () => {
  it('says how each group stands', () => {
    const failed = runOf({ method: 'l2sp', lambda: 2 }, path(0.5, 0.9), { state: 'failed', message: 'The device was lost.' });
    const live = runOf({ method: 'sft', lambda: 0, seed: 9 }, path(0.9, 0.7), { state: 'running', completedSteps: 40 });
    const [first, second] = groupRuns([failed, live], [{ id: 'q', config: { ...live.config, seed: 10 }, dataset: 'Demo word problems', state: 'waiting' }]).map((group) => runRow(group));
    expect(first).toMatchObject({ status: 'failed: The device was lost.', failed: true, values: {} });
    expect(second).toMatchObject({ status: 'running, step 40 of 60; 1 queued', failed: false });
  });

  it('sorts by a column, pinned rows first and rows without a value last', () => {
    const waiting = groupRuns(runs, [{ id: 'q', config: { ...runs[0]!.config, lambda: 99 }, dataset: 'Demo word problems', state: 'waiting' }]);
    const rows = waiting.map((group) => runRow({ ...group, pinned: group.name === 'L2-SP' }));
    const names = (descending: boolean): readonly string[] => sortRows(rows, { key: 'outOfDomain', descending }).map(({ group }) => group.name);
    expect(names(true)).toEqual(['L2-SP', 'SFT lr 1e-5', 'RPSFT λ 10', 'SFT lr 5e-4', 'RPSFT λ 99']);
    expect(names(false)).toEqual(['L2-SP', 'SFT lr 5e-4', 'RPSFT λ 10', 'SFT lr 1e-5', 'RPSFT λ 99']);
    expect(sortRows(rows, { key: 'name', descending: false }).map(({ group }) => group.name)).toEqual(['L2-SP', 'RPSFT λ 10', 'RPSFT λ 99', 'SFT lr 1e-5', 'SFT lr 5e-4']);
  });
});
