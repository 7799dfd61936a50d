/** @file Measurements on demand through the session: all four kinds, beside a run of another k, cancelled, and of one matrix. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../engine.ts';
import { testAdapters, testGpu } from '../gpu/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, NamedFile, ProbeReport, ProbeRequest, RunConfig, RunId, RunState } from './protocol.ts';
import { Session } from './session.ts';

const CONFIG: RunConfig = {
  method: 'sft', lambda: 0, rankFraction: 0.25, tau: 1, throughScale: false, beta: 0.1, learningRate: 1e-2, schedule: 'constant', warmupSteps: 0, steps: 3, batchSize: 2, accumulation: 1, maxLength: 48,
  beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0, clipNorm: 1, seed: 1, evaluateEvery: 100, driftEvery: 0, evaluationItems: 1, recompute: false,
};
const SMALL = { model_type: 'llama', vocab_size: 1280, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, tie_word_embeddings: true, max_position_embeddings: 64, initializer_range: 0.2 };
const MATRIX = 'model.layers.0.self_attn.q_proj.weight';

const publicFile = async (path: string): Promise<Blob> => new Blob([await readFile(new URL(`../../public/${path}`, import.meta.url))]);
const rows = ['red', 'blue', 'green', 'black'].map((colour, i) => JSON.stringify({ question: `What has ${i + 2} legs?`, answer: `a ${colour} chair` })).join('\n');

async function smallModel(): Promise<NamedFile[]> {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, await publicFile(`model/${name}`)] as const)));
  const lab = await createEngine(await testGpu()).create(SMALL, 1, files);
  const written = await lab.exportFolder(lab.model.weights, '');
  lab.destroy();
  return [...written].map(([path, blob]) => ({ path: `small/${path}`, file: new File([blob], path) }));
}

const events: LabEvent[] = [];
let session: Session;
let run: RunId;

const until = async (id: RunId, ...states: RunState[]): Promise<void> => {
  while (!events.some((event) => event.type === 'state' && event.run === id && states.includes(event.state))) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function probe<K extends ProbeRequest['kind']>(request: Extract<ProbeRequest, { kind: K }>): Promise<Extract<ProbeReport, { request: { kind: K } }>> {
  return (await session.probe(request)) as Extract<ProbeReport, { request: { kind: K } }>;
}

beforeAll(async () => {
  session = new Session(await testAdapters(), { fetchPublic: async (path) => (path.startsWith('data/') ? new Blob([rows]) : publicFile(path)), fetch, openDirectory: async () => memoryDirectory(), browser: 'Node' });
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<LabEvent>) => void events.push(data);
  await session.connect(port2);
  await session.openBuiltIn();
  await session.openFiles(await smallModel(), 'f32');
  run = (await session.start(CONFIG)).id;
  await until(run, 'finished', 'failed');
});

describe('probe', () => {
  it('finds the Fisher share of the base model and of the run, against random and tail blocks', async () => {
    const base = await probe({ kind: 'fisher', run, role: 'train', items: 3, of: 'base', tail: true });
    const tuned = await probe({ kind: 'fisher', run, role: 'train', items: 3, of: 'run', tail: false });
    expect(base).toMatchObject({ step: 0, examples: 3 });
    expect(tuned).toMatchObject({ step: 3, examples: 3 });
    expect(base.fisher.whole.random!.ratio).toBeGreaterThan(0);
    expect(base.fisher.whole.tail).toBeDefined();
    expect(tuned.fisher.whole.tail).toBeUndefined();
    expect(base.fisher.matrices.map(({ k }) => k)).toContain(8);
    expect(tuned.fisher.whole.energy).not.toBe(base.fisher.whole.energy);
    expect(events.some((event) => event.type === 'phase' && event.phase === 'probe' && event.unit === 'parts' && event.done === event.total)).toBe(true);
  });

  it('finds the drift of states and outputs, with intervals around the mean over tokens', async () => {
    const states = await probe({ kind: 'representation', run, role: 'heldOut', items: 0 });
    expect(states.states.map(({ layer }) => layer)).toEqual([0, undefined]);
    expect(states.states.every(({ cosine }) => cosine < 1)).toBe(true);
    expect(states.examples).toBe(4);
    const { divergences, examples } = await probe({ kind: 'output', run, role: 'outOfDomain', items: 2 });
    expect(examples).toBe(2);
    for (const { mean, low, high } of Object.values(divergences)) {
      expect(mean).toBeGreaterThan(0);
      expect(low).toBeLessThanOrEqual(mean + 1e-9);
      expect(high).toBeGreaterThanOrEqual(mean - 1e-9);
    }
  });

  it('puts parts of the block back and scores each on both suites, the base as an evaluation does', async () => {
    const { rows: found, measures, examples } = await probe({ kind: 'restore', run, items: 0 });
    expect(found.map(({ weights }) => weights)).toEqual(['base', 'tuned', 'values', 'rotation', 'block']);
    expect(examples).toBe(8);
    expect(found[1]!.inDomain.change).toBeUndefined();
    expect(found[2]!.inDomain.change!.mean).toBeCloseTo(found[2]!.inDomain.score.value - found[1]!.inDomain.score.value, 12);
    const evaluated = await session.evaluate({ role: 'outOfDomain', columns: ['base', run], measure: measures.outOfDomain, items: 0, samples: 1, temperature: 0, maxNewTokens: 8, seed: 0 });
    expect(found.slice(0, 2).map(({ outOfDomain }) => outOfDomain.score.value)).toEqual(evaluated.columns.map(({ score }) => score.value));
  });

  it('gives one matrix as the run has it now, and names one that has none', async () => {
    const { step, matrix } = await session.matrixDetail(run, MATRIX);
    expect(step).toBe(3);
    expect(matrix.leftAlignment).toHaveLength(matrix.k ** 2);
    expect(matrix.relativeChange).toBeGreaterThan(0);
    await expect(session.matrixDetail(run, 'nothing')).rejects.toThrow(/nothing has no singular basis/);
  });

  it('works beside a run of another k, whose bases stay, and on that run while it trains', async () => {
    const { id } = await session.start({ ...CONFIG, method: 'rpsft', lambda: 1, rankFraction: 0.5, steps: 400 });
    await until(id, 'running', 'failed');
    const other = await probe({ kind: 'fisher', run, role: 'train', items: 1, of: 'run', tail: false });
    const live = await session.matrixDetail(id, MATRIX);
    expect(other.fisher.matrices.map(({ k }) => k)).toContain(8);
    expect(live.matrix.k).toBe(16);
    await session.stop(true);
    await until(id, 'stopped', 'failed');
    expect(events.findLast((event) => event.type === 'state' && event.run === id)).toMatchObject({ state: 'stopped' });
    // The bases of this run are those that were held: the first run's were its measurement's own.
    expect((await session.matrixDetail(run, MATRIX)).matrix.k).toBe(8);
  });

  it('is one at a time, and ends when it is cancelled', async () => {
    const going = session.probe({ kind: 'output', run, role: 'train', items: 0 });
    const ended = going.catch((error: unknown) => error);
    await expect(session.probe({ kind: 'output', run, role: 'train', items: 0 })).rejects.toThrow(/is going on/);
    await session.cancelProbe();
    expect(await ended).toEqual(new Error('The measurement was stopped.'));
    await expect(probe({ kind: 'output', run, role: 'train', items: 1 })).resolves.toMatchObject({ examples: 1 });
  });
});
