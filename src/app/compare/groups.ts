/**
 * @file Runs that differ in nothing but their seed are one group: what the comparison draws, names and ranks. Which settings a method uses is
 * asked here only. Pure functions of runs, for the page, the report and the study.
 */
import type { QueuedRun, RunConfig, RunId, RunNotes, StoredRun } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { isIdle } from '../method/fields.ts';
import { isAccuracy } from '../results.ts';
import { isLive, type LabRun } from '../runs.ts';

/** What this browser keeps beside the log of a run. */
export type KeptRun = Pick<StoredRun, 'notes' | 'environment' | 'bytes' | 'hasWeights'>;

export type KeptRuns = Readonly<Record<RunId, KeptRun>>;

/** Runs of the same settings and data, one a seed. */
export interface RunGroup {
  /** Its settings as text: the same for the same settings. */
  readonly id: string;
  /** Given by a person, else what tells it from the other groups. */
  readonly name: string;
  readonly config: RunConfig;
  /** In the order of their start; empty while it only waits in the queue. */
  readonly runs: readonly LabRun[];
  readonly queued: readonly QueuedRun[];
  readonly tags: readonly string[];
  readonly pinned: boolean;
  /** Ticked: drawn with its label and part of the findings. */
  readonly visible: boolean;
}

export const noNotes: RunNotes = { tags: [], pinned: false };

/** The settings that had an effect, without the seed and what only watches the run, as text. */
export function settingsKey(config: RunConfig): string {
  const effective = Object.entries(config).filter(([key]) => key !== 'seed' && key !== 'follow' && !isIdle(key, config));
  return JSON.stringify(effective.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The setting of a run. What it starts from counts by its setting too, so that seeds may each go on from a run of their own. */
function originKey(config: RunConfig, runs: ReadonlyMap<RunId, LabRun>): string {
  const { startFrom, ...rest } = config;
  const start = startFrom === undefined ? undefined : runs.get(startFrom);
  return start === undefined ? settingsKey(config) : [settingsKey(rest), start.completedSteps, originKey(start.config, runs)].join(' from ');
}

/** A setting and its data; a run of which only the files are known stands alone. */
const groupKey = ({ config, model, dataset, importedFrom, recorded }: LabRun, runs: ReadonlyMap<RunId, LabRun>): string => [originKey(config, runs), model, dataset, importedFrom ?? '', recorded].join('\n');

/** Runs and waiting runs by setting, in the order of their first one. A waiting run joins the runs that share its setting and its data. */
export function groupRuns(runs: readonly LabRun[], queued: readonly QueuedRun[] = [], kept: KeptRuns = {}): readonly RunGroup[] {
  const groups = new Map<string, { config: RunConfig; dataset: string; runs: LabRun[]; queued: QueuedRun[] }>();
  const byId = new Map(runs.map((run) => [run.id, run]));
  for (const run of runs) {
    const key = groupKey(run, byId);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { config: run.config, dataset: run.dataset, runs: [run], queued: [] });
    else group.runs.push(run);
  }
  for (const item of queued) {
    const key = originKey(item.config, byId);
    const group = [...groups.values()].findLast(({ config, dataset, runs: [first] }) => first?.recorded !== true && dataset === item.dataset && originKey(config, byId) === key);
    if (group === undefined) groups.set(`${key}\n${item.dataset}`, { config: item.config, dataset: item.dataset, runs: [], queued: [item] });
    else group.queued.push(item);
  }
  const entries = [...groups];
  const names = runNames(entries.map(([, { config, runs: of, runs: [first] }]) => ({ config: { ...config, seed: 0 }, importedFrom: first?.importedFrom, ids: of.map(({ id }) => id) })));
  return entries.map(([id, group], index): RunGroup => {
    const notes = group.runs.map((run) => kept[run.id]?.notes ?? noNotes);
    return {
      ...group,
      id,
      name: notes.find(({ name }) => name !== undefined)?.name ?? names[index]!,
      tags: [...new Set(notes.flatMap(({ tags }) => tags))],
      pinned: notes.some(({ pinned }) => pinned),
      visible: group.runs.length === 0 || group.runs.some(({ visible }) => visible),
    };
  });
}

const isMeasured = ({ evaluations }: LabRun): boolean => evaluations.some(({ step }) => step === 0) && (evaluations.at(-1)?.step ?? 0) > 0;

/**
 * The runs of a group that its numbers are taken over: those that finished; for want of any those that were stopped, and then the one that goes on.
 * A failed run measured nothing that can be set beside a finished one.
 */
export function countedRuns({ runs }: Pick<RunGroup, 'runs'>): readonly LabRun[] {
  const measured = runs.filter(isMeasured);
  for (const states of [['finished'], ['stopped'], ['preparing', 'running', 'paused']]) {
    const found = measured.filter(({ state }) => states.includes(state));
    if (found.length > 0) return found;
  }
  return [];
}

export const liveRunOf = ({ runs }: Pick<RunGroup, 'runs'>): LabRun | undefined => runs.find(isLive);

/** The items of both suites that the base model was measured on, which a comparison has to share. */
const suiteSizes = ({ evaluations }: LabRun): string => {
  const base = evaluations.find(({ step }) => step === 0);
  return `${base?.inDomain.items}/${base?.outOfDomain.items}`;
};

/** Hashes of the suites, not of the training data; undefined where none are known. */
function suiteHashes(run: LabRun, kept: KeptRuns): string | undefined {
  const hashes = kept[run.id]?.environment.dataHashes;
  return hashes && Object.entries(hashes).filter(([name]) => name !== run.dataset && name !== 'train').map((entry) => entry.join()).toSorted().join('\n');
}

/** Both runs were measured on the same suites of the same model, as far as is known: a run that goes on may have no hashes yet. */
export function isComparable(run: LabRun, anchor: LabRun, kept: KeptRuns = {}): boolean {
  const [own, theirs] = [suiteHashes(run, kept), suiteHashes(anchor, kept)];
  const sameSuites = own === undefined || theirs === undefined || own === theirs;
  return sameSuites && run.model === anchor.model && suiteSizes(run) === suiteSizes(anchor) && isAccuracy(run.measures.inDomain) && isAccuracy(run.measures.outOfDomain);
}

/** Groups that can be compared with each other, and how many of the ticked ones cannot: those measured as most of the latest ones are. */
export function comparableGroups(groups: readonly RunGroup[], kept: KeptRuns = {}): { readonly groups: readonly RunGroup[]; readonly leftOut: number } {
  const measured = groups.filter((group) => group.visible && countedRuns(group).length > 0);
  const around = (anchor: RunGroup): readonly RunGroup[] => measured.filter((group) => isComparable(countedRuns(group)[0]!, countedRuns(anchor)[0]!, kept));
  const largest = measured.map(around).reduce<readonly RunGroup[]>((most, some) => (some.length >= most.length ? some : most), []);
  return { groups: largest, leftOut: measured.length - largest.length };
}
