/**
 * @file The page's end of the worker protocol: connects, turns clicks into requests and puts what the worker reports into the store.
 * Streamed events are collected and applied at most four times a second, so that training never waits for a figure to be drawn.
 */
import { transfer } from 'comlink';
import type { DatasetColumns } from '../data/mapping.ts';
import type { DatasetRole, DatasetSummary, ExportResult, ImportResult, LabApi, LabEvent, PreviewRow, RunId, SamplingOptions, StreamEvent } from '../worker/protocol.ts';
import { checkConfig } from './method/fields.ts';
import { applyEvents, isLive, runFromSummary } from './runs.ts';
import { selectLiveRun, useLab } from './store.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds between two updates of the page from streamed events. */
const eventInterval = 250;
/** Milliseconds without an edit before the estimate is asked for again. */
const estimateDelay = 300;

let engine: LabApi | undefined;

function lab(): LabApi {
  if (engine === undefined) throw new Error('The engine has not been started.');
  return engine;
}

/** An error as a sentence for a person: the worker words them so already. */
const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Connects the page to an engine and loads the built-in model; what goes wrong ends up in the store. */
export async function connectLab(startedEngine: LabApi): Promise<void> {
  engine = startedEngine;
  const events = new MessageChannel();
  collectEvents(events.port1);
  try {
    const diagnosis = await engine.connect(transfer(events.port2, [events.port2]));
    if (diagnosis.problem !== undefined) {
      set({ diagnosis, connection: 'unavailable' });
      return;
    }
    set({ diagnosis, connection: 'loading' });
    const { model, datasets } = await engine.openBuiltIn();
    set({ model, datasets: byRole(datasets), loading: undefined, connection: 'ready' });
  } catch (error) {
    failConnection(sentence(error));
    return;
  }
  keepEstimateCurrent();
}

/** The engine cannot be used, said on the page that also explains a missing adapter; or, once it has worked, an error that it did not expect. */
export const failConnection = (message: string): void =>
  set(get().connection === 'ready' ? { deviceProblem: message, station: 'run' } : { connection: 'failed', connectionMessage: message });

const byRole = (datasets: readonly DatasetSummary[]): Partial<Record<DatasetRole, DatasetSummary>> =>
  Object.fromEntries(datasets.map((dataset) => [dataset.role, dataset]));

// Streamed events

function collectEvents(port: MessagePort): void {
  let waiting: LabEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    waiting = receiveEvents(waiting, performance.now());
  };
  port.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    waiting.push(data);
    timer ??= setTimeout(flush, eventInterval);
  };
}

/**
 * Puts events into the store. Returns those of a run that is just being started and not known yet, to be tried again with the next ones;
 * those of a run that has been removed are dropped.
 */
export function receiveEvents(events: readonly LabEvent[], at: number): LabEvent[] {
  const ofRun = (id: RunId): readonly LabEvent[] => events.filter((event) => 'run' in event && event.run === id);
  for (const event of events) {
    if (event.type === 'device') set({ deviceProblem: event.message });
    if (event.type === 'phase' && event.run === undefined) set({ loading: event });
  }
  set(({ runs }) => ({
    runs: runs.map((run) => {
      const own = ofRun(run.id);
      return own.length === 0 ? run : applyEvents(run, own, at);
    }),
  }));
  const { runs, starting } = get();
  const isUnknown = (event: LabEvent): boolean => 'run' in event && event.run !== undefined && !runs.some((run) => run.id === event.run);
  return starting ? events.filter(isUnknown) : [];
}

// Estimate

let lastEstimate = 0;

/** Asks for memory and time of the run being edited; probes for the time where the worker does not know it yet. */
export async function refreshEstimate(): Promise<void> {
  const { config, model, connection } = get();
  if (connection !== 'ready' || Object.keys(checkConfig(config, model?.contextLength)).length > 0) return;
  const request = ++lastEstimate;
  set({ estimating: true });
  try {
    let estimate = await lab().estimate(config, false);
    if (request === lastEstimate) set({ estimate });
    const busy = get().starting || selectLiveRun(get()) !== undefined;
    if (request === lastEstimate && estimate.seconds === undefined && !busy) {
      estimate = await lab().estimate(config, true);
      if (request === lastEstimate) set({ estimate });
    }
  } catch (error) {
    if (request === lastEstimate) set({ runProblem: sentence(error) });
  } finally {
    if (request === lastEstimate) set({ estimating: false });
  }
}

/** Counts the datasets again for another longest row. */
async function recount(): Promise<void> {
  const { datasets, config, model } = get();
  if (checkConfig(config, model?.contextLength).maxLength !== undefined) return;
  for (const { role, mapping } of Object.values(datasets)) await changeMapping(role, mapping);
}

/** Asks again after edits; events of a run change neither the edited run nor the data. */
function keepEstimateCurrent(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let countedFor = get().config.maxLength;
  useLab.subscribe((now, before) => {
    const ended = selectLiveRun(before) !== undefined && selectLiveRun(now) === undefined;
    if (now.config === before.config && now.datasets === before.datasets && !(ended && now.estimate?.seconds === undefined)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { maxLength } = get().config;
      if (maxLength !== countedFor) void recount();
      countedFor = maxLength;
      void refreshEstimate();
    }, estimateDelay);
  });
  void refreshEstimate();
}

// Runs

/** Why the run being edited cannot start now; undefined when it can. */
export function startObstacle(): string | undefined {
  const { connection, config, model, starting, datasets } = get();
  if (connection === 'connecting' || connection === 'loading') return 'The model is still loading.';
  if (connection !== 'ready') return 'Training needs a graphics adapter.';
  if (starting || selectLiveRun(get()) !== undefined) return 'A run is going on.';
  if (datasets.train === undefined) return 'There is no training data yet.';
  if (datasets.train.trainedTokens === 0) return 'Every label is masked. No token of these rows would be trained.';
  const [problem] = Object.values(checkConfig(config, model?.contextLength));
  return problem === undefined ? undefined : `A value in Method is out of its range. ${problem}.`;
}

/** Starts the run being edited and shows it. */
export async function startRun(): Promise<void> {
  if (startObstacle() !== undefined) return;
  set({ starting: true, runProblem: undefined, deviceProblem: undefined, station: 'run', tab: 'train', sheet: undefined });
  try {
    const summary = await lab().start(get().config);
    const run = runFromSummary(summary, performance.now());
    // A recorded run was there to show what a run looks like; from here on there is a real one.
    set(({ runs }) => ({ runs: [...runs.filter((other) => !other.recorded), run], selectedRun: run.id, recording: { status: 'none' } }));
  } catch (error) {
    set({ runProblem: sentence(error) });
  } finally {
    // One more interval, because events sent before the answer may still be waiting.
    setTimeout(() => set({ starting: false }), get().runs.some(isLive) ? 2 * eventInterval : 0);
  }
}

/** Sends a request about the live run; what goes wrong is shown in the Run station. */
async function control(request: Promise<void>): Promise<boolean> {
  try {
    await request;
    set({ runProblem: undefined });
    return true;
  } catch (error) {
    set({ runProblem: sentence(error) });
    return false;
  }
}

export const pauseRun = (): Promise<boolean> => control(lab().pause());
export const resumeRun = (): Promise<boolean> => control(lab().resume());
export const stepRun = (): Promise<boolean> => control(lab().stepOnce());

/** Ends the live run here; `keep` evaluates it and keeps its weights, otherwise it disappears from the page too. */
export async function stopRun(keep: boolean): Promise<void> {
  const live = selectLiveRun(get());
  if (live !== undefined && (await control(lab().stop(keep))) && !keep) forgetRun(live.id);
}

/** Removes an ended run and its weights. */
export async function removeRun(id: RunId): Promise<void> {
  const run = get().runs.find((other) => other.id === id);
  if (run !== undefined && (run.recorded || (await control(lab().removeRun(id))))) forgetRun(id);
}

function forgetRun(id: RunId): void {
  set(({ runs, selectedRun }) => {
    const left = runs.filter((run) => run.id !== id);
    return { runs: left, selectedRun: selectedRun === id ? left.at(-1)?.id : selectedRun };
  });
}

// Data

function acceptImport(role: DatasetRole, result: ImportResult, file: File | undefined, skipRows: readonly number[]): void {
  if ('problem' in result) {
    set({ fileProblem: { role, problem: result.problem, file, skipRows }, station: 'data' });
  } else {
    set(({ datasets }) => ({ datasets: { ...datasets, [role]: result.dataset }, fileProblem: undefined }));
  }
}

/** Reads a file; on a problem the dataset that was loaded before stays. */
export async function importFile(role: DatasetRole, file: File, skipRows: readonly number[] = []): Promise<void> {
  set({ importing: role, station: 'data' });
  try {
    acceptImport(role, await lab().importFile(role, file, skipRows), file, skipRows);
  } catch (error) {
    const problem = { file: file.name, what: sentence(error), stillHolds: 'The data that was loaded before is still there.', canSkip: false };
    set({ fileProblem: { role, problem, file, skipRows }, station: 'data' });
  } finally {
    set({ importing: undefined });
  }
}

/** Goes back to the demo data in all roles. */
export async function restoreDemoData(): Promise<void> {
  const datasets = await lab().useDemoData();
  set({ datasets: byRole(datasets), fileProblem: undefined });
}

/** Uses other columns of a dataset. */
export async function changeMapping(role: DatasetRole, mapping: DatasetColumns): Promise<void> {
  try {
    acceptImport(role, await lab().setMapping(role, mapping, get().config.maxLength), undefined, []);
  } catch (error) {
    const problem = { file: get().datasets[role]?.name ?? '', what: sentence(error), stillHolds: 'The mapping is as it was before.', canSkip: false };
    set({ fileProblem: { role, problem, file: undefined, skipRows: [] }, station: 'data' });
  }
}

/** Rows of a dataset as the model sees them, the first being row 1. */
export const previewRows = (role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> =>
  lab().preview(role, from, count, maxLength);

// Playground and export

/** Streams answers of several models to one prompt; resolves when all are complete. */
export async function ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, onEvent: (event: StreamEvent) => void): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<StreamEvent>) => onEvent(data);
  await lab().ask(prompt, columns, options, transfer(port2, [port2]));
}

export const stopAsking = (): Promise<void> => lab().stopAsking();

/** The likeliest next tokens after the first tokens of an answer. */
export const alternatives = (column: 'base' | RunId, prompt: string, answer: readonly number[]): ReturnType<LabApi['alternatives']> =>
  lab().alternatives(column, prompt, answer);

/** Writes the weights of a run and reads them back. */
export const exportRun = (id: RunId): Promise<ExportResult> => lab().exportRun(id);
