/** @file Opens models from the page, from files and from the Hub, and keeps the cache in order. The open model stays until another one is open. */
import type { KeptBases, KeptFile, ModelSummary, NamedFile, Opened, StorageReport } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { byRole } from '../data/importing.ts';
import { formatBytes } from '../format.ts';
import { lab, sentence } from '../lab.ts';
import { configForModel, memoryForModel } from '../method/defaults.ts';
import { supervised } from '../method/reinforce.ts';
import { applyEvents, hasWeights, isLive, runFromSummary, type LabRun } from '../runs.ts';
import { initialState, selectLiveRun, useLab, type HubForm, type LabState, type ModelRequest, type Opening } from '../store.ts';
import { goesOnto, nameOfFiles } from './dropped.ts';
import { parseHubName } from './hubName.ts';

const { setState: set, getState: get } = useLab;

/** What is being opened, as sentences name it. */
export function originName({ origin }: ModelRequest, model: ModelSummary | undefined): string {
  switch (origin.kind) {
    case 'built-in':
      return 'The built-in model';
    case 'files':
      return origin.name;
    case 'hub':
      return origin.request.repo;
    case 'precision':
      return model?.name ?? 'The model';
  }
}

/** Runs of the open model that have ended; those that are kept come back with it. */
const runsOfModel = (runs: readonly LabRun[]): readonly LabRun[] => runs.filter((run) => !run.recorded && !isLive(run));

/** Runs that the browser could not keep, which another model lets go. */
export const runsToLose = ({ runs, kept }: Pick<LabState, 'runs' | 'kept'>): readonly LabRun[] => runsOfModel(runs).filter((run) => hasWeights(run) && (kept[run.id]?.bytes ?? 0) === 0);

/** "RPSFT and SFT". */
export const namesOfRuns = (runs: readonly LabRun[]): string => new Intl.ListFormat('en-GB').format(runNames(runs));

/** Opens a model, or asks first where that lets runs go that could not be kept. */
export async function requestModel(request: ModelRequest): Promise<void> {
  const { origin } = request;
  const leavesRuns = origin.kind === 'files' && (await goesOnto(origin.files, get().model?.name));
  if (get().opening !== undefined) return;
  if (selectLiveRun(get()) !== undefined) {
    const message = 'A run is going on, and it trains the open model.';
    set({ station: 'model', modelProblem: { title: `${originName(request, get().model)} was not opened`, message, stillHolds: 'Stop the run or let it finish, then try again.', retry: request } });
  } else if (!leavesRuns && runsToLose(get()).length > 0) {
    set({ station: 'model', confirming: request, modelProblem: undefined });
  } else {
    await openModel(request);
  }
}

/** Opens files that were dropped or chosen. */
export const openFiles = (files: readonly NamedFile[]): Promise<void> =>
  requestModel({ origin: { kind: 'files', name: nameOfFiles(files.map(({ path }) => path)), files }, precision: get().model?.precision ?? 'f32' });

function ask({ origin, precision }: ModelRequest): Promise<Opened> {
  switch (origin.kind) {
    case 'built-in':
      return lab().openBuiltIn();
    case 'files':
      return lab().openFiles(origin.files, precision);
    case 'hub':
      return lab().openHub(origin.request, precision);
    case 'precision':
      return lab().setPrecision(precision);
  }
}

/** Opens a model without asking; what goes wrong is said in the Model station. */
export async function openModel(request: ModelRequest): Promise<void> {
  const { origin } = request;
  set(({ hubAsked }) => ({
    opening: { ...request, progress: undefined, cancelling: false }, confirming: undefined, modelProblem: undefined, modelNotice: undefined, station: 'model',
    hubAsked: hubAsked || origin.kind === 'hub',
  }));
  try {
    acceptModel(await ask(request));
  } catch (error) {
    refuse(request, sentence(error));
  } finally {
    set({ opening: undefined });
  }
  if (origin.kind === 'hub' || origin.kind === 'files') await refreshStorage();
}

const isSame = (before: ModelSummary | undefined, now: ModelSummary): boolean =>
  before?.name === now.name && before.revision === now.revision && before.source === now.source && before.precision === now.precision;

/** Puts what was opened into the store: a run beside those of the open model, or another model in its place. */
export function acceptModel(opened: Opened): void {
  const { model, datasets, run, events = [], notice } = opened;
  const added = run === undefined ? [] : [{ ...applyEvents(runFromSummary(run, performance.now()), events, performance.now()), state: run.state, completedSteps: run.completedSteps }];
  const data = {
    datasets: byRole(datasets), fileProblem: undefined,
    ...(notice?.data === undefined ? {} : { importNotice: notice.data, station: 'data' as const }),
    ...(notice?.model === undefined ? {} : { modelNotice: notice.model, station: 'model' as const }),
  };
  set((state): Partial<LabState> => {
    const shown = added.length === 0 ? {} : { selectedRun: added[0]?.id, station: 'run' as const };
    if (run !== undefined && isSame(state.model, model)) {
      return { ...data, model, ...shown, runs: [...state.runs.filter((other) => !other.recorded), ...added], recording: { status: 'none' } };
    }
    // A recorded run is one of the built-in model.
    const recorded = model.source === 'built-in' && added.length === 0 ? state.runs.filter((other) => other.recorded) : [];
    return {
      ...data, model, memory: memoryForModel(state.memory, state.model, model), config: configForModel(supervised(state.config, state.model), state.model, model),
      runs: [...recorded, ...added], selectedRun: recorded.length > 0 ? state.selectedRun : undefined, ...(recorded.length > 0 ? {} : { recording: { status: 'none' } }),
      estimate: undefined, fitCheck: undefined, exported: undefined, evaluation: initialState.evaluation, probes: initialState.probes, playground: { ...initialState.playground, sampling: state.playground.sampling }, ...shown,
    };
  });
}

/** Bytes that had come when a download was cancelled. */
const came = ({ progress }: Opening): string => (progress?.phase === 'download' ? `${formatBytes(progress.done)} of ${formatBytes(progress.total)} came and stay in the cache: the next try goes on from there.` : 'What had come stays in the cache.');

function refuse(request: ModelRequest, message: string): void {
  const { opening, model } = get();
  const stillHolds = model === undefined ? '' : `${model.name} is still open${runsOfModel(get().runs).length > 0 ? ', with its runs' : ''}.`;
  if (opening?.cancelling === true) {
    set({ modelNotice: `Cancelled. ${opening.origin.kind === 'hub' ? `${came(opening)} ` : ''}${stillHolds}` });
    return;
  }
  const partial = request.origin.kind === 'hub' ? ' What was downloaded stays in the cache.' : '';
  set({ modelProblem: { title: `${originName(request, model)} was not opened`, message, stillHolds: stillHolds + partial, retry: request } });
}

/** Ends the opening that is going on; what was downloaded stays for the next time. */
export async function cancelOpening(): Promise<void> {
  set(({ opening }) => ({ opening: opening && { ...opening, cancelling: true } }));
  await lab().cancelOpening();
}

/** Changes the form of the Hub; what was found belongs to what was written before. */
export const editHub = (change: Partial<Pick<HubForm, 'name' | 'revision'>>): void => set(({ hub }) => ({ hub: { ...hub, ...change, found: undefined } }));

/** Asks the Hub what downloading would mean. Downloads nothing large. */
export async function lookUp(): Promise<void> {
  const { name, revision, looking } = get().hub;
  if (looking) return;
  const request = parseHubName(name, revision);
  if ('problem' in request) {
    set({ modelProblem: { title: 'This name cannot be looked up', message: request.problem, stillHolds: '', retry: undefined } });
    return;
  }
  set(({ hub }) => ({ hub: { ...hub, name: request.host === undefined ? request.repo : name, revision: request.revision, looking: true, found: undefined }, hubAsked: true, modelProblem: undefined, modelNotice: undefined }));
  try {
    const info = await lab().hubInfo(request);
    set(({ hub }) => ({ hub: { ...hub, found: { request, info } }, storage: info.storage }));
  } catch (error) {
    const stillHolds = get().model === undefined ? '' : 'Nothing was downloaded; the open model is as it was.';
    set({ modelProblem: { title: `${request.repo} could not be looked up`, message: sentence(error), stillHolds, retry: undefined } });
  } finally {
    set(({ hub }) => ({ hub: { ...hub, looking: false } }));
  }
}

/** Takes a new look at the cache, and corrects what of the model that was looked up lies in it. */
function acceptStorage(storage: StorageReport): void {
  set(({ hub }) => {
    const cached = storage.models.find(({ repo, commit }) => repo === hub.found?.info.repo && commit === hub.found.info.commit)?.bytes ?? 0;
    return { storage, hub: hub.found === undefined ? hub : { ...hub, found: { ...hub.found, info: { ...hub.found.info, storage, cachedBytes: Math.min(cached, hub.found.info.bytes) } } } };
  });
}

const cacheProblem = (error: unknown): void =>
  set({ modelProblem: { title: 'The cache of this browser did not answer', message: sentence(error), stillHolds: 'Models that are open stay open.', retry: undefined } });

export async function refreshStorage(): Promise<void> {
  try {
    acceptStorage(await lab().storage());
    set({ keptFiles: await lab().keptFiles(), keptBases: await lab().keptBases() });
  } catch (error) {
    cacheProblem(error);
  }
}

/** Removes one model from the cache, or all; the open one stays open. */
export async function removeCached(key: string): Promise<void> {
  try {
    acceptStorage(await lab().removeCached(key));
  } catch (error) {
    cacheProblem(error);
  }
}

/** Deletes data or a model from files that the browser keeps. */
export async function forgetFile({ key, name }: KeptFile): Promise<void> {
  try {
    set({ keptFiles: await lab().forgetFile(key) });
    acceptStorage(await lab().storage());
  } catch (error) {
    set({ modelProblem: { title: `${name} was not deleted`, message: sentence(error), stillHolds: '', retry: undefined } });
  }
}

/** Deletes singular bases that the browser keeps; a run that works in them goes on. */
export async function forgetBases({ key, name }: KeptBases): Promise<void> {
  try {
    set({ keptBases: await lab().forgetBases(key) });
    acceptStorage(await lab().storage());
  } catch (error) {
    set({ modelProblem: { title: `The bases of ${name} were not deleted`, message: sentence(error), stillHolds: '', retry: undefined } });
  }
}
