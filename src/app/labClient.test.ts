/** @file The page against a scripted engine: connecting, a run from start to end, pausing, discarding, and a bad file. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { changeMapping, importFile, restoreDemoData } from './data/importing.ts';
import { connectLab } from './labClient.ts';
import { pauseRun, removeRun, resumeRun, startObstacle, startRun, stopRun } from './run/control.ts';
import { chooseMethod, editConfig, holdBeside, initialState, selectLiveRun, selectRun, selectWelcome, useLab } from './store.ts';
import { fakeLab, type FakeOptions } from './testing.ts';

const state = useLab.getState;
const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 10 });

async function connect(options: Partial<FakeOptions> = {}): Promise<void> {
  await connectLab(fakeLab({ stepMs: 1, ...options }));
}

beforeEach(() => useLab.setState(initialState, true));

describe('connecting', () => {
  it('loads the built-in model and probes for the time', async () => {
    await connect();
    expect(state().connection).toBe('ready');
    expect(state().model?.layers).toBe(4);
    expect(Object.keys(state().datasets)).toEqual(['train', 'heldOut', 'outOfDomain']);
    expect(selectWelcome(state())).toBe(true);
    await until(() => state().estimate?.seconds !== undefined);
  });

  it('says what is missing', async () => {
    await connect({ problem: { code: 'no-adapter', message: 'No adapter.' } });
    expect(state().connection).toBe('unavailable');
    expect(state().diagnosis?.problem?.code).toBe('no-adapter');
    expect(startObstacle()).toBe('Training needs a graphics adapter.');
  });

  it('says when the engine itself fails', async () => {
    await connectLab({ ...fakeLab({ stepMs: 1 }), reopen: () => Promise.reject(new Error('The model file is damaged.')) });
    expect(state()).toMatchObject({ connection: 'failed', connectionMessage: 'The model file is damaged.' });
  });
});

describe('a run', () => {
  it('goes from start to end, and a second one is laid over it', async () => {
    await connect();
    editConfig({ steps: 40, warmupSteps: 5, evaluateEvery: 10, driftEvery: 20 });
    await startRun();
    expect(startObstacle()).toBe('A run is going on.');
    await until(() => selectRun(state())?.state === 'finished');
    const run = selectRun(state());
    expect(run?.steps).toHaveLength(40);
    expect(run?.evaluations.map(({ step }) => step)).toEqual([0, 10, 20, 30, 40]);
    expect(run?.drifts.map(({ step }) => step)).toEqual([0, 20, 40]);
    await until(() => !state().starting);
    chooseMethod('sft');
    await startRun();
    await until(() => selectRun(state())?.config.method === 'sft' && selectRun(state())?.state === 'finished');
    expect(state().runs.filter(({ visible }) => visible)).toHaveLength(2);
    await removeRun(state().runs[0]?.id ?? '');
    expect(state().runs.map(({ config }) => config.method)).toEqual(['sft']);
  });

  it('pauses, goes on, and can be discarded', async () => {
    await connect();
    editConfig({ steps: 10_000 });
    await startRun();
    await until(() => (selectLiveRun(state())?.completedSteps ?? 0) > 0);
    await pauseRun();
    await until(() => selectLiveRun(state())?.state === 'paused');
    await resumeRun();
    await until(() => selectLiveRun(state())?.state === 'running');
    await stopRun(false);
    expect(state().asked).toBe('discard');
    expect(startObstacle()).toBe('A run is going on.');
    await until(() => state().runs.length === 0);
    expect(state().asked).toBeUndefined();
    expect(startObstacle()).toBeUndefined();
  });

  it('is kept when it is stopped so', async () => {
    await connect();
    editConfig({ steps: 10_000 });
    await startRun();
    await until(() => (selectLiveRun(state())?.completedSteps ?? 0) > 0);
    await stopRun(true);
    await until(() => selectRun(state())?.state === 'stopped' && !state().starting);
    expect(state().asked).toBeUndefined();
  });

  it('does not start with a value out of range', async () => {
    await connect();
    editConfig({ learningRate: 3 });
    expect(startObstacle()).toBe('A value in Method is out of its range. Between 1e-7 and 0.1.');
    await startRun();
    expect(state().runs).toEqual([]);
  });

  it('shows why a start was refused', async () => {
    await connectLab({ ...fakeLab({ stepMs: 1 }), start: () => Promise.reject(new Error('Out of memory.')) });
    await startRun();
    expect(state()).toMatchObject({ runProblem: 'Out of memory.', runs: [] });
  });
});

describe('data', () => {
  const file = new File(['{}'], 'mine.jsonl');

  it('keeps the dataset when a file is bad, and reads it without the row', async () => {
    await connect({ badRow: 7 });
    await importFile('train', file);
    expect(state().fileProblem).toMatchObject({ role: 'train', problem: { row: 7, canSkip: true } });
    expect(state().datasets.train?.origin).toBe('demo');
    await importFile('train', file, [7]);
    expect(state().fileProblem).toBeUndefined();
    expect(state().datasets.train).toMatchObject({ name: 'mine.jsonl', origin: 'file' });
    expect(selectWelcome(state())).toBe(false);
    await restoreDemoData();
    expect(state().datasets.train?.origin).toBe('demo');
  });

  it('does not start where every label is masked', async () => {
    await connect();
    await changeMapping('train', { prompt: 'answer', completion: 'question' });
    expect(startObstacle()).toBe('Every label is masked. No token of these rows would be trained.');
  });
});

describe('methods', () => {
  it('remember their own strength', () => {
    editConfig({ lambda: 3 });
    chooseMethod('l2sp');
    expect(state().config.lambda).toBe(0.003);
    chooseMethod('rpsft');
    expect(state().config.lambda).toBe(3);
  });

  it('that hold no directions have their spectrum measured in those of RPSFT', () => {
    editConfig({ rankFraction: 0.4 });
    chooseMethod('two-sided-rpsft');
    expect(state().config.rankFraction).toBe(0.2);
    chooseMethod('sft');
    expect(state().config.rankFraction).toBe(0.4);
  });

  it('remember the penalty beside them, and leave nothing of it to the next one', () => {
    chooseMethod('kl-sft');
    expect(state().config).toMatchObject({ lambda: 0, beta: 0.1 });
    editConfig({ beta: 0.5 });
    holdBeside('rpsft');
    expect(state().config).toMatchObject({ penalty: 'rpsft', lambda: 10, beta: 0.5 });
    editConfig({ lambda: 4, rankFraction: 0.3 });
    holdBeside(undefined);
    expect(state().config.lambda).toBe(0);
    expect(state().config).not.toHaveProperty('penalty');
    holdBeside('rpsft');
    expect(state().config).toMatchObject({ lambda: 4, rankFraction: 0.3 });
    chooseMethod('sft');
    expect(state().config).toMatchObject({ lambda: 0, beta: 0.1, rankFraction: 0.5 });
    expect(state().config).not.toHaveProperty('penalty');
    chooseMethod('kl-sft');
    expect(state().config).toMatchObject({ penalty: 'rpsft', lambda: 4, beta: 0.5 });
  });
});
