/** @file What can be asked of a run: start, pause, resume, one step, stop, remove. What goes wrong is shown in the Run station. */
import type { RunConfig, RunId } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { checkConfig } from '../method/fields.ts';
import { reinforced } from '../method/reinforce.ts';
import { remember } from '../method/methodSettings.ts';
import { isLive, isUnknown, runFromSummary, type LabRun } from '../runs.ts';
import { checkFit } from './fit.ts';
import { selectLiveRun, selectMisfit, startRunFrom, useLab, type LabState } from '../store.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds for which events of a run that has just been started may still be on their way. */
const startSettles = 500;

/** Why the run being edited cannot start now; undefined when it can. */
export function startObstacle(): string | undefined {
  const { connection, config, model, starting, datasets, opening } = get();
  if (connection === 'connecting' || connection === 'loading') return 'The model is still loading.';
  if (connection !== 'ready') return 'Training needs a graphics adapter.';
  if (opening !== undefined) return 'Another model is being opened.';
  if (starting || selectLiveRun(get()) !== undefined) return 'A run is going on.';
  if (datasets.train === undefined) return 'There is no training data yet.';
  if (datasets.train.trainedTokens === 0) return 'Every label is masked. No token of these rows would be trained.';
  const { method, ...values } = checkConfig(config, model?.contextLength);
  if (method !== undefined) return `${method}.`;
  const [problem] = Object.values(values);
  if (problem !== undefined) return `A value in Method is out of its range. ${problem}.`;
  const { estimate } = get();
  if (config.reinforce !== undefined && estimate?.obstacle !== undefined) return estimate.obstacle;
  return selectMisfit(get()) === undefined ? undefined : 'This run does not fit on this adapter.';
}

/** Starts the run being edited and shows it. */
export async function startRun(): Promise<void> {
  if (startObstacle() !== undefined) return;
  set({ starting: true, runProblem: undefined, deviceProblem: undefined, station: 'run', tab: 'train', sheet: undefined });
  try {
    const { config } = get();
    if (!(await checkFit(config))) return;
    const summary = await lab().start(config);
    const run = runFromSummary(summary, performance.now());
    // A recorded run was there to show what a run looks like; from here on there is a real one.
    set(({ runs }) => ({ runs: [...runs.filter((other) => !other.recorded), run], selectedRun: run.id, recording: { status: 'none' } }));
  } catch (error) {
    set({ runProblem: sentence(error) });
  } finally {
    setTimeout(() => set({ starting: false }), get().runs.some(isLive) ? startSettles : 0);
  }
}

/** Sets the next run up to go on from the weights of an ended one, with its settings as far as they are known. */
export function continueRun(run: LabRun): void {
  const { id, config } = run;
  set((state) => {
    const { lora: _edited, ...edited } = state.config;
    const settings: RunConfig = isUnknown(run) ? { ...edited, ...(config.lora === undefined ? {} : { lora: config.lora }) } : config;
    return { config: { ...settings, startFrom: id }, memory: remember(state.memory, settings), lora: config.lora ?? state.lora };
  });
}

/** Sets the next run up as GRPO from the weights of an ended one. */
export function reinforceRun(run: LabRun): void {
  continueRun(run);
  set(({ config, model }) => ({ config: reinforced(config, model), station: 'method' }));
}

/** Sends a request; false when it was refused. */
async function control(answer: Promise<void>): Promise<boolean> {
  try {
    await answer;
    set({ runProblem: undefined });
    return true;
  } catch (error) {
    set({ runProblem: sentence(error) });
    return false;
  }
}

/** Asks the live run for something that it does later. */
async function request(asked: NonNullable<LabState['asked']>, answer: Promise<void>): Promise<void> {
  set({ asked });
  if (!(await control(answer))) set({ asked: undefined });
}

export const pauseRun = (): Promise<void> => request('pause', lab().pause());
export const resumeRun = (): Promise<boolean> => control(lab().resume());
export const stepRun = (): Promise<boolean> => control(lab().stepOnce());

/** Ends the live run here; `keep` evaluates it and keeps its weights, otherwise it disappears from the page too. */
export const stopRun = (keep: boolean): Promise<void> => request(keep ? 'keep' : 'discard', lab().stop(keep));

/** Removes an ended run and its weights. */
export async function removeRun(id: RunId): Promise<void> {
  const run = get().runs.find((other) => other.id === id);
  if (run !== undefined && (run.recorded || (await control(lab().removeRun(id))))) forgetRun(id);
}

/** Takes a run off the page. */
export function forgetRun(id: RunId): void {
  set(({ runs, selectedRun }) => {
    const left = runs.filter((run) => run.id !== id);
    return { runs: left, selectedRun: selectedRun === id ? left.at(-1)?.id : selectedRun };
  });
  if (get().config.startFrom === id) startRunFrom(undefined);
}

/** What the live run was asked for is done when its state shows it; a discarded run disappears then. */
export function settleRequests(): void {
  const { asked, runs } = get();
  const live = selectLiveRun(get());
  if (asked === undefined || (asked === 'pause' ? live?.state === 'running' : live !== undefined)) return;
  set({ asked: undefined });
  const discarded = asked === 'discard' ? runs.findLast((run) => !run.recorded) : undefined;
  if (discarded !== undefined && discarded.state !== 'failed') forgetRun(discarded.id);
}
