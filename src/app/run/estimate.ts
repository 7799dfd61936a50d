/** @file Keeps the estimate of memory and time up to date with the run being edited. */
import { recount } from '../data/importing.ts';
import { lab, sentence } from '../lab.ts';
import { defaultConfig } from '../method/defaults.ts';
import { checkConfig } from '../method/fields.ts';
import { selectLiveRun, useLab } from '../store.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds without an edit before the estimate is asked for again. */
const estimateDelay = 300;

/** Memory and time of the run being edited, asked for once; the time is probed for where the worker does not know it and nothing else runs. */
async function estimateOnce(): Promise<void> {
  const { config, model, connection, datasets } = get();
  if (connection !== 'ready' || Object.keys(checkConfig(config, model?.contextLength)).length > 0) return;
  const isCurrent = (): boolean => get().config === config && get().datasets === datasets;
  const estimate = await lab().estimate(config, false);
  if (!isCurrent()) return;
  set({ estimate });
  if (estimate.seconds !== undefined || get().starting || selectLiveRun(get()) !== undefined) return;
  const probed = await lab().estimate(config, true);
  if (isCurrent()) set({ estimate: probed });
}

/** Brings the estimate up to date. One request at a time, because a probe takes seconds on a slow adapter: edits meanwhile are asked for together after it. */
export async function refreshEstimate(): Promise<void> {
  if (get().estimating) return;
  set({ estimating: true });
  try {
    for (let asked; asked?.config !== get().config || asked.datasets !== get().datasets; ) {
      asked = get();
      await estimateOnce();
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
    if (now.config === before.config && now.datasets === before.datasets && !(ended && now.estimate?.seconds === undefined)) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, estimateDelay);
  });
  refresh();
}
