/** @file The runs that this browser keeps, beside those of the session: read at the start, annotated, deleted with a way back, and carried as bundles. */
import type { RunId, RunNotes, StoredRun } from '../../worker/protocol.ts';
import { download } from '../export/write.ts';
import { formatCounted } from '../format.ts';
import { lab, sentence } from '../lab.ts';
import { forgetRun } from '../run/control.ts';
import { applyEvents, isLive, runFromSummary, takenUp, type LabRun } from '../runs.ts';
import { selectLiveRun, useLab } from '../store.ts';
import { thinOut } from './drawing.ts';
import type { KeptRun, KeptRuns, RunGroup } from './groups.ts';
import { receiveQueue } from './queue.ts';
import { useCompare } from './state.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds for which a deleted row stays, to be brought back. */
const undoTime = 10_000;

/** A kept run as the page holds it: by its log, with the state that the worker found it in. */
export function storedRun({ summary, events, hasWeights, resumableFrom }: StoredRun): LabRun {
  const run: LabRun = { ...applyEvents(runFromSummary(summary, 0), events, 0), activeMs: (summary.seconds ?? 0) * 1000, paceFrom: undefined, state: summary.state, completedSteps: summary.completedSteps };
  return { ...run, ...(hasWeights || isLive(run) ? {} : { withoutWeights: true }), ...(resumableFrom === undefined ? {} : { resumableFrom }) };
}

const keptPart = ({ notes, environment, bytes, hasWeights }: StoredRun): KeptRun => ({ notes, environment, bytes, hasWeights });

/** Puts kept runs among those of the page, by the time of their start. Those of the session are newer than their log on disk and stay as they are. */
function acceptStored(stored: readonly StoredRun[]): void {
  const hidden = new Set(useCompare.getState().removed.flatMap(({ runs }) => runs.map(({ run }) => run.id)));
  set(({ runs, kept, selectedRun, recording }) => {
    const known = new Set(runs.map(({ id }) => id));
    const added = stored.filter(({ summary: { id } }) => !known.has(id) && !hidden.has(id)).map(storedRun);
    const own = runs.filter(({ recorded }) => !recorded);
    const all = added.length === 0 ? runs : [...own, ...added].toSorted((a, b) => a.startedAt.localeCompare(b.startedAt));
    const replaced = added.length > 0 && own.length < runs.length;
    return {
      runs: all, kept: { ...kept, ...Object.fromEntries(stored.map((run) => [run.summary.id, keptPart(run)])) } satisfies KeptRuns,
      selectedRun: replaced ? undefined : selectedRun, recording: replaced ? { status: 'none' } : recording,
    };
  });
}

/** Reads what the browser keeps of the open model. */
export async function loadStored(): Promise<void> {
  try {
    acceptStored(await lab().storedRuns());
  } catch (error) {
    useCompare.setState({ problem: { title: 'The runs kept in this browser were not read.', message: `${sentence(error)} Those of this session are here.` } });
  }
}

/** Reads kept runs and the queue: of the model that is open now, and of each that is opened after it; and what is kept of a run when it has ended. */
export async function keepStoredRuns(): Promise<void> {
  useLab.subscribe((now, before) => {
    const ended = selectLiveRun(before);
    if (now.model !== before.model && now.model !== undefined) void loadAll();
    else if (ended !== undefined && now.asked !== 'discard' && now.runs.some((run) => run.id === ended.id && !isLive(run))) void loadStored();
  });
  await loadAll();
}

async function loadAll(): Promise<void> {
  useCompare.setState({ reading: true });
  await loadStored();
  thinOut();
  useCompare.setState({ reading: false });
  try {
    receiveQueue(await lab().queue(), performance.now());
  } catch (error) {
    useCompare.setState({ problem: { title: 'The queue was not read.', message: sentence(error) } });
  }
}

/** Takes up a run that was interrupted or stopped, from its last checkpoint. */
export async function goOn(run: LabRun): Promise<void> {
  const put = (change: LabRun): void => set(({ runs }) => ({ runs: runs.map((other) => (other.id === run.id ? change : other)) }));
  put(takenUp(run, performance.now()));
  set({ selectedRun: run.id, runProblem: undefined });
  try {
    await lab().resumeRun(run.id);
  } catch (error) {
    put(run);
    useCompare.setState({ problem: { title: 'The run does not go on.', message: sentence(error) } });
    set({ runProblem: sentence(error) });
  }
}

/** Changes what a person has added to the runs of a group. */
export async function annotate({ runs }: Pick<RunGroup, 'runs'>, change: Partial<RunNotes>): Promise<void> {
  for (const { id, recorded } of runs) {
    if (recorded) continue;
    const before = get().kept[id];
    if (before === undefined) continue;
    const { name, ...notes } = { ...before.notes, ...change };
    const clean: RunNotes = name === undefined || name === '' ? notes : { ...notes, name };
    set(({ kept }) => ({ kept: { ...kept, [id]: { ...before, notes: clean } } }));
    try {
      await lab().annotateRun(id, clean);
    } catch (error) {
      set(({ kept }) => ({ kept: { ...kept, [id]: before } }));
      useCompare.setState({ problem: { title: 'The note was not kept.', message: sentence(error) } });
      return;
    }
  }
}

/** Deletes the ended runs of a group; for ten seconds they can come back. */
export async function deleteGroup({ id, name, runs }: RunGroup): Promise<void> {
  const ended = runs.filter((run) => !isLive(run));
  const { kept } = get();
  useCompare.setState(({ removed, opened }) => ({ removed: [...removed, { id, name, runs: ended.map((run) => ({ run, kept: kept[run.id] })) }], opened: opened === id ? undefined : opened }));
  try {
    for (const run of ended) {
      if (!run.recorded) await lab().removeRun(run.id);
      forgetRun(run.id);
    }
  } catch (error) {
    useCompare.setState(({ removed }) => ({ removed: removed.filter((other) => other.id !== id), problem: { title: `${name} was not deleted.`, message: sentence(error) } }));
    return;
  }
  setTimeout(() => void settleRemoved(id), undoTime);
}

/** The time to bring a row back is over; files go once no other row waits for it. */
async function settleRemoved(id: string): Promise<void> {
  if (!useCompare.getState().removed.some((group) => group.id === id)) return;
  useCompare.setState(({ removed }) => ({ removed: removed.filter((group) => group.id !== id) }));
  if (useCompare.getState().removed.length === 0) await lab().purgeRemoved().catch(() => undefined);
}

/** Brings a deleted group back. */
export async function undoDelete(id: string): Promise<void> {
  const group = useCompare.getState().removed.find((other) => other.id === id);
  if (group === undefined) return;
  useCompare.setState(({ removed }) => ({ removed: removed.filter((other) => other.id !== id) }));
  try {
    for (const { run } of group.runs) {
      if (run.recorded) set(({ runs }) => ({ runs: [...runs, run] }));
      else acceptStored([await lab().restoreRun(run.id)]);
    }
  } catch (error) {
    useCompare.setState({ problem: { title: `${group.name} did not come back.`, message: sentence(error) } });
  }
}

/** Runs a task that writes or reads files, and says what went wrong. */
export async function withFiles(working: 'bundle' | 'import' | 'report', title: string, task: () => Promise<string>): Promise<void> {
  useCompare.setState({ working, problem: undefined, notice: undefined });
  try {
    useCompare.setState({ notice: await task() });
  } catch (error) {
    useCompare.setState({ problem: { title, message: sentence(error) } });
  } finally {
    useCompare.setState({ working: undefined });
  }
}

/** Saves runs as one zip. */
export const saveBundle = (ids: readonly RunId[], withWeights: boolean): Promise<void> =>
  withFiles('bundle', 'The bundle was not written.', async () => {
    const file = await lab().exportBundle(ids, withWeights);
    download(file, file.name);
    return `${formatCounted(ids.length, 'run')} saved in ${file.name}.`;
  });

/** Adds the runs of a bundle. */
export const openBundle = (file: File): Promise<void> =>
  withFiles('import', `${file.name} was not opened.`, async () => {
    const stored = await lab().importBundle(file);
    acceptStored(stored);
    const thinned = thinOut() ? ' Drawn are the best setting of each method; tick others in the table.' : '';
    return `${formatCounted(stored.length, 'run')} from ${file.name}.${thinned}`;
  });
