/** @file Runs with given evaluations, and a queue and store of runs for the scripted engine, for tests of the page. */
import type { LabApi, LabEvent, QueueState, RunConfig, RunId, RunNotes, RunSummary, StoredRun } from '../../worker/protocol.ts';
import { accuracyOf, madeUpRun } from '../charts/testing.ts';
import type { LabRun } from '../runs.ts';

/** A finished run with evaluations of the given accuracies in-domain and out-of-domain, 30 steps apart, on 1,000 items each. */
export function runOf(config: Partial<RunConfig>, points: readonly (readonly [inDomain: number, outOfDomain: number])[], change: Partial<LabRun> = {}): LabRun {
  const run = madeUpRun({ steps: 30 * (points.length - 1), ...config });
  const evaluations = points.map(([inDomain, outOfDomain], index) => ({
    step: index * 30, heldOutLoss: 1, outOfDomainLoss: 1, inDomain: accuracyOf(inDomain, 1000), outOfDomain: accuracyOf(outOfDomain, 1000), groups: [],
  }));
  return { ...run, id: `${run.id}-${run.config.lambda}`, evaluations, ...change };
}

/** What the fake engine lends to its store of runs. */
interface FakeEngine {
  readonly stored: readonly StoredRun[];
  readonly send: (event: LabEvent) => void;
  readonly begin: (config: RunConfig, id: RunId) => RunSummary;
  readonly busy: () => boolean;
  /** Name of the open model, whose runs these are. */
  readonly model: () => string;
  readonly made: () => readonly { readonly summary: RunSummary; readonly events: readonly LabEvent[] }[];
}

type StoreApi = Pick<LabApi, 'removeRun' | 'resumeRun' | 'storedRuns' | 'annotateRun' | 'restoreRun' | 'purgeRemoved' | 'queue' | 'enqueue' | 'reorderQueue' | 'dequeue' | 'runQueue' | 'exportBundle' | 'importBundle'>;

const dataHashes = { 'demo-train.jsonl': '5f1c'.repeat(16), 'demo-held-out.jsonl': '9a02'.repeat(16), 'demo-out-of-domain.jsonl': '77de'.repeat(16) };

/** A run as the browser keeps it. */
export const storedOf = (summary: RunSummary, events: readonly LabEvent[], notes: RunNotes = { tags: [], pinned: false }): StoredRun => ({
  summary, events, notes, environment: { adapter: 'Fake adapter', browser: 'Fake browser 1', dataHashes }, bytes: 4_300_000, hasWeights: true,
});

/** Kept runs and the queue of the fake engine: runs one after the other, the first of them as soon as nothing else is under way. */
export function fakeRunStore({ stored, send, begin, busy, model, made }: FakeEngine): { readonly api: StoreApi; readonly heard: (event: LabEvent) => void } {
  let queue: QueueState = { items: [], running: false };
  let queued = 0;
  const notes = new Map<RunId, RunNotes>(stored.map((run) => [run.summary.id, run.notes]));
  const removed = new Set<RunId>();
  const imported: StoredRun[] = [];
  const all = (): readonly StoredRun[] => [
    ...[...made()].reverse().map(({ summary, events }) => {
      const state = events.findLast((event) => event.type === 'state');
      return storedOf({ ...summary, state: state?.state ?? summary.state, completedSteps: events.filter(({ type }) => type === 'steps').length }, events, notes.get(summary.id));
    }),
    ...imported, ...stored,
  ];
  const kept = (id: RunId): StoredRun => {
    const run = all().find(({ summary }) => summary.id === id);
    if (run === undefined) throw new Error('This run is not kept any more.');
    return { ...run, notes: notes.get(id) ?? run.notes };
  };
  const setQueue = (next: QueueState): Promise<QueueState> => {
    queue = next;
    const first = queue.items[0];
    if (queue.running && !busy() && first?.state === 'waiting') {
      queue = { ...queue, items: queue.items.map((item) => (item === first ? { ...item, state: 'running' } : item)) };
      begin(first.config, first.id);
    }
    send({ type: 'queue', queue });
    return Promise.resolve(queue);
  };
  return {
    heard(event) {
      if (event.type !== 'state' || !['finished', 'stopped', 'failed'].includes(event.state)) return;
      void setQueue({ ...queue, items: queue.items.filter(({ id }) => id !== event.run) });
    },
    api: {
      removeRun(id) {
        removed.add(id);
        return Promise.resolve();
      },
      resumeRun(id) {
        const { summary } = kept(id);
        return Promise.resolve(begin(summary.config, id));
      },
      storedRuns: () => Promise.resolve(all().filter(({ summary }) => !removed.has(summary.id) && summary.model === model()).map(({ summary }) => kept(summary.id))),
      annotateRun(id, next) {
        notes.set(id, next);
        return Promise.resolve();
      },
      restoreRun(id) {
        removed.delete(id);
        return Promise.resolve(kept(id));
      },
      purgeRemoved: () => Promise.resolve(),
      queue: () => Promise.resolve(queue),
      enqueue: (configs) => setQueue({ ...queue, items: [...queue.items, ...configs.map((config) => ({ id: `queued-${++queued}`, config, dataset: 'demo-train.jsonl', state: 'waiting' as const }))] }),
      reorderQueue: (ids) => setQueue({ ...queue, items: [...queue.items.filter(({ state }) => state === 'running'), ...ids.flatMap((id) => queue.items.filter((item) => item.id === id && item.state === 'waiting'))] }),
      dequeue: (ids) => setQueue({ ...queue, items: queue.items.filter((item) => item.state === 'running' || !ids.includes(item.id)) }),
      runQueue: (running) => setQueue({ ...queue, running }),
      exportBundle: (ids) => Promise.resolve(new File([JSON.stringify(ids.map(kept))], 'gimbal-runs.zip')),
      async importBundle(file) {
        const runs = JSON.parse(await file.text()) as StoredRun[];
        imported.push(...runs);
        return runs;
      },
    },
  };
}
