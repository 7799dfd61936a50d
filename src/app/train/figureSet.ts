/** @file What all figures of the Train view have in common: the runs to draw, the end of the axis, the live step. */
import { cached } from '../charts/cache.ts';
import type { Emphasis } from '../charts/series.ts';
import type { LegendEntry } from '../charts/names.ts';
import { runNames } from '../charts/names.ts';
import type { RunConfig, SuiteMeasures } from '../../worker/protocol.ts';
import { formatCount } from '../format.ts';
import { exactMeasures, isLive, type LabRun } from '../runs.ts';
import type { DrawnRun } from './curves.ts';

export interface FigureSet {
  /** In drawing order: the current run last. */
  readonly drawn: readonly DrawnRun[];
  readonly legend: readonly LegendEntry[];
  /** Last step of the longest run. */
  readonly end: number;
  readonly now: { readonly value: number; readonly label: string } | undefined;
  /** Evaluated steps of the current run. */
  readonly checkpoints: readonly number[];
  /** What figures of the suites say before the first evaluation. */
  readonly waiting: string;
  /** What the current run, or the planned one, measures the suites by. */
  readonly measures: SuiteMeasures;
  /** Less than 720 px wide: figures go without names at their ends. */
  readonly narrow: boolean;
}

/** The figures of runs that have been drawn before, without anything that is planned. */
export function figuresOf(drawn: readonly DrawnRun[], narrow: boolean): Pick<FigureSet, 'drawn' | 'legend' | 'end' | 'now' | 'checkpoints' | 'narrow'> {
  return {
    drawn,
    narrow,
    legend: drawn.map(({ run, name }) => ({ name, method: run.config.method })).reverse(),
    end: Math.max(1, ...drawn.map(({ run }) => run.config.steps)),
    now: undefined,
    checkpoints: drawn.at(-1)?.run.evaluations.map(({ step }) => step) ?? [],
  };
}

/** The same object for the same run, name and weight, so that what was computed for it can be kept. */
export const drawnRun = (run: LabRun, name: string, emphasis: Emphasis): DrawnRun =>
  cached(run, `drawn ${name} ${emphasis}`, () => ({ run, name, emphasis }));

/** What has to be done before the first evaluation, with its count; else when that will be. */
function waitingFor(config: RunConfig, current: LabRun | undefined): string {
  const now = current && isLive(current) ? current.phases.find(({ phase }) => phase === current.phase) : undefined;
  if (now && now.done < now.total) {
    const count = `${formatCount(now.done)} of ${formatCount(now.total)}`;
    if (now.phase === 'read-bases') return `Reading kept bases first: ${count}`;
    if (now.phase === 'decompose') return `Decomposing matrices first: ${count}`;
    if (now.phase === 'evaluate-base') return `Measuring the base model: ${count} ${now.unit}`;
  }
  return `First evaluation at step ${formatCount(Math.min(config.evaluateEvery, config.steps))}`;
}

/** The figures of `runs`, the last of which is the current one; before any run, those of the run that `planned` describes. */
export function figureSet(runs: readonly LabRun[], planned: RunConfig, narrow: boolean, plannedMeasures: SuiteMeasures = exactMeasures): FigureSet {
  const names = runNames(runs);
  const current = runs.at(-1);
  const drawn = runs.map((run, index) => drawnRun(run, names[index]!, run === current ? 'current' : 'overlay'));
  const config = current?.config ?? planned;
  const live = current !== undefined && isLive(current);
  return {
    drawn,
    narrow,
    measures: current?.measures ?? plannedMeasures,
    legend: drawn.map(({ run, name }) => ({ name, method: run.config.method })).reverse(),
    end: Math.max(config.steps, ...runs.map((run) => run.config.steps)),
    now:
      live && current.completedSteps > 0
        ? { value: current.completedSteps, label: current.state === 'paused' ? 'paused' : 'now' }
        : undefined,
    checkpoints: current?.evaluations.map((evaluation) => evaluation.step) ?? [],
    waiting: waitingFor(config, current),
  };
}
