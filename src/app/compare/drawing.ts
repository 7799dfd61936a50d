/** @file Which groups are ticked: all, or the best setting of each method where all of them together would be a thicket. */
import { familyOf } from '../charts/names.ts';
import type { RunId } from '../../worker/protocol.ts';
import { useLab } from '../store.ts';
import { compare, type ComparedGroup, type Comparison } from './comparison.ts';
import { groupRuns, type KeptRuns, type RunGroup } from './groups.ts';

const { setState: set, getState: get } = useLab;

/** More groups than this, and their lines and names no longer come apart. */
export const MOST_DRAWN = 12;

const ticked = (groups: readonly RunGroup[]): readonly RunGroup[] => groups.map((group) => ({ ...group, visible: true }));

/**
 * What a group keeps where in-domain first reaches half of the best gain: with several seeds before any with one, which is taken for a trial. Below those,
 * by its last gain, a group that never gets there.
 */
function standing(one: ComparedGroup, { kept }: Comparison): number {
  const { value, of } = kept.get(one)?.[0] ?? {};
  return value === undefined ? one.last.gain.mean - 2 : value.mean + (of === 1 ? 0 : 1);
}

/** Of each method the group that stands best, and the pinned ones. */
export function bestOfEachMethod(groups: readonly RunGroup[], kept: KeptRuns): readonly RunGroup[] {
  const comparison = compare(ticked(groups), kept);
  const best = new Map<string, ComparedGroup>();
  for (const one of comparison.groups) {
    const family = familyOf(one.group.config);
    const before = best.get(family);
    if (before === undefined || standing(one, comparison) > standing(before, comparison)) best.set(family, one);
  }
  const chosen = new Set([...best.values()].map(({ group }) => group.id));
  return groups.filter(({ id, pinned }) => pinned || chosen.has(id));
}

/** Ticks these groups and no other. */
export function drawOnly(groups: readonly RunGroup[]): void {
  const ids: ReadonlySet<RunId> = new Set(groups.flatMap(({ runs }) => runs.map(({ id }) => id)));
  set(({ runs }) => ({ runs: runs.map((run) => (run.visible === ids.has(run.id) ? run : { ...run, visible: ids.has(run.id) })) }));
}

/** After many runs have come at once: ticks the best of each method if all would be too many. Whether it did. */
export function thinOut(): boolean {
  const { runs, kept } = get();
  const groups = groupRuns(runs, [], kept);
  if (groups.filter(({ visible }) => visible).length <= MOST_DRAWN) return false;
  const best = bestOfEachMethod(groups, kept);
  if (best.length === 0) return false;
  drawOnly(best);
  return true;
}
