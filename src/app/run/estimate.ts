/** @file Keeps the estimate of memory and time up to date with the run being edited. */
import { recount } from '../data/importing.ts';
import { lab, sentence } from '../lab.ts';
import { defaultConfig } from '../method/defaults.ts';
import { checkConfig } from '../method/fields.ts';
import { selectLiveRun, selectMisfit, useLab } from '../store.ts';
import { checkLargeEstimate } from './fit.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds without an edit before the estimate is asked for again. */
const estimateDelay = 300;

/** Bytes up to which a few steps are run unasked: they take seconds. A larger run is probed when the person asks for it. */
const probedUnasked = 512e6;

/** Memory and time of the run being edited, asked for once; the time is probed for where the worker does not know it and nothing else runs. */
async function estimateOnce(probeLarge: boolean): Promise<void> {
  const { config, model, connection, datasets, opening } = get();
  if (connection !== 'ready' || opening !== undefined || Object.keys(checkConfig(config, model?.contextLength)).length > 0) return;
  const isCurrent = (): boolean => get().config === config && get().datasets === datasets && get().model === model;
  const estimate = await lab().estimate(config, false);
  if (!isCurrent()) return;
  set({ estimate });
  if (get().starting || selectLiveRun(get()) !== undefined) return;
  await checkLargeEstimate();
  const isSmall = estimate.bytes.reduce((sum, { bytes }) => sum + bytes, 0) <= probedUnasked;
  if (estimate.seconds !== undefined || estimate.obstacle !== undefined || selectMisfit(get()) !== undefined || !(isSmall || probeLarge) || !isCurrent() || get().starting || selectLiveRun(get()) !== undefined) return;
  const probed = await lab().estimate(config, true);
  if (isCurrent()) set({ estimate: probed });
}

/**
 * Brings the estimate up to date. One request at a time, because a probe takes seconds on a slow adapter: edits meanwhile are asked for together after it.
 * `probeLarge` runs steps of a large run too.
 */
export async function refreshEstimate(probeLarge = false): Promise<void> {
  if (get().estimating) return;
  set({ estimating: true });
  try {
    for (let asked; asked?.config !== get().config || asked.datasets !== get().datasets || asked.model !== get().model; ) {
      asked = get();
      await estimateOnce(probeLarge);
    }
  } catch (error) {
    set({ runProblem: sentence(error) });
  } finally {
    set({ estimating: false });
  }
}

/** Asks again after edits; events of a run change neither the edited run nor the data. */
export function keepEstimateCurrent(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // The worker counts tokens for the default length until it is told of another, which the address of the page may hold.
  let countedFor = defaultConfig.maxLength;
  const refresh = (): void => {
    const { maxLength } = get().config;
    if (maxLength !== countedFor) void recount();
    countedFor = maxLength;
    void refreshEstimate();
  };
  useLab.subscribe((now, before) => {
    const ended = selectLiveRun(before) !== undefined && selectLiveRun(now) === undefined;
    if (now.config === before.config && now.datasets === before.datasets && (now.opening === undefined) === (before.opening === undefined) && !(ended && now.estimate?.seconds === undefined)) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, estimateDelay);
  });
  refresh();
}
