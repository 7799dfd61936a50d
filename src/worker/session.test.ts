/** @file The whole worker without a page: open, import, train with every method, pause, ask, export, reopen. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { testAdapters } from '../gpu/testing.ts';
import type { LabEvent, RunConfig, RunId, RunState, StreamEvent } from './protocol.ts';
import { memoryDirectory } from '../storage/testing.ts';
import { startHub } from '../../e2e/hub-server.ts';
import { Session } from './session.ts';

const CONFIG: RunConfig = {
  method: 'rpsft',
  lambda: 10,
  rankFraction: 0.25,
  tau: 1,
  throughScale: false,
  beta: 0.1,
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
  recompute: false,
};

const MODEL = { kind: 'model', dtype: 'F32', rank: 8 } as const;
const SUITE = { role: 'heldOut', columns: ['base'], measure: 'perplexity', items: 0, samples: 1, temperature: 0, maxNewTokens: 16, seed: 0 } as const;
const LORA = { rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'], rsLora: false };

/** Ships the built-in model whole and the first rows of each dataset, which keeps evaluations short. */
const fetchPublic = async (path: string): Promise<Blob> => {
  const bytes = await readFile(new URL(`../../public/${path}`, import.meta.url));
  if (!path.startsWith('data/')) return new Blob([bytes]);
  return new Blob([bytes.toString('utf8').split('\n').slice(0, 12).join('\n')]);
};

const hub = await startHub({ 'gimbal/small': { files: await builtInFiles() } });
const session = new Session(await testAdapters(), { fetchPublic, fetch, openDirectory: async () => memoryDirectory(), browser: 'Node' });

/** The built-in model as a repository of a hub. */
async function builtInFiles(): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const names = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(new URL(`../../public/model/${name}`, import.meta.url)))] as const)));
}
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
    expect(bytes.map(({ category }) => category)).toEqual(['weights', 'pretrained', 'gradients', 'moments', 'activations', 'logits', 'bases', 'other']);
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
    await expect(session.exportRun(id, MODEL)).rejects.toThrow(/not kept/);
  });

  it('exports a zip that reopens to the same losses', async () => {
    const run = (await session.record()).runs[0]!.summary.id;
    const { file, files, verification } = await session.exportRun(run, MODEL);
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

  it('trains adapters, exports them, reads them back onto the model, and goes on from there', async () => {
    const { id } = await session.start({ ...CONFIG, lora: LORA, recompute: true });
    expect(await reached(id, 'finished', 'failed')).toBe('finished');
    expect(of('drift', id).at(-1)!.drift.matrices.every(({ name }) => /q_proj|down_proj/.test(name))).toBe(true);
    const before = (await session.evaluate({ ...SUITE, columns: [id] })).columns[0]!.score;
    for (const kind of ['peft', 'mlx', 'model'] as const) {
      const { file, verification } = await session.exportRun(id, { ...MODEL, kind });
      expect(verification.filter(({ passed }) => !passed), kind).toEqual([]);
      const opened = await session.openFiles([{ path: file!.name, file: file! }], 'f32');
      expect(opened.run, kind).toMatchObject({ state: 'finished', completedSteps: 4, importedFrom: file!.name.replace('.zip', ''), config: { method: 'rpsft', learningRate: CONFIG.learningRate } });
      expect(opened.events!.filter(({ type }) => type === 'evaluation'), kind).toHaveLength(3);
      const after = (await session.evaluate({ ...SUITE, columns: [opened.run!.id] })).columns[0]!.score;
      // Merged weights round where the adapter's two products did not.
      expect(Math.abs(after.value / before.value - 1), kind).toBeLessThan(1e-5);
      if (kind !== 'peft') continue;
      const { id: next } = await session.start({ ...opened.run!.config, startFrom: opened.run!.id, steps: 2 });
      expect(await reached(next, 'finished', 'failed')).toBe('finished');
      expect(of('steps', next)[0]!.steps[0]!.penalty, 'an adapter that has moved is penalised from the first step').toBeGreaterThan(0);
    }
  });

  it('evaluates base and runs on demand, and shows the items', async () => {
    const [run] = (await session.record()).runs;
    const columns = ['base', run!.summary.id] as const;
    const report = await session.evaluate({ ...SUITE, role: 'outOfDomain', measure: 'generation', columns, items: 6, maxNewTokens: 8 });
    expect(report.columns.map(({ column, score, stopRate }) => [column, score.items, stopRate!.items])).toEqual(columns.map((column) => [column, 6, 6]));
    const all = await session.evaluatedItems(report.id, 'all', 0, 10);
    expect(all.total).toBe(6);
    const right = all.items.reduce((sum, { answers }) => sum + answers[0]!.score!, 0);
    expect(right / 6).toBe(report.columns[0]!.score.value);
    const failures = await session.evaluatedItems(report.id, 'failures', 0, 10);
    expect(failures.items.every(({ answers }) => answers.some(({ score }) => score === 0))).toBe(true);
    await expect(session.evaluate({ ...SUITE, measure: 'choice' })).rejects.toThrow('Row 1 of demo-heldout.jsonl has no options to choose from');
    await expect(session.evaluatedItems('gone', 'all', 0, 1)).rejects.toThrow('evaluate again');
  });

  it('says that a run fits, and estimates adapters and half precision smaller', async () => {
    expect(await session.checkFit(CONFIG)).toEqual({ fits: true });
    const total = async (config: RunConfig): Promise<number> => (await session.estimate(config, false)).bytes.reduce((sum, { bytes }) => sum + bytes, 0);
    const full = await total(CONFIG);
    const weights = 4 * (await session.openBuiltIn()).model.parameters;
    // The copy that is trained, its gradients and two moments go.
    expect(full - (await total({ ...CONFIG, lora: LORA }))).toBeGreaterThan(3.9 * weights);
  });

  it('keeps the open model when another cannot be opened', async () => {
    const before = (await session.openBuiltIn()).model;
    const config = new File(['{"model_type":"mamba"}'], 'config.json');
    await expect(session.openFiles([{ path: 'm/config.json', file: config }, { path: 'm/model.safetensors', file: new File([], 'model.safetensors') }], 'f32')).rejects.toThrow(/model\.safetensors/);
    await expect(session.openFiles([{ path: 'notes.md', file: new File(['x'], 'notes.md') }], 'f32')).rejects.toThrow(/no model/);
    await expect(session.openHub({ host: hub.url, repo: 'gimbal/none', revision: 'main' }, 'f32')).rejects.toThrow(/gimbal\/none/);
    expect((await session.openBuiltIn()).model).toEqual(before);
  });

  it('looks a model up on a hub, downloads it, keeps it in the cache, and opens it in half precision with the data as it was', async () => {
    const request = { host: hub.url, repo: 'gimbal/small', revision: 'main' };
    const info = await session.hubInfo(request);
    expect([info.cachedBytes, info.files.some(({ path }) => path === 'model.safetensors')]).toEqual([0, true]);
    const { model, datasets } = await session.openHub(request, 'bf16');
    expect(model).toMatchObject({ source: 'hub', name: 'gimbal/small', revision: info.commit, precision: 'bf16', storedAs: 'F32' });
    expect(datasets.map(({ name }) => name)).toEqual(['demo-train.jsonl', 'demo-heldout.jsonl', 'ood.jsonl']);
    expect((await session.record()).runs, 'runs of the other model are let go').toEqual([]);
    expect(events.some((event) => event.type === 'phase' && event.phase === 'download')).toBe(true);
    expect((await session.hubInfo(request)).cachedBytes).toBe(info.bytes);
    const { id } = await session.start({ ...CONFIG, lora: LORA, steps: 1 });
    expect(await reached(id, 'finished', 'failed')).toBe('finished');
    expect((await session.storage()).models).toMatchObject([{ repo: 'gimbal/small', complete: true }]);
    expect((await session.removeCached('all')).models).toEqual([]);
    await hub.close();
  });
});
