/** @file Accuracy by group of the out-of-domain suite: what changed in each, the largest loss first. */
import type { Accuracy } from '../../worker/protocol.ts';
import type { Change } from '../charts/Balance.tsx';
import type { LabRun } from '../runs.ts';
import { changeBetween, firstAndLast } from './findings.ts';

export interface GroupChange {
  readonly group: string;
  readonly before: Accuracy;
  readonly after: Accuracy;
  readonly change: Change;
}

/** Groups that both evaluations have, by change. */
export function groupChanges(run: LabRun): readonly GroupChange[] {
  const ends = firstAndLast(run);
  if (!ends) return [];
  const before = new Map(ends.base.groups.map((accuracy) => [accuracy.group, accuracy]));
  return ends.last.groups
    .flatMap((after) => {
      const base = before.get(after.group);
      return base && base.items > 0 && after.items > 0
        ? [{ group: after.group, before: base, after, change: changeBetween(base, after) }]
        : [];
    })
    .sort((a, b) => a.change.value - b.change.value);
}
