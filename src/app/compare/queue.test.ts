/** @file Queue and kept runs against the scripted engine: runs one after the other, order, holding, a reload, deleting with a way back, bundles. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectLab } from '../labClient.ts';
import { defaultConfig } from '../method/defaults.ts';
import { startRun } from '../run/control.ts';
import { editConfig, initialState, useLab } from '../store.ts';
import { fakeLab } from '../testing.ts';
import { groupRuns, type RunGroup } from './groups.ts';
import { addToQueue, moveQueued, movedOrder, receiveQueue, runQueue, skipQueued } from './queue.ts';
import { initialCompare, useCompare } from './state.ts';
import { annotate, deleteGroup, openBundle, undoDelete } from './stored.ts';
import { storedOf } from './testing.ts';

const state = useLab.getState;
const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 10 });
const short = { ...defaultConfig, steps: 6, warmupSteps: 1, evaluateEvery: 3, driftEvery: 6 };
const seeds = (count: number): readonly (typeof short)[] => Array.from({ length: count }, (_, index) => ({ ...short, seed: index + 1 }));
const groups = (): readonly RunGroup[] => groupRuns(state().runs, state().queue.items, state().kept);
const group = (): RunGroup => groups()[0]!;

const summary = { id: 'old', config: short, state: 'finished', model: 'Built-in model', dataset: 'demo-train.jsonl', startedAt: '2025-12-01T00:00:00Z', completedSteps: 6 } as const;
const old = storedOf(summary, [{ type: 'steps', run: 'old', steps: [1, 2].map((step) => ({ step, loss: 1, penalty: 0, gradientNorm: 1, learningRate: 1e-4, trainedTokens: 10, tokensPerSecond: 100, skipped: false })) }]);

beforeEach(() => {
  useLab.setState(initialState, true);
  useCompare.setState(initialCompare, true);
});
afterEach(() => vi.useRealTimers());

describe('the queue', () => {
  it('makes its runs one after the other and keeps what is known of each', async () => {
    await connectLab(fakeLab({ stepMs: 1 }));
    await addToQueue(seeds(3));
    expect(state().queue.running).toBe(true);
    await until(() => state().runs.length === 3 && state().runs.every((run) => run.state === 'finished'));
    expect(state().queue.items).toEqual([]);
    expect(state().runs.map(({ config, steps }) => [config.seed, steps.length])).toEqual([[1, 6], [2, 6], [3, 6]]);
    await until(() => state().runs.every(({ id }) => state().kept[id] !== undefined));
    expect(group().runs).toHaveLength(3);
  });

  it('changes its order, skips, and waits while it is held', async () => {
    await connectLab(fakeLab({ stepMs: 20 }));
    await addToQueue(seeds(4));
    expect(await runQueue(false)).toBe(true);
    const ids = state().queue.items.map(({ id }) => id);
    await moveQueued(ids[3]!, 0);
    expect(state().queue.items.map(({ id }) => id)).toEqual([ids[0], ids[3], ids[1], ids[2]]);
    await skipQueued([ids[1]!]);
    await until(() => state().runs[0]?.state === 'finished');
    expect(state().queue).toMatchObject({ running: false, items: [{ id: ids[3], state: 'waiting' }, { id: ids[2], state: 'waiting' }] });
  });

  it('does not begin under a run that is going on, and says what went wrong', async () => {
    const engine = fakeLab({ stepMs: 5 });
    await connectLab(engine);
    editConfig(short);
    await startRun();
    await addToQueue(seeds(1));
    expect(state().queue.items[0]?.state).toBe('waiting');
    await until(() => state().runs.length === 2 && state().runs[1]?.state === 'finished');
    engine.enqueue = () => Promise.reject(new Error('The disk is full.'));
    await addToQueue(seeds(2));
    expect(useCompare.getState().problem).toEqual({ title: 'The runs were not queued.', message: 'The disk is full. The queue is as it was.' });
  });

  it('takes a run up again that was cut off, under its own id', async () => {
    await connectLab(fakeLab({ stepMs: 1, stored: [{ ...old, summary: { ...summary, state: 'failed' }, resumableFrom: 2, hasWeights: false }] }));
    expect(state().runs[0]).toMatchObject({ id: 'old', state: 'failed', resumableFrom: 2, withoutWeights: true });
    receiveQueue({ items: [{ id: 'old', config: short, dataset: 'demo-train.jsonl', state: 'running' }], running: true }, 5);
    expect(state().runs).toHaveLength(1);
    expect(state().runs[0]).toMatchObject({ state: 'preparing', message: undefined });
    expect(state().runs[0]?.withoutWeights, 'when it has ended, its weights are there').toBeUndefined();
  });
});

describe('movedOrder', () => {
  const items = ['a', 'b', 'c'].map((id, index) => ({ id, config: short, dataset: 'demo-train.jsonl', state: index === 0 ? 'running' : 'waiting' }) as const);

  it('moves among waiting runs only, and not beyond their ends', () => {
    expect(movedOrder({ items, running: true }, 'c', 0)).toEqual(['c', 'b']);
    expect(movedOrder({ items, running: true }, 'b', 9)).toEqual(['c', 'b']);
    expect(movedOrder({ items, running: true }, 'c', 9)).toBeUndefined();
    expect(movedOrder({ items, running: true }, 'a', 1)).toBeUndefined();
  });
});

describe('kept runs', () => {
  it('are there again after a reload, with their steps and notes', async () => {
    await connectLab(fakeLab({ stepMs: 1, stored: [{ ...old, notes: { name: 'Best', tags: ['x'], pinned: true }, hasWeights: false }] }));
    expect(state().runs[0]).toMatchObject({ id: 'old', state: 'finished', withoutWeights: true });
    expect(state().runs[0]?.steps).toHaveLength(2);
    expect(group()).toMatchObject({ name: 'Best', tags: ['x'], pinned: true });
  });

  it('are renamed, and get their own name back when it is emptied', async () => {
    const engine = fakeLab({ stepMs: 1, stored: [old] });
    await connectLab(engine);
    await annotate(group(), { name: 'Best', tags: ['paper'] });
    expect(group()).toMatchObject({ name: 'Best', tags: ['paper'] });
    expect((await engine.storedRuns())[0]?.notes).toEqual({ name: 'Best', tags: ['paper'], pinned: false });
    await annotate(group(), { name: '' });
    expect(group().name).toBe('RPSFT');
    expect((await engine.storedRuns())[0]?.notes).toEqual({ tags: ['paper'], pinned: false });
  });

  it('come back within ten seconds of being deleted, and are gone for good after them', async () => {
    const engine = fakeLab({ stepMs: 1, stored: [old] });
    const purge = vi.spyOn(engine, 'purgeRemoved');
    await connectLab(engine);
    vi.useFakeTimers();
    const deleted = group();
    await deleteGroup(deleted);
    expect(state().runs).toEqual([]);
    expect(useCompare.getState().removed.map(({ name }) => name)).toEqual(['RPSFT']);
    await undoDelete(deleted.id);
    expect(state().runs.map(({ id }) => id)).toEqual(['old']);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(purge).not.toHaveBeenCalled();
    await deleteGroup(group());
    await vi.advanceTimersByTimeAsync(10_001);
    expect(useCompare.getState().removed).toEqual([]);
    expect(purge).toHaveBeenCalledOnce();
  });

  it('are added from a bundle; one that cannot be read leaves all as it was', async () => {
    const engine = fakeLab({ stepMs: 1 });
    await connectLab(engine);
    await openBundle(new File([JSON.stringify([old])], 'runs.zip'));
    expect(state().runs.map(({ id }) => id)).toEqual(['old']);
    expect(useCompare.getState().notice).toBe('1 run from runs.zip.');
    engine.importBundle = () => Promise.reject(new Error('runs.zip is not a zip file.'));
    await openBundle(new File([''], 'runs.zip'));
    expect(state().runs).toHaveLength(1);
    expect(useCompare.getState()).toMatchObject({ problem: { title: 'runs.zip was not opened.', message: 'runs.zip is not a zip file.' }, working: undefined });
  });
});
