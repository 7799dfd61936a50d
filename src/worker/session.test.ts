/** @file The whole worker without a page: open, import, train with every method, pause, ask, export, reopen. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { testAdapters } from '../gpu/testing.ts';
import type { LabEvent, RunConfig, RunId, RunState, StreamEvent } from './protocol.ts';
import { Session } from './session.ts';

const CONFIG: RunConfig = {
  method: 'rpsft',
  lambda: 10,
  rankFraction: 0.25,
  learningRate: 5e-4,
  schedule: 'constant',
  warmupSteps: 1,
  steps: 4,
  batchSize: 4,
  accumulation: 1,
  maxLength: 96,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: 2,
  driftEvery: 2,
  evaluationItems: 4,
};

/** Ships the built-in model whole and the first rows of each dataset, which keeps evaluations short. */
const fetchPublic = async (path: string): Promise<Blob> => {
  const bytes = await readFile(new URL(`../../public/${path}`, import.meta.url));
  if (!path.startsWith('data/')) return new Blob([bytes]);
  return new Blob([bytes.toString('utf8').split('\n').slice(0, 12).join('\n')]);
};

const session = new Session(await testAdapters(), fetchPublic);
const events: LabEvent[] = [];
const waiting: { readonly run: RunId; readonly states: readonly RunState[]; readonly resolve: (state: RunState) => void }[] = [];

/** Resolves when a run reports one of these states. */
const reached = (run: RunId, ...states: RunState[]): Promise<RunState> =>
  new Promise((resolve) => {
    const already = events.findLast((event) => event.type === 'state' && event.run === run);
    if (already?.type === 'state' && states.includes(already.state)) resolve(already.state);
    else waiting.push({ run, states, resolve });
  });

const of = <T extends LabEvent['type']>(type: T, run: RunId): Extract<LabEvent, { type: T }>[] =>
  events.filter((event): event is Extract<LabEvent, { type: T }> => event.type === type && 'run' in event && event.run === run);

beforeAll(async () => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    events.push(data);
    if (data.type === 'state') for (const { run, states, resolve } of waiting) if (run === data.run && states.includes(data.state)) resolve(data.state);
  };
  const diagnosis = await session.connect(port2);
  expect(diagnosis.problem).toBeUndefined();
  const { model, datasets } = await session.openBuiltIn();
  expect(model.parameters).toBeGreaterThan(1e6);
  expect(datasets.map(({ role }) => role)).toEqual(['train', 'heldOut', 'outOfDomain']);
});

describe('Session', () => {
  it('estimates memory, time and rank', async () => {
    const { bytes, rank, seconds } = await session.estimate(CONFIG, true);
    expect(bytes.map(({ category }) => category)).toEqual(['weights', 'pretrained', 'gradients', 'moments', 'activations', 'bases']);
    expect(rank.degenerate).toEqual([]);
    expect(seconds).toBeGreaterThan(0);
    expect((await session.estimate({ ...CONFIG, rankFraction: 1 }, false)).rank.degenerate.length).toBeGreaterThan(30);
  });

  it('trains with RPSFT, reporting steps, evaluations and drift, and keeps the weights', async () => {
    const { id } = await session.start(CONFIG);
    expect(await reached(id, 'finished', 'failed')).toBe('finished');
    const steps = of('steps', id).flatMap((event) => event.steps);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(steps.every(({ loss, gradientNorm }) => loss > 0 && gradientNorm > 0)).toBe(true);
    expect(steps[0]!.penalty).toBe(0);
    expect(steps[3]!.penalty).toBeGreaterThan(0);
    expect(of('evaluation', id).map(({ evaluation }) => [evaluation.step, evaluation.inDomain.items])).toEqual([
      [0, 12],
      [2, 4],
      [4, 12],
    ]);
    const drifts = of('drift', id);
    expect(drifts.map(({ drift }) => drift.step)).toEqual([2, 4]);
    expect(drifts[1]!.drift.matrices.length).toBeGreaterThan(30);
    expect(drifts[1]!.drift.matrices.every(({ relativeChange }) => relativeChange > 0 && relativeChange < 0.1)).toBe(true);
  });

  it('answers from base and tuned weights, also while a run is paused, and the two agree with their evaluation', async () => {
    const { id } = await session.start({ ...CONFIG, method: 'sft', learningRate: 3e-3 });
    await session.pause();
    await reached(id, 'paused', 'finished');
    await session.stepOnce();
    const { port1, port2 } = new MessageChannel();
    const stream: StreamEvent[] = [];
    const done = new Promise<void>((resolve) => {
      port1.onmessage = ({ data }: MessageEvent<StreamEvent>) => {
        stream.push(data);
        if (stream.filter(({ type }) => type === 'done').length === 2) resolve();
      };
    });
    await session.ask('George had 21 apples and found 20 more. How many apples are there in all?', ['base', id], { maxNewTokens: 12, temperature: 0, topK: 0, topP: 1, seed: 1 }, port2);
    await done;
    for (const column of [0, 1]) expect(stream.some((event) => event.type === 'token' && event.column === column)).toBe(true);
    const first = stream.find((event) => event.type === 'token' && event.column === 0)!;
    const alternatives = await session.alternatives('base', 'George had 21 apples and found 20 more. How many apples are there in all?', []);
    expect(alternatives).toHaveLength(5);
    if (first.type === 'token') {
      expect(alternatives[0]!.text).toBe(first.text);
      expect(alternatives[0]!.probability).toBeCloseTo(first.probability, 4);
    }
    await session.stop(true);
    expect(await reached(id, 'stopped', 'finished')).toBe('stopped');
    port1.close();
  });

  it('discards a run with everything of it', async () => {
    const { id } = await session.start({ ...CONFIG, method: 'l2sp', lambda: 0.01 });
    await session.stop(false);
    expect(await reached(id, 'stopped')).toBe('stopped');
    await expect(session.exportRun(id)).rejects.toThrow(/not kept/);
  });

  it('exports a zip that reopens to the same losses', async () => {
    const run = (await session.record()).runs[0]!.summary.id;
    const { file, files, verification } = await session.exportRun(run, { kind: 'model', dtype: 'F32', rank: 8 });
    expect(verification.filter(({ passed }) => !passed)).toEqual([]);
    expect(verification).toHaveLength(3);
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['model.safetensors', 'config.json', 'tokenizer.json', 'metrics.jsonl', 'run.json', 'README.md']));
    expect(file!.size).toBeGreaterThan(4e6);
  });

  it('keeps the dataset when a file is bad, and says which row', async () => {
    const result = await session.importFile('train', new File(['{"question":"a","answer":"b #### 1"}\n{"question":"a'], 'bad.jsonl'), []);
    expect(result).toMatchObject({ problem: { file: 'bad.jsonl', row: 2, canSkip: true, stillHolds: expect.stringContaining('still loaded') as string } });
    const skipped = await session.importFile('train', new File(['{"question":"a","answer":"b #### 1"}\n{"question":"a'], 'bad.jsonl'), [2]);
    expect(skipped).toMatchObject({ dataset: { rows: 1, shape: 'GSM8K' } });
    await session.useDemoData();
  });
});
