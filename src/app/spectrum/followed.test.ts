/** @file Curves, axes and maps of what runs have measured of themselves while they went on. */
import { describe, expect, it } from 'vitest';
import type { FollowedDrift, StateDrift } from '../../worker/protocol.ts';
import { defaultConfig } from '../method/defaults.ts';
import { cellKey, followedText, layerOfCell, outputAxis, outputPoints, placeName, stateAxis, stateMap, stateMapEnd, stateMapEnds, statePoints } from './followed.ts';

const state = (cka: number, layer?: number): StateDrift => ({ cka, cosine: cka - 0.1, pcaShift: 2 * (1 - cka), explained: 0.4, ...(layer === undefined ? {} : { layer }) });
const divergence = (mean: number) => ({ mean, low: mean - 0.25, high: mean + 0.25 });
const measured = (step: number, change: Partial<FollowedDrift>): FollowedDrift => ({ step, tokens: 1024, seconds: 0.5, ...change });
const outputs = (mean: number): FollowedDrift['outputs'] & object => ({ baseToTuned: divergence(mean), tunedToBase: divergence(2 * mean), jensenShannon: divergence(mean / 2) });
const both = {
  config: defaultConfig,
  followed: [measured(10, { states: [state(0.9, 0), state(0.8)], outputs: outputs(0.5) }), measured(20, { states: [state(0.7, 0), state(0.5)], outputs: outputs(1) })],
};

describe('curves', () => {
  it('begin unmoved at step 0, after a layer or before the head', () => {
    expect(statePoints(both, 'cka')).toEqual([{ x: 0, y: 1 }, { x: 10, y: 0.8 }, { x: 20, y: 0.5 }]);
    expect(statePoints(both, 'cka', 0)).toEqual([{ x: 0, y: 1 }, { x: 10, y: 0.9 }, { x: 20, y: 0.7 }]);
    expect(statePoints(both, 'pcaShift')[0]).toEqual({ x: 0, y: 0 });
    expect(statePoints(both, 'cka', 7)).toEqual([]);
    expect(outputPoints(both)).toEqual([{ x: 0, y: 0 }, { x: 10, y: 0.5, low: 0.25, high: 0.75 }, { x: 20, y: 1, low: 0.75, high: 1.25 }]);
    expect(outputPoints(both, 'tunedToBase').at(-1)).toEqual({ x: 20, y: 2, low: 1.75, high: 2.25 });
  });

  it('begin at the first measurement of a run that goes on from another', () => {
    const later = { ...both, config: { ...defaultConfig, startFrom: 'a' } };
    expect(statePoints(later, 'cka').map(({ x }) => x)).toEqual([10, 20]);
    expect(outputPoints(later).map(({ x }) => x)).toEqual([10, 20]);
  });

  it('have a gap where a number is missing, and are empty where nothing was followed', () => {
    const broken = { config: defaultConfig, followed: [measured(10, { states: [state(Number.NaN)], outputs: outputs(Number.NaN) }), measured(20, {})] };
    expect(statePoints(broken, 'cka')).toEqual([{ x: 0, y: 1 }, { x: 10, y: null }]);
    expect(outputPoints(broken).map(({ y }) => y)).toEqual([0, null]);
    const none = { config: defaultConfig, followed: [measured(10, {})] };
    expect([statePoints(none, 'cka'), outputPoints(none)]).toEqual([[], []]);
  });

  it('have axes that hold where they begin, and their bands', () => {
    expect(stateAxis('cka', [{ line: [{ x: 10, y: 0.83 }] }]).domain).toEqual([0.8, 1]);
    expect(stateAxis('pcaShift', [{ line: [{ x: 10, y: 0.9 }] }]).domain).toEqual([0, 1]);
    expect(outputAxis([{ line: outputPoints(both) }]).domain).toEqual([0, 1.5]);
  });
});

describe('the map of states', () => {
  it('has a row each step with more ink for further moved, on a scale that holds all runs', () => {
    const end = stateMapEnd([both, { followed: [] }], 'cka');
    expect(end).toBe(0.5);
    const { places, rows, leftOut } = stateMap(both, 'cka', end);
    expect([places, leftOut]).toEqual([[0, 'head'], 0]);
    expect(rows.map(({ name, cells }) => [name, ...cells.map(({ position }) => Number(position!.toFixed(9)))])).toEqual([['10', 0.2, 0.4], ['20', 0.6, 1]]);
    expect(rows[1]!.cells.map(({ key, label }) => [key, label])).toEqual([['20 0', 'step 20, after layer 0: 0.70'], ['20 head', 'step 20, before the head: 0.50']]);
    expect(stateMapEnds('cka', end)).toEqual(['1', '0.5']);
    expect(stateMapEnds('pcaShift', end)).toEqual(['0', '0.5']);
  });

  it('leaves no ink where a number is missing, and needs no run that has moved', () => {
    const broken = { followed: [measured(10, { states: [state(Number.NaN, 0), state(1)] })] };
    expect(stateMapEnd([broken], 'cka')).toBe(1);
    expect(stateMap(broken, 'cka', 1).rows[0]!.cells.map(({ position }) => position)).toEqual([null, 0]);
  });

  it('chooses rows evenly, always with the last one', () => {
    const long = { followed: Array.from({ length: 30 }, (_, index) => measured(10 * (index + 1), index === 0 ? {} : { states: [state(0.9)] })) };
    const { rows, leftOut } = stateMap(long, 'cka', 1);
    expect(rows.map(({ name }) => name)).toEqual(['30', '60', '90', '120', '150', '180', '210', '240', '270', '300']);
    expect(leftOut).toBe(19);
  });

  it('has keys that name a layer', () => {
    expect([layerOfCell(cellKey(20, 3)), layerOfCell(cellKey(20, undefined))]).toEqual([3, undefined]);
    expect([placeName({ layer: 3 }), placeName({})]).toEqual(['after layer 3', 'before the head']);
  });
});

it('says what it took', () => {
  expect(followedText(both)).toBe('2 measurements of 1,024 out-of-domain tokens took 1 s.');
  expect(followedText({ followed: both.followed.slice(0, 1) })).toBe('1 measurement of 1,024 out-of-domain tokens took under 1 s.');
});
