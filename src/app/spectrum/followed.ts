/** @file What runs have measured of their own states and predictions while they went on: curves by step, and the map of all layers. Pure functions, with tests. */
import type { EstimatedDivergences, FollowedDrift, StateDrift } from '../../worker/protocol.ts';
import type { HeatRow } from '../charts/Heatmap.tsx';
import type { LineSeries } from '../charts/plotModel.ts';
import type { Point } from '../charts/points.ts';
import { linearDomain, niceStep, type Axis } from '../charts/scales.ts';
import { formatCell, formatCount, formatCounted, formatParameter, formatProbability, formatTime } from '../format.ts';
import type { LabRun } from '../runs.ts';

export const stateMeasures = [
  { value: 'cka', label: 'CKA' },
  { value: 'cosine', label: 'Cosine' },
  { value: 'pcaShift', label: 'PCA shift' },
] as const;
export type StateMeasure = (typeof stateMeasures)[number]['value'];

/** What the measure of a state that has not moved is. */
const unmoved: Readonly<Record<StateMeasure, number>> = { cka: 1, cosine: 1, pcaShift: 0 };

/** "after layer 3", or "before the head". */
export const placeName = ({ layer }: Pick<StateDrift, 'layer'>): string => (layer === undefined ? 'before the head' : `after layer ${layer}`);

type Followed = Pick<LabRun, 'followed' | 'config'>;

/** A run that starts from the base model has not moved before its first step. */
const fromBase = ({ config }: Followed, y: number): readonly Point[] => (config.startFrom === undefined ? [{ x: 0, y }] : []);

/** One measure of the states by step, after a layer or, without one, before the head. */
export function statePoints(run: Followed, measure: StateMeasure, layer?: number): readonly Point[] {
  const points = run.followed.flatMap(({ step, states }): Point[] => {
    const state = states?.find((one) => one.layer === layer);
    return state ? [{ x: step, y: Number.isFinite(state[measure]) ? state[measure] : null }] : [];
  });
  return points.length === 0 ? [] : [...fromBase(run, unmoved[measure]), ...points];
}

/** One divergence of the next token by step, with its interval over examples. */
export function outputPoints(run: Followed, key: keyof EstimatedDivergences = 'baseToTuned'): readonly Point[] {
  const points = run.followed.flatMap(({ step, outputs }): Point[] => (outputs ? [{ x: step, y: Number.isFinite(outputs[key].mean) ? outputs[key].mean : null, low: outputs[key].low, high: outputs[key].high }] : []));
  return points.length === 0 ? [] : [...fromBase(run, 0), ...points];
}

const valuesOf = (series: readonly Pick<LineSeries, 'line'>[]): readonly number[] => series.flatMap(({ line }) => line.flatMap(({ y, high }) => (y === null ? [] : [high ?? y])));

/** Similarities count down from 1; the shift counts up from 0. */
export const stateAxis = (measure: StateMeasure, series: readonly Pick<LineSeries, 'line'>[]): Axis => ({
  kind: 'linear',
  format: formatCell,
  ...linearDomain([...valuesOf(series), unmoved[measure]], measure === 'pcaShift', 5),
});

/** Nats from zero. */
export const outputAxis = (series: readonly Pick<LineSeries, 'line'>[]): Axis => ({ kind: 'linear', format: formatParameter, ...linearDomain(valuesOf(series), true, 5) });

const withStates = ({ followed }: Pick<LabRun, 'followed'>): readonly (FollowedDrift & Required<Pick<FollowedDrift, 'states'>>)[] =>
  followed.flatMap(({ states, ...rest }) => (states ? [{ ...rest, states }] : []));

/** Distance from unmoved at which the ink of a map ends, the same for all runs that are compared. */
export function stateMapEnd(runs: readonly Pick<LabRun, 'followed'>[], measure: StateMeasure): number {
  const most = Math.max(0, ...runs.flatMap((run) => withStates(run).flatMap(({ states }) => states.map((state) => Math.abs(state[measure] - unmoved[measure]) || 0))));
  if (most === 0) return 1;
  const step = niceStep(most / 8);
  return Number((Math.ceil(most / step - 1e-9) * step).toPrecision(6));
}

/** Rows of a map that can be told apart. */
const mostRows = 12;

export interface StateMap {
  /** Layers, and the head that reads the last one. */
  readonly places: readonly (number | string)[];
  /** A row each measured step, evenly chosen where there are too many; the last one is always there. */
  readonly rows: readonly HeatRow[];
  readonly leftOut: number;
}

/** Layers across, steps down; more ink, further moved. */
export function stateMap(run: Pick<LabRun, 'followed'>, measure: StateMeasure, end: number): StateMap {
  const all = withStates(run);
  const every = Math.max(1, Math.ceil(all.length / mostRows));
  const shown = all.filter((_, index) => (all.length - 1 - index) % every === 0);
  return {
    places: (shown.at(-1)?.states ?? []).map(({ layer }) => layer ?? 'head'),
    rows: shown.map(({ step, states }) => ({
      name: formatCount(step),
      cells: states.map((state) => ({
        key: cellKey(step, state.layer),
        text: formatCell(state[measure]),
        label: `step ${formatCount(step)}, ${placeName(state)}: ${formatProbability(state[measure])}`,
        position: Number.isFinite(state[measure]) ? Math.abs(state[measure] - unmoved[measure]) / end : null,
      })),
    })),
    leftOut: all.length - shown.length,
  };
}

/** Where the ink of a map begins and ends, in words. */
export const stateMapEnds = (measure: StateMeasure, end: number): readonly [string, string] => [String(unmoved[measure]), formatParameter(Number((measure === 'pcaShift' ? end : 1 - end).toPrecision(6)))];

export const cellKey = (step: number, layer: number | undefined): string => `${step} ${layer ?? 'head'}`;

/** The layer of a cell; undefined for the head. */
export const layerOfCell = (key: string): number | undefined => (key.endsWith('head') ? undefined : Number(key.split(' ')[1]));

/** "10 measurements of 1,024 out-of-domain tokens took 3 s." */
export function followedText({ followed }: Pick<LabRun, 'followed'>): string {
  const seconds = followed.reduce((sum, one) => sum + one.seconds, 0);
  return `${formatCounted(followed.length, 'measurement')} of ${formatCounted(followed.at(-1)?.tokens ?? 0, 'out-of-domain token')} took ${seconds < 0.95 ? 'under 1 s' : formatTime(seconds)}.`;
}
