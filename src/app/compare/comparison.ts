/** @file One comparison of groups: everything that figures, tables, sentences and the report read. Pure. */
import type { Change } from '../charts/Balance.tsx';
import { cached } from '../charts/cache.ts';
import type { LabRun } from '../runs.ts';
import { comparableGroups, countedRuns, isComparable, type KeptRuns, type RunGroup } from './groups.ts';
import { changeAt, keptAt, matchedLevels, meanPath, paretoFront, type Kept, type Level, type PathPoint, type Place } from './statistics.ts';

/** A group that was measured, with its numbers. */
export interface ComparedGroup {
  readonly group: RunGroup;
  /** The runs that the numbers are taken over. */
  readonly runs: readonly LabRun[];
  /** From the base model to the last checkpoint. */
  readonly path: readonly PathPoint[];
  readonly last: PathPoint;
  /** 95% intervals over items at the last checkpoint. */
  readonly gain: Change;
  readonly change: Change;
}

export interface Comparison {
  /** Ticked groups that can be compared, in their order. */
  readonly groups: readonly ComparedGroup[];
  /** Groups that are not ticked but measured alike: drawn faint. */
  readonly faint: readonly ComparedGroup[];
  readonly levels: readonly Level[];
  /** By group and level. */
  readonly kept: ReadonlyMap<ComparedGroup, readonly Kept[]>;
  /** Over the checkpoints of all ticked groups and the base model. */
  readonly front: readonly Place[];
  /** Ticked groups that were measured on other suites. */
  readonly leftOut: number;
}

/** The numbers of a group; undefined before its first measurement. Computed once for the same runs. */
export function comparedGroup(group: RunGroup): ComparedGroup | undefined {
  const runs = countedRuns(group);
  const [first] = runs;
  if (first === undefined) return undefined;
  // A path belongs to its runs; the newest stands for all of them, because a run is replaced when it changes.
  const path = cached(runs.at(-1)!, `path ${runs.map(({ id }) => id).join()}`, () => meanPath(runs));
  const last = path.at(-1);
  const gain = last && changeAt(runs, last.step, 'inDomain');
  const change = last && changeAt(runs, last.step, 'outOfDomain');
  return last === undefined || last.step === 0 || gain === undefined || change === undefined ? undefined : { group, runs, path, last, gain, change };
}

/** Compares the ticked groups that were measured alike. */
export function compare(groups: readonly RunGroup[], kept: KeptRuns = {}): Comparison {
  const comparable = comparableGroups(groups, kept);
  const compared = comparable.groups.flatMap((group) => comparedGroup(group) ?? []);
  const anchor = compared[0]?.runs[0];
  const faint = groups.flatMap((group) => {
    if (group.visible || anchor === undefined) return [];
    const one = comparedGroup(group);
    return one !== undefined && isComparable(one.runs[0]!, anchor, kept) ? [one] : [];
  });
  const levels = matchedLevels(compared.map(({ path }) => path));
  return {
    groups: compared,
    faint,
    levels,
    kept: new Map(compared.map((one) => [one, levels.map(({ inDomain }) => keptAt(one.runs, inDomain))])),
    front: paretoFront(compared.flatMap(({ path }) => path.map((point): Place => ({ gain: point.gain.mean, change: point.change.mean })))),
    leftOut: comparable.leftOut,
  };
}
