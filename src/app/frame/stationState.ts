/** @file What each station says when it is closed: its ring, a summary and a second line. Pure, so that tests can read it. */
import { formatAbout, formatBytes, formatCount, formatCounted, formatPercent, formatTime } from '../format.ts';
import { configLine } from '../method/configLine.ts';
import { checkConfig } from '../method/fields.ts';
import { choiceName } from '../../worker/methods.ts';
import { originName } from '../model/opening.ts';
import { phaseCount, phaseDoing } from '../run/phases.ts';
import type { RingState } from '../parts/Ring.tsx';
import { isLive, type LabRun } from '../runs.ts';
import { selectLiveRun, selectMisfit, selectRun, type LabState, type StationId } from '../store.ts';

export interface StationState {
  readonly ring: RingState;
  readonly summary: string;
  readonly detail: string;
}

const unusable = ({ connection }: LabState): boolean => connection === 'unavailable' || connection === 'failed';

function modelState(state: LabState): StationState {
  const { model, loading, opening, modelProblem } = state;
  if (opening !== undefined) {
    const { progress } = opening;
    return { ring: 'live', summary: originName(opening, model), detail: progress === undefined ? 'Opening' : `${phaseDoing(progress.phase)} ${phaseCount(progress)}` };
  }
  if (model !== undefined) {
    const detail = modelProblem === undefined ? `${formatCount(model.parameters)} parameters, ${model.precision}` : modelProblem.title;
    return { ring: modelProblem === undefined ? 'ready' : 'error', summary: model.name, detail };
  }
  if (unusable(state)) return { ring: 'off', summary: 'Not loaded', detail: 'Needs a graphics adapter' };
  const detail = loading === undefined ? 'Built in' : loading.done < loading.total ? phaseCount(loading) : formatBytes(loading.done);
  return { ring: 'live', summary: 'Loading', detail };
}

function dataState(state: LabState): StationState {
  const { datasets, fileProblem } = state;
  const { train } = datasets;
  if (train === undefined) return unusable(state) ? { ring: 'off', summary: 'Not loaded', detail: 'Needs a graphics adapter' } : { ring: 'live', summary: 'Loading', detail: 'Demo data' };
  const summary = train.origin === 'demo' ? 'Demo data' : train.name;
  if (fileProblem !== undefined) return { ring: 'error', summary, detail: `${fileProblem.problem.file} not loaded` };
  const share = train.tokens === 0 ? 0 : train.trainedTokens / train.tokens;
  const ring = train.trainedTokens === 0 ? 'error' : 'ready';
  return { ring, summary, detail: `${formatCounted(train.rows, 'row')}, ${formatPercent(share)} of tokens trained` };
}

function methodState({ config, model }: LabState): StationState {
  const { method, ...values } = checkConfig(config, model?.contextLength);
  const problems = Object.keys(values).length;
  if (method !== undefined) return { ring: 'error', summary: choiceName(config), detail: 'Needs all weights' };
  if (problems > 0) return { ring: 'error', summary: choiceName(config), detail: `${formatCounted(problems, 'value')} out of range` };
  return { ring: 'ready', summary: choiceName(config), detail: configLine(config) };
}

/** Name of the state of a run, for the Run station and the status bar. */
export function runStateName(run: LabRun): string {
  switch (run.state) {
    case 'preparing':
      return 'Preparing';
    case 'running':
      return run.phase === 'evaluate' || run.phase === 'evaluate-base' ? 'Evaluating' : run.phase === 'save' ? 'Saving' : 'Training';
    case 'paused':
      return 'Paused';
    case 'finished':
      return 'Finished';
    case 'stopped':
      return 'Stopped';
    case 'failed':
      return 'Failed';
  }
}

const ringOfEnded = { finished: 'done', stopped: 'done', failed: 'error' } as const;

function runState(state: LabState): StationState {
  const { config, estimate, runProblem, starting } = state;
  if (unusable(state)) return { ring: 'off', summary: 'Not available', detail: 'Needs a graphics adapter' };
  const live = selectLiveRun(state);
  if (live !== undefined) {
    const detail = live.state === 'preparing' ? choiceName(live.config) : `Step ${formatCount(live.completedSteps)} of ${formatCount(live.config.steps)}`;
    return { ring: live.state === 'paused' ? 'ready' : 'live', summary: runStateName(live), detail };
  }
  if (starting) return { ring: 'live', summary: 'Starting', detail: choiceName(config) };
  const misfit = selectMisfit(state);
  if (misfit !== undefined) return { ring: 'error', summary: 'Does not fit', detail: `${formatBytes(misfit.needed)} needed` };
  if (runProblem !== undefined) return { ring: 'error', summary: 'Not started', detail: 'The reason is inside' };
  const own = selectRun(state);
  if (own !== undefined && !own.recorded && !isLive(own)) {
    const time = own.activeMs > 0 ? ` in ${formatTime(own.activeMs / 1000)}` : '';
    const detail = own.state === 'failed' ? `At step ${formatCount(own.completedSteps)}` : `${formatCounted(own.completedSteps, 'step')}${time}`;
    return { ring: ringOfEnded[own.state as keyof typeof ringOfEnded], summary: runStateName(own), detail };
  }
  const time = estimate?.seconds === undefined ? '' : `, ${formatAbout(estimate.seconds)}`;
  return { ring: 'empty', summary: 'Not started', detail: `${formatCounted(config.steps, 'step')}${time}` };
}

const states: Readonly<Record<StationId, (state: LabState) => StationState>> = { model: modelState, data: dataState, method: methodState, run: runState };

/** What a station shows when it is closed. */
export const stationState = (station: StationId, state: LabState): StationState => states[station](state);

/** Where something is wrong, with how many problems, in the order of the rail. */
export function problemPlaces(state: LabState): readonly { readonly station: StationId; readonly count: number }[] {
  const counts: Record<StationId, number> = {
    model: state.modelProblem === undefined ? 0 : 1,
    data: (state.fileProblem === undefined ? 0 : 1) + (state.datasets.train?.trainedTokens === 0 ? 1 : 0),
    method: Object.keys(checkConfig(state.config, state.model?.contextLength)).length,
    run: [state.runProblem, state.deviceProblem, selectMisfit(state)].filter((problem) => problem !== undefined).length + (selectRun(state)?.state === 'failed' ? 1 : 0),
  };
  return (['model', 'data', 'method', 'run'] as const).flatMap((station) => (counts[station] > 0 ? [{ station, count: counts[station] }] : []));
}
