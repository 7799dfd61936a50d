/** @file Every kind of export of a small model: what is in it, that it is verified, and that a damaged one is found out. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DecodeProgress, Engine, Lab, WeightSet } from '../engine.ts';
import { createEngine } from '../engine.ts';
import { Random } from '../data/random.ts';
import type { WriteFile } from '../formats/folder.ts';
import { inMemory } from '../formats/folder.ts';
import { tinyTokenizerConfig, tinyTokenizerJson } from '../formats/fixtures/tinyTokenizer.ts';
import { openSafetensors } from '../formats/safetensors.ts';
import { readMetricsLines } from '../formats/trainerState.ts';
import { unzipFiles } from '../formats/zip.ts';
import { testGpu } from '../gpu/testing.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { ExportedRun, ExportFacts } from './exporting.ts';
import { exportRun } from './exporting.ts';
import type { ExportOptions, RunConfig } from './protocol.ts';

const CONFIG: RunConfig = {
  method: 'sft',
  recompute: false,
  lambda: 0,
  rankFraction: 0.25,
  tau: 1,
  throughScale: false,
  beta: 0.1,
  learningRate: 5e-4,
  schedule: 'constant',
  warmupSteps: 1,
  steps: 4,
  batchSize: 2,
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
const FACTS: ExportFacts = { adapter: 'a test adapter', dataHashes: { 'train.jsonl': 'ab12' }, base: { name: 'org/base', revision: 'c0ffee' }, chat: false };
const MODEL: ExportOptions = { kind: 'model', dtype: 'F32', rank: 8 };

let engine: Engine;
let lab: Lab;

beforeAll(async () => {
  const fixture = async (name: string): Promise<Blob> => new Blob([await readFile(new URL(`../../reference/fixtures/llama-tied/${name}`, import.meta.url))]);
  engine = createEngine(await testGpu());
  lab = await engine.open(
    new Map([
      ['config.json', await fixture('config.json')],
      ['model.safetensors', await fixture('model.safetensors')],
      ['tokenizer.json', new Blob([JSON.stringify(tinyTokenizerJson())])],
      ['tokenizer_config.json', new Blob([JSON.stringify(tinyTokenizerConfig)])],
    ]),
  );
});

/** A run of one step; its weights are the model's own, or an adapter on them. */
function runOf(weights: WeightSet | undefined): ExportedRun {
  const train = [4, 5, 6].map((length) => ({ ids: Uint32Array.from({ length }, (_, i) => 7 * i + length), trained: Uint8Array.from({ length }, (_, i) => Number(i > 2)), truncated: false }));
  const accuracy = { correct: 1, items: 4, low: 0, high: 0.6 };
  const startedAt = '2026-11-23T12:00:00.000Z';
  return {
    config: CONFIG,
    startedAt,
    completedSteps: 1,
    summary: { id: 'id', config: CONFIG, state: 'stopped', model: 'org/base', dataset: 'train.jsonl', startedAt, completedSteps: 1 },
    weights,
    events: [
      { type: 'steps', run: 'id', steps: [{ step: 1, loss: 2, penalty: 0, gradientNorm: 1, learningRate: 5e-4, trainedTokens: 9, tokensPerSecond: 100, skipped: false }] },
      { type: 'evaluation', run: 'id', evaluation: { step: 1, heldOutLoss: 1.5, outOfDomainLoss: 2.5, inDomain: accuracy, outOfDomain: accuracy, groups: [] } },
    ],
    material: { lab, train, datasetName: 'train.jsonl' },
  };
}

/** r 4 on queries and the way down, with B as far from zero as A. */
function adapted(): AdaptedWeights {
  const { context, weights, architecture } = lab.model;
  const made = AdaptedWeights.create(context, { weights, linears: architecture.linears }, { r: 4, alpha: 8, rsLora: false }, ['q_proj', 'down_proj'], 3);
  const random = new Random(1, 0);
  for (const { b } of made.modules) made.trained.write(context.gpu.device, b, Float32Array.from({ length: b.rows * b.columns }, () => random.uint32() / 2 ** 31 - 1));
  return made;
}

const zip = { writeFile: inMemory, zip: true };
const failed = ({ verification }: Awaited<ReturnType<typeof exportRun>>): string[] => verification.filter(({ passed }) => !passed).map(({ check, detail }) => `${check}: ${detail}`);

describe('export of all weights', () => {
  it('writes a zip with weights, logs and card, and finds it right', async () => {
    const result = await exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, zip);
    expect(failed(result)).toEqual([]);
    expect(result.verification).toHaveLength(3);
    expect(result.verification[2]!.detail).toMatch(/^Largest difference of a logit on 3 prompts: 0\.0/);
    const files = await unzipFiles(result.file!, 'x.zip');
    const text = (name: string): Promise<string> => files.get(`gimbal-sft-1-steps/${name}`)!.text();
    expect([...files.keys()].map((path) => path.replace('gimbal-sft-1-steps/', ''))).toEqual(result.files.map(({ name }) => name));
    expect(JSON.parse(await text('config.json'))).toMatchObject({ torch_dtype: 'float32' });
    expect(JSON.parse(await text('run.json'))).toMatchObject({ format: 1, completedSteps: 1, config: CONFIG, export: MODEL, base: FACTS.base });
    expect(JSON.parse(await text('trainer_state.json'))).toMatchObject({ global_step: 1, max_steps: 4, num_train_epochs: 3 });
    expect(readMetricsLines(await text('metrics.jsonl')).evaluations).toHaveLength(1);
    expect((await text('metrics.csv')).split('\n')).toHaveLength(3);
    expect(await text('README.md')).toContain('| 1 | 1.500 | 25.0% (1 of 4, 95% interval 0.0–60.0) | 2.500 |');
  });

  it.each(['BF16', 'F16'] as const)('rounds to %s, which the check of the logits allows for', async (dtype) => {
    const result = await exportRun(engine, runOf(lab.model.weights), { ...MODEL, dtype }, FACTS, zip);
    expect(failed(result)).toEqual([]);
    const weights = (await unzipFiles(result.file!, 'x.zip')).get('gimbal-sft-1-steps/model.safetensors')!;
    expect(new Set([...(await openSafetensors(weights, 'x')).tensors.values()].map((tensor) => tensor.dtype))).toEqual(new Set([dtype]));
  });

  it('writes every file into a folder where there is one, tensor by tensor, and reports progress', async () => {
    const written = new Map<string, number>();
    const progress: string[] = [];
    const writeFile: WriteFile = async (path, pieces) => {
      const file = await inMemory(path, pieces);
      written.set(path, file.size);
      return file;
    };
    const result = await exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, { writeFile, zip: false, onProgress: (done, total) => progress.push(`${done}/${total}`) });
    expect(failed(result)).toEqual([]);
    expect(result.file).toBeUndefined();
    expect(Object.fromEntries(written)).toEqual(Object.fromEntries(result.files.map(({ name, bytes }) => [name, bytes])));
    const { length } = lab.model.layout.weights;
    expect(progress).toEqual(Array.from({ length }, (_, i) => `${i + 1}/${length}`));
  });

  it('merges an adapter into them', async () => {
    const weights = adapted();
    expect(failed(await exportRun(engine, runOf(weights), MODEL, FACTS, zip))).toEqual([]);
    weights.destroy(lab.model.context.pool);
  });

  it('finds a damaged file out, and says which check failed', async () => {
    const damage: WriteFile = async (path, pieces) => {
      const bytes = new Uint8Array(await (await inMemory(path, pieces)).arrayBuffer());
      if (path === 'model.safetensors') bytes[bytes.length - 2]! ^= 1;
      return new Blob([bytes]);
    };
    const result = await exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, { writeFile: damage, zip: false });
    expect(failed(result)).toEqual([expect.stringMatching(/^Every weight is that of the run: \S+ differs\.$/), expect.stringMatching(/^The reloaded model gives the same logits: Largest difference/)]);
  });

  it('ends when it is asked to, and needs weights', async () => {
    const signal = AbortSignal.abort(new Error('The export was cancelled.'));
    await expect(exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, { ...zip, signal })).rejects.toThrow('The export was cancelled.');
    await expect(exportRun(engine, runOf(undefined), MODEL, FACTS, zip)).rejects.toThrow('no weights to export');
  });

  it('is verified token by token, and ends between them when it is asked to', async () => {
    const stop = new AbortController();
    const told: DecodeProgress[] = [];
    const whole = await exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, { ...zip, onVerifying: (progress) => told.push(progress) });
    expect(failed(whole)).toEqual([]);
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(told.at(-1)).toMatchObject({ done: told[0]!.total, secondsLeft: 0 });
    const stopped = exportRun(engine, runOf(lab.model.weights), MODEL, FACTS, { ...zip, signal: stop.signal, onVerifying: () => stop.abort(new Error('The export was cancelled.')) });
    await expect(stopped).rejects.toThrow('The export was cancelled.');
  });
});

describe('export of an adapter', () => {
  it.each([
    ['peft', 'adapter_model.safetensors'],
    ['mlx', 'adapters.safetensors'],
  ] as const)('%s: written, read back, on the base model the same logits', async (kind, file) => {
    const weights = adapted();
    const result = await exportRun(engine, runOf(weights), { ...MODEL, kind }, FACTS, zip);
    expect(failed(result)).toEqual([]);
    expect(result.verification.map(({ detail }) => detail)).toEqual([expect.anything(), '4 layers, r 4, equal to the last bit.', expect.stringContaining('Largest difference of a logit on 3 prompts')]);
    expect(result.files.map(({ name }) => name)).toEqual(expect.arrayContaining(['adapter_config.json', file, 'tokenizer.json', 'README.md', 'metrics.jsonl', 'run.json']));
    weights.destroy(lab.model.context.pool);
  });

  it('is taken from a full fine-tune, and says how much of it it holds', async () => {
    // What changed has rank 4, of which an adapter of rank 2 holds more than half.
    const merged = adapted();
    const { model } = lab;
    const full = await model.weights.copy(model.context);
    for (const weight of model.layout.weights) if (merged.names.has(weight.name)) full.write(model.context.gpu.device, weight, await merged.read(model.context.gpu.device, weight));
    const exportAt = (rank: number) => exportRun(engine, runOf(full), { ...MODEL, kind: 'peft', rank }, FACTS, zip);
    const part = await exportAt(2);
    expect(failed(part)).toEqual([]);
    expect(part.retainedEnergy).toBeGreaterThan(0.5);
    expect(part.retainedEnergy).toBeLessThan(0.95);
    expect(part.verification[2]!.detail).toMatch(/what the adapter leaves out\. It holds \d\d\.\d% of the change/);
    expect(await (await unzipFiles(part.file!, 'x.zip')).get('gimbal-sft-1-steps-peft/README.md')!.text()).toContain('taken from a full fine-tune by truncated SVD');
    await expect(exportAt(1000)).rejects.toThrow('has a rank from 1 to');
    lab.release(full);
    lab.release(merged);
  });
});
