/**
 * @file The statistics of a comparison: paths averaged over seeds, what is kept out-of-domain at equal in-domain gain, and the Pareto front. Pure
 * functions of evaluations, shared by page, report and study. Accuracies and their differences are fractions throughout.
 */
import type { Accuracy, Evaluation } from '../../worker/protocol.ts';
import type { Change } from '../charts/Balance.tsx';
import { pathOf } from '../runs.ts';
import { changeBetween, outOfDomainAt } from '../train/findings.ts';

/** All that the statistics need of a run: its evaluations by step, the base model's first, and where it starts if that is elsewhere. */
export interface Measured {
  readonly evaluations: readonly Evaluation[];
  /** Of the run that it starts from. */
  readonly start?: Evaluation;
}

/** Mean and range over seeds. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** A checkpoint of a group: its place in the plane of gain and forgetting. */
export interface PathPoint {
  readonly step: number;
  readonly inDomain: Spread;
  readonly outOfDomain: Spread;
  /** In-domain accuracy less the base model's. */
  readonly gain: Spread;
  /** Out-of-domain accuracy less the base model's. */
  readonly change: Spread;
}

/** A place in that plane. */
export interface Place {
  readonly gain: number;
  readonly change: number;
}

/** Out-of-domain accuracy where a group first reaches an in-domain accuracy. */
export interface Kept {
  /** Seeds that reach it, of all. */
  readonly reached: number;
  readonly of: number;
  /** Over the seeds that reach it; undefined when none does. */
  readonly value: Spread | undefined;
}

/** An in-domain accuracy at which groups are compared. */
export interface Level {
  /** Of the best gain. */
  readonly share: number;
  readonly inDomain: number;
}

/** Shares of the best gain at which what is kept is compared. */
export const levelShares = [0.5, 0.8, 0.9] as const;

const share = ({ correct, items }: Accuracy): number => (items === 0 ? 0 : correct / items);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and range of at least one value. */
export const spreadOf = (values: readonly number[]): Spread => ({ mean: mean(values), low: Math.min(...values), high: Math.max(...values), count: values.length });

/** The checkpoints that all runs of a group have, from where they start, averaged over them. Each run is read against its own base model. */
export function meanPath(runs: readonly Measured[]): readonly PathPoint[] {
  const [first, ...others] = runs;
  if (first === undefined) return [];
  const bases = runs.map(({ evaluations }) => evaluations.find(({ step }) => step === 0));
  return first.evaluations.flatMap(({ step }): PathPoint[] => {
    const here = [first, ...others].map((run) => pathOf(run).find((evaluation) => evaluation.step === step));
    const pairs = here.flatMap((evaluation, index) => {
      const base = bases[index];
      return evaluation === undefined || base === undefined ? [] : [{ evaluation, base }];
    });
    if (pairs.length < runs.length) return [];
    const over = (value: (pair: (typeof pairs)[number]) => number): Spread => spreadOf(pairs.map(value));
    return [
      {
        step,
        inDomain: over(({ evaluation }) => share(evaluation.inDomain)),
        outOfDomain: over(({ evaluation }) => share(evaluation.outOfDomain)),
        gain: over(({ evaluation, base }) => share(evaluation.inDomain) - share(base.inDomain)),
        change: over(({ evaluation, base }) => share(evaluation.outOfDomain) - share(base.outOfDomain)),
      },
    ];
  });
}

/**
 * Accuracy of a suite averaged over runs that share its items. Its interval is the mean of theirs, which is that of one run: more seeds do not add items.
 */
export function meanAccuracy(accuracies: readonly Accuracy[]): Accuracy {
  const over = (value: (accuracy: Accuracy) => number): number => mean(accuracies.map(value));
  return { correct: over(({ correct }) => correct), items: over(({ items }) => items), low: over(({ low }) => low), high: over(({ high }) => high) };
}

/** Change from the base model to a step, with its 95% interval over items; of runs that all have the step. */
export function changeAt(runs: readonly Measured[], step: number, suite: 'inDomain' | 'outOfDomain'): Change | undefined {
  const at = (wanted: number): readonly Accuracy[] => runs.flatMap(({ evaluations }) => evaluations.filter((evaluation) => evaluation.step === wanted).map((evaluation) => evaluation[suite]));
  const [before, after] = [at(0), at(step)];
  return before.length === 0 || after.length === 0 ? undefined : changeBetween(meanAccuracy(before), meanAccuracy(after));
}

/**
 * In-domain accuracies at `levelShares` of the best gain, over the accuracy of the base model. The best gain is that of the last checkpoints, which are
 * measured on all items: the best of many small measurements would be luck in part. None when no path gained.
 */
export function matchedLevels(paths: readonly (readonly PathPoint[])[]): readonly Level[] {
  const ends = paths.flatMap((path) => path.at(-1) ?? []);
  const best = ends.reduce<PathPoint | undefined>((most, end) => (most === undefined || end.gain.mean > most.gain.mean ? end : most), undefined);
  if (best === undefined || best.gain.mean <= 0) return [];
  const base = best.inDomain.mean - best.gain.mean;
  return levelShares.map((part) => ({ share: part, inDomain: base + part * best.gain.mean }));
}

/** What each seed keeps out-of-domain where it first reaches `inDomain`, interpolated linearly between checkpoints. */
export function keptAt(runs: readonly Measured[], inDomain: number): Kept {
  const values = runs.flatMap((run) => outOfDomainAt(run, inDomain)?.share ?? []);
  return { reached: values.length, of: runs.length, value: values.length === 0 ? undefined : spreadOf(values) };
}

/** Every seed gets there, and there are two or more: what a range can be taken from. */
export const hasRange = ({ reached, of }: Kept): boolean => reached === of && of >= 2;

/** `up` or `down` when the ranges over seeds are apart; undefined when they overlap or a side has no range. */
export function verdict(kept: Kept, reference: Kept): 'up' | 'down' | undefined {
  if (!hasRange(kept) || !hasRange(reference) || kept.value === undefined || reference.value === undefined) return undefined;
  if (kept.value.low > reference.value.high) return 'up';
  return kept.value.high < reference.value.low ? 'down' : undefined;
}

/** The places that none beats in gain and in change, by rising gain; of equal ones the first. */
export function paretoFront<Point extends Place>(points: readonly Point[]): readonly Point[] {
  const front: Point[] = [];
  for (const point of points.toSorted((a, b) => b.gain - a.gain || b.change - a.change)) {
    const last = front.at(-1);
    if (last === undefined || point.change > last.change) front.push(point);
  }
  return front.reverse();
}
