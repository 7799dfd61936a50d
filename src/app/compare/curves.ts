/** @file Curves of groups: the mean over seeds with the range as a band. Smoothing runs on the full data of each run before anything is averaged. Pure. */
import { cached } from '../charts/cache.ts';
import type { LineSeries } from '../charts/plotModel.ts';
import type { Point } from '../charts/points.ts';
import type { ScaleKind } from '../charts/scales.ts';
import { smooth } from '../charts/smooth.ts';
import { formatInterval, formatLoss } from '../format.ts';
import { isAccuracy, type Suite } from '../results.ts';
import { pathOf, type LabRun } from '../runs.ts';
import { breaksOf, stepPoints } from '../train/curves.ts';
import { countedRuns, type RunGroup } from './groups.ts';
import { spreadOf } from './statistics.ts';

/** A group as the curves draw it. */
export interface DrawnGroup {
  readonly group: RunGroup;
  readonly emphasis: LineSeries['emphasis'];
}

/** Mean and range by step, of the steps that all lines have; a gap where one of them has one. */
export function meanLine(lines: readonly (readonly Point[])[]): readonly Point[] {
  const [first, ...others] = lines;
  if (first === undefined || others.length === 0) return first ?? [];
  const byStep = others.map((line) => new Map(line.map(({ x, y }) => [x, y])));
  return first.flatMap(({ x, y }): Point[] => {
    const values = [y, ...byStep.map((line) => line.get(x))];
    if (values.includes(undefined)) return [];
    const known = values.filter((value) => value !== null && value !== undefined);
    if (known.length < values.length) return [{ x, y: null }];
    const { mean, low, high } = spreadOf(known);
    return [{ x, y: mean, low, high }];
  });
}

const seriesOf = ({ group, emphasis }: DrawnGroup, line: readonly Point[], runs: readonly LabRun[], range: (low: number, high: number) => string): LineSeries => ({
  id: group.id, name: group.name, method: group.config.method, emphasis, line,
  detail: (step) => {
    const point = line.find(({ x }) => x === step);
    return point?.low === undefined || point.high === undefined ? '1 seed' : `${range(point.low, point.high)}, ${runs.length} seeds`;
  },
});

/** The results are kept with the runs, which are replaced when they change. */
const keyOf = ({ group, emphasis }: DrawnGroup, runs: readonly LabRun[]): string => `${group.name} ${emphasis} ${runs.map(({ id }) => id).join()}`;

/** Accuracy of a suite; undefined where a suite has none or nothing was measured. */
export function accuracySeries(drawn: DrawnGroup, suite: Suite): LineSeries | undefined {
  const runs = countedRuns(drawn.group);
  const last = runs.at(-1);
  if (last === undefined || !isAccuracy(last.measures[suite])) return undefined;
  return cached(last, `${suite} ${keyOf(drawn, runs)}`, () => {
    const lines = runs.map((run) => pathOf(run).map((evaluation): Point => ({ x: evaluation.step, y: evaluation[suite].items === 0 ? null : evaluation[suite].correct / evaluation[suite].items })));
    return { ...seriesOf(drawn, meanLine(lines), runs, formatInterval), markers: true };
  });
}

/** Mean reward of GRPO, which others do not have. */
export function rewardSeries(drawn: DrawnGroup, smoothing: number): LineSeries | undefined {
  const runs = countedRuns(drawn.group);
  const last = runs.at(-1);
  if (last?.config.reinforce === undefined) return undefined;
  return cached(last, `reward ${smoothing} ${keyOf(drawn, runs)}`, () => {
    const lines = runs.map(({ steps }) => smooth(stepPoints(steps, 'reward'), smoothing, false));
    return seriesOf(drawn, meanLine(lines), runs, (low, high) => formatInterval(low, high, 0));
  });
}

/** Training loss; GRPO minimises none. */
export function lossSeries(drawn: DrawnGroup, smoothing: number, scale: ScaleKind): LineSeries | undefined {
  const runs = countedRuns(drawn.group);
  const last = runs.at(-1);
  if (last === undefined || last.config.reinforce !== undefined) return undefined;
  return cached(last, `loss ${smoothing} ${scale} ${keyOf(drawn, runs)}`, () => {
    const lines = runs.map(({ steps }) => smooth(stepPoints(steps, 'loss'), smoothing, scale === 'log'));
    return { ...seriesOf(drawn, meanLine(lines), runs, (low, high) => `${formatLoss(low)}–${formatLoss(high)}`), breaks: runs.flatMap(({ steps }) => breaksOf(steps, 'loss')) };
  });
}
