/** @file The queue as the page sees it: the worker keeps it and makes its runs, the page fills, orders and holds it. */
import type { QueueState, RunConfig, RunId } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { isLive, runFromSummary, takenUp } from '../runs.ts';
import { useLab } from '../store.ts';
import { useCompare } from './state.ts';

const { setState: set, getState: get } = useLab;

/** Takes over what the worker reports. The run that it has begun, or taken up again, is put among the runs at once, because its events follow. */
export function receiveQueue(queue: QueueState, at: number): void {
  const begun = queue.items.find(({ state }) => state === 'running');
  set(({ runs, selectedRun, model, recording, queue: before }) => {
    const isNew = begun !== undefined && before.items.every(({ id, state }) => id !== begun.id || state !== 'running');
    if (!isNew) return { queue };
    if (runs.some(({ id }) => id === begun.id)) return { queue, runs: runs.map((run) => (run.id === begun.id && !isLive(run) ? takenUp(run, at) : run)) };
    const run = runFromSummary(
      { id: begun.id, config: begun.config, state: 'preparing', model: model?.name ?? '', dataset: begun.dataset, startedAt: new Date().toISOString(), completedSteps: 0 },
      at,
    );
    const own = runs.filter(({ recorded }) => !recorded);
    return { queue, runs: [...own, run], ...(own.length === runs.length ? { selectedRun, recording } : { selectedRun: run.id, recording: { status: 'none' } }) };
  });
}

/** Sends a change; what goes wrong is said over the queue, which stays as it was. */
async function change(title: string, ask: () => Promise<QueueState>): Promise<boolean> {
  try {
    receiveQueue(await ask(), performance.now());
    useCompare.setState({ problem: undefined });
    return true;
  } catch (error) {
    useCompare.setState({ problem: { title, message: `${sentence(error)} The queue is as it was.` } });
    return false;
  }
}

/** Appends runs, and starts the queue where nothing is in it yet. */
export async function addToQueue(configs: readonly RunConfig[]): Promise<void> {
  const wasEmpty = get().queue.items.length === 0;
  if ((await change('The runs were not queued.', () => lab().enqueue(configs))) && wasEmpty && !get().queue.running) await runQueue(true);
}

/** Takes waiting runs out. */
export const skipQueued = (ids: readonly RunId[]): Promise<boolean> => change('Not skipped.', () => lab().dequeue(ids));

/** Holds the queue or lets it go on; the run that is under way is not touched. */
export const runQueue = (on: boolean): Promise<boolean> => change(on ? 'The queue was not started.' : 'The queue was not held.', () => lab().runQueue(on));

/** The waiting runs with one of them moved to another place among them; undefined when that changes nothing. */
export function movedOrder({ items }: QueueState, id: RunId, to: number): readonly RunId[] | undefined {
  const waiting = items.filter(({ state }) => state === 'waiting').map((item) => item.id);
  const from = waiting.indexOf(id);
  const place = Math.max(0, Math.min(waiting.length - 1, to));
  if (from < 0 || from === place) return undefined;
  const others = waiting.filter((other) => other !== id);
  return [...others.slice(0, place), id, ...others.slice(place)];
}

/** Moves a waiting run to a place among the waiting ones, counted from 0. */
export async function moveQueued(id: RunId, to: number): Promise<void> {
  const order = movedOrder(get().queue, id, to);
  if (order !== undefined) await change('Not moved.', () => lab().reorderQueue(order));
}
