/** @file Whether the run being edited fits on the adapter: a trial allocation, and what can be done where it does not. */
import type { RunConfig, WayToFit } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { requestModel } from '../model/opening.ts';
import { useLab } from '../store.ts';

const { setState: set, getState: get } = useLab;

/** Allocates what a run would need and remembers the outcome. Rejects where even the trial could not be made. */
export async function checkFit(config: RunConfig): Promise<boolean> {
  const { model } = get();
  const fit = await lab().checkFit(config);
  set(({ memoryLimit }) => ({ fitCheck: { config, model, fit }, memoryLimit: fit.fits ? memoryLimit : Math.min(memoryLimit, fit.stoppedAt) }));
  return fit.fits;
}

/** Bytes the run being edited needs, as far as they are known. */
const estimatedBytes = (): number => get().estimate?.bytes.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;

/** Tries again after an edit where the estimate lies above what an earlier trial could allocate. */
export async function checkLargeEstimate(): Promise<void> {
  const { config, model, fitCheck, memoryLimit, starting, opening } = get();
  const known = fitCheck?.config === config && fitCheck.model === model;
  if (!known && !starting && opening === undefined && estimatedBytes() > memoryLimit) await checkFit(config);
}

/** Makes the run smaller as a button says and tries again; another precision opens the model again, which asks first where runs would go. */
export async function applyWay({ config, precision }: WayToFit): Promise<void> {
  const { model } = get();
  set({ config });
  if (model !== undefined && precision !== model.precision) {
    await requestModel({ origin: { kind: 'precision' }, precision });
    return;
  }
  try {
    await checkFit(config);
  } catch (error) {
    set({ runProblem: sentence(error) });
  }
}
