/**
 * @file Writes every kind of export that the page writes, of a small random checkpoint of each family in reference/fixtures, for check_export.py to
 * open: FOLDER/<model>/base, and beside it one folder an export with expected.json, in which stand the logits that the engine gives.
 *
 *     node scripts/run.mjs reference/export.ts FOLDER && python reference/check_export.py FOLDER
 */
import { existsSync, openAsBlob } from 'node:fs';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { folderFiles, repository } from '../bench/node.ts';
import { Random } from '../src/data/random.ts';
import type { FineTuneSettings, Lab, ModelFiles, TokenisedExample, WeightSet } from '../src/engine.ts';
import { createEngine } from '../src/engine.ts';
import { readPeftAdapter } from '../src/formats/peft.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { AdaptedWeights } from '../src/models/adapter.ts';
import type { ExportedRun } from '../src/worker/exporting.ts';
import { exportRun } from '../src/worker/exporting.ts';
import type { ExportOptions, RunConfig, StepMetrics } from '../src/worker/protocol.ts';
import { writeTwinRuns } from './exportTwin.ts';

const STEPS = 3;
const LENGTH = 20;
/** Tokens of a prompt: those of an example that are not trained. */
const PROMPT = 9;
const CONFIG: RunConfig = {
  method: 'sft',
  recompute: false,
  lambda: 0,
  rankFraction: 0.5,
  tau: 1,
  throughScale: false,
  beta: 0.1,
  learningRate: 3e-3,
  schedule: 'constant',
  warmupSteps: 0,
  steps: STEPS,
  batchSize: 4,
  accumulation: 1,
  maxLength: LENGTH,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: STEPS,
  driftEvery: STEPS,
  evaluationItems: 4,
};
const SETTINGS: FineTuneSettings = {
  method: CONFIG.method,
  lambda: CONFIG.lambda,
  rankFraction: CONFIG.rankFraction,
  optimizer: { beta1: CONFIG.beta1, beta2: CONFIG.beta2, epsilon: CONFIG.epsilon, weightDecay: CONFIG.weightDecay, clipNorm: CONFIG.clipNorm },
  schedule: { kind: CONFIG.schedule, learningRate: CONFIG.learningRate, warmupSteps: CONFIG.warmupSteps, steps: STEPS },
  batchSize: CONFIG.batchSize,
  accumulation: CONFIG.accumulation,
  length: LENGTH,
  seed: CONFIG.seed,
};
/** Families of linear layers and of Conv1D; for one of each there is every kind of export. */
const THOROUGH = new Set(['llama-tied', 'gpt2']);
const MODEL: ExportOptions = { kind: 'model', dtype: 'F32', rank: 4 };

const target = process.argv[2];
if (!target) throw new Error('Usage: node scripts/run.mjs reference/export.ts FOLDER');
const engine = createEngine(await testGpu());

/** One token a character, so that a checkpoint of any small vocabulary has a tokenizer that transformers opens. */
function tokenizerFiles(vocabulary: number): ModelFiles {
  const end = '<end>';
  const vocab = Object.fromEntries([end, ...Array.from({ length: vocabulary - 1 }, (_, i) => String.fromCharCode(0x41 + i))].map((token, id) => [token, id]));
  const tokenizer = {
    version: '1.0',
    added_tokens: [{ id: 0, content: end, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', unk_token: null, vocab, merges: [] },
  };
  return new Map([
    ['tokenizer.json', new Blob([JSON.stringify(tokenizer)])],
    ['tokenizer_config.json', new Blob([JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: end })])],
  ]);
}

/** Random tokens, of which the last are trained. */
function randomExamples(vocabulary: number): TokenisedExample[] {
  const random = new Random(1, 0);
  return Array.from({ length: 8 }, (_, i) => {
    const ids = Uint32Array.from({ length: PROMPT + 3 + i }, () => random.uint32() % vocabulary);
    return { ids, trained: Uint8Array.from(ids, (__, at) => Number(at >= PROMPT)), truncated: false };
  });
}

async function writeFiles(folder: string, files: ModelFiles): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [path, blob] of files) await writeFile(join(folder, path), Buffer.from(await blob.arrayBuffer()));
}

/** Exports as the page does into a folder that a person chose, and says what the engine gives for it. */
async function write(folder: string, lab: Lab, base: string, examples: readonly TokenisedExample[], options: ExportOptions, weights: WeightSet, steps: readonly StepMetrics[]): Promise<void> {
  const startedAt = new Date().toISOString();
  const run: ExportedRun = {
    config: CONFIG,
    startedAt,
    completedSteps: steps.length,
    summary: { id: 'interop', config: CONFIG, state: 'finished', model: base, dataset: 'random tokens', startedAt, completedSteps: steps.length },
    events: [{ type: 'steps', run: 'interop', steps }],
    weights,
    material: { lab, train: examples, datasetName: 'random tokens' },
  };
  const facts = { adapter: engine.gpu.facts.description, dataHashes: {}, base: { name: base }, chat: false };
  const toDisk = async (path: string, pieces: AsyncIterable<Uint8Array>): Promise<Blob> => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(file, 'w');
    for await (const piece of pieces) await handle.write(piece);
    await handle.close();
    return openAsBlob(file);
  };
  const { verification, retainedEnergy } = await exportRun(engine, run, options, facts, { writeFile: toDisk, zip: false });
  for (const { check, passed, detail } of verification) if (!passed) throw new Error(`${folder}: ${check}: ${detail}`);

  // Rounded weights and an extracted adapter are not what the run had: the engine reads what Python reads.
  const rounded = options.kind === 'model' && options.dtype !== 'F32' ? await engine.open(await folderFiles(folder)) : undefined;
  const { tensors } = lab.folder.weights;
  const extracted = retainedEnergy === undefined ? undefined : lab.attachAdapter(await readPeftAdapter(await folderFiles(folder), { name: base, modelType: String(lab.folder.config['model_type']), tensors }));
  const prompts = [];
  for (const example of examples.slice(0, 3)) {
    const ids = [...example.ids.subarray(0, PROMPT)];
    prompts.push({ ids, logits: [...(await (rounded ? rounded.logits(ids) : lab.logits(ids, extracted ?? weights)))] });
  }
  rounded?.destroy();
  if (extracted) lab.release(extracted);
  await writeFile(join(folder, 'expected.json'), JSON.stringify({ ...options, base: options.kind === 'model' ? null : base, steps: steps.length, prompts }));
  console.log(`${folder}: ${verification.at(-1)!.detail}`);
}

for (const name of await readdir(join(repository, 'reference/fixtures'))) {
  const fixture = join(repository, 'reference/fixtures', name);
  if (!existsSync(join(fixture, 'model.safetensors'))) continue;
  const config = JSON.parse(await readFile(join(fixture, 'config.json'), 'utf8')) as { vocab_size: number };
  const files = await folderFiles(fixture);
  const base: ModelFiles = new Map([...['config.json', 'model.safetensors'].map((path) => [path, files.get(path)!] as const), ...tokenizerFiles(config.vocab_size)]);
  const folder = join(target, name);
  await writeFiles(join(folder, 'base'), base);
  const lab = await engine.open(base);
  const { context, weights, architecture } = lab.model;
  const examples = randomExamples(config.vocab_size);
  const into = (kind: string, options: Partial<ExportOptions>, of: WeightSet, steps: readonly StepMetrics[]): Promise<void> =>
    write(join(folder, kind), lab, join(folder, 'base'), examples, { ...MODEL, ...options }, of, steps);

  const train = async (settings: Partial<FineTuneSettings>, work: (weights: WeightSet, steps: readonly StepMetrics[]) => Promise<void>): Promise<void> => {
    const run = await lab.fineTune({ ...SETTINGS, ...settings }, examples);
    for (let step = 0; step < STEPS; step++) run.submitStep();
    await work(run.weights, (await run.readMetrics()).map((record) => ({ ...record, learningRate: run.learningRate(record.step), trainedTokens: 0, tokensPerSecond: 0 })));
    run.destroy();
  };
  await train({}, async (trained, steps) => {
    await into('trained', {}, trained, steps);
    if (!THOROUGH.has(name)) return;
    for (const dtype of ['BF16', 'F16'] as const) await into(`trained-${dtype}`, { dtype }, trained, steps);
    await into('extracted', { kind: 'peft' }, trained, steps);
  });
  if (THOROUGH.has(name)) {
    const lora = { rank: 4, alpha: 8, rsLora: false, targets: architecture.defaultTargets };
    const schedule = { ...SETTINGS.schedule, learningRate: 0.1 };
    await train({ method: 'rpsft', lambda: 1, lora, schedule }, (trained, steps) => into('trained-adapter', { kind: 'peft' }, trained, steps));
  }
  if (name === 'llama-tied') await writeTwinRuns(folder, lab, join(folder, 'base'), examples, SETTINGS);

  const adapted = AdaptedWeights.create(context, { weights, linears: architecture.linears }, { r: 3, alpha: 6, rsLora: name === 'llama-tied' }, architecture.defaultTargets, 1);
  const random = new Random(2, 0);
  for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, Float32Array.from({ length: b.rows * b.columns }, () => 0.2 * (random.uint32() / 2 ** 31 - 1)));
  await into('merged', {}, adapted, []);
  await into('peft', { kind: 'peft' }, adapted, []);
  await into('mlx', { kind: 'mlx' }, adapted, []);
  adapted.destroy(context.pool);
  lab.destroy();
}
process.exit(0);
