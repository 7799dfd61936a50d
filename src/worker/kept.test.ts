/** @file Runs that outlive the page: kept, taken up again after a reload or a lost device, queued, bundled; and what is said when the disk is full. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../engine.ts';
import { testAdapters, testGpu } from '../gpu/testing.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, NamedFile, RunConfig, RunId, RunState, StoredRun } from './protocol.ts';
import { Session } from './session.ts';

const LORA = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'], rsLora: false };

const CONFIG: RunConfig = {
  method: 'l2sp',
  lambda: 0.1,
  rankFraction: 0.25,
  learningRate: 1e-2,
  schedule: 'linear',
  warmupSteps: 1,
  steps: 4,
  batchSize: 2,
  accumulation: 2,
  maxLength: 64,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.01,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: 2,
  driftEvery: 0,
  evaluationItems: 2,
  recompute: false,
};

const SMALL = { model_type: 'llama', vocab_size: 1280, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, tie_word_embeddings: true, max_position_embeddings: 128, initializer_range: 0.2 };

const publicFile = async (path: string): Promise<Blob> => new Blob([await readFile(new URL(`../../public/${path}`, import.meta.url))]);

/** The first rows of each dataset. */
const fetchPublic = async (path: string): Promise<Blob> => {
  const blob = await publicFile(path);
  return path.startsWith('data/') ? new Blob([(await blob.text()).split('\n').slice(0, 4).join('\n')]) : blob;
};

/** A folder of a small model with random weights and the tokenizer of the built-in one. */
async function modelFiles(seed: number): Promise<NamedFile[]> {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, await publicFile(`model/${name}`)] as const)));
  const lab = await createEngine(await testGpu()).create(SMALL, seed, files);
  const written = await lab.exportFolder(lab.model.weights, '');
  lab.destroy();
  return [...written].map(([path, blob]) => ({ path: `small-${seed}/${path}`, file: new File([blob], path) }));
}

let adapters: GPU;
let model: readonly NamedFile[];
beforeAll(async () => {
  adapters = await testAdapters();
  model = await modelFiles(1);
});

/** A page on a disk: its worker, and what it was told. */
async function openPage(disk: MemoryDirectory, { gpu = adapters, files = model }: { gpu?: GPU; files?: readonly NamedFile[] } = {}) {
  const session = new Session(gpu, { fetchPublic, fetch, openDirectory: async (name) => (name === 'runs' ? disk : memoryDirectory()), browser: 'Node' });
  const events: LabEvent[] = [];
  let waiting: { readonly isIt: (event: LabEvent) => boolean; readonly resolve: (event: LabEvent) => void }[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    events.push(data);
    for (const { resolve } of waiting.filter(({ isIt }) => isIt(data))) resolve(data);
    waiting = waiting.filter(({ isIt }) => !isIt(data));
  };
  /** The first event of a kind, past or to come. */
  const heard = (isIt: (event: LabEvent) => boolean): Promise<LabEvent> =>
    new Promise((resolve) => {
      const past = events.find(isIt);
      if (past) resolve(past);
      else waiting.push({ isIt, resolve });
    });
  const ended = async (run: RunId, ...states: RunState[]): Promise<RunState> => {
    const event = await heard((each) => each.type === 'state' && each.run === run && ['finished', 'stopped', 'failed'].includes(each.state) && (states.length === 0 || states.includes(each.state)));
    return event.type === 'state' ? event.state : 'failed';
  };
  await session.connect(port2);
  await session.openFiles(files, 'f32');
  return { session, events, heard, ended, close: () => port1.close() };
}

/** A disk as it was left by a tab that dies now. */
function copyOf(disk: MemoryDirectory): MemoryDirectory {
  const copy = memoryDirectory();
  for (const [name, bytes] of disk.files) copy.files.set(name, bytes);
  return copy;
}

/** The measurements of a run, without the times that they took. */
const measured = ({ events }: Pick<StoredRun, 'events'>): unknown => ({
  steps: events.flatMap((event) => (event.type === 'steps' ? event.steps.map(({ tokensPerSecond: _, ...rest }) => rest) : [])),
  evaluations: events.flatMap((event) => (event.type === 'evaluation' && event.evaluation.step > 0 ? [{ ...event.evaluation, seconds: 0 }] : [])),
});

/** Copies of a disk as a tab leaves it that dies when it begins to write a file. */
function diesAt(disk: MemoryDirectory, file: RegExp): () => MemoryDirectory {
  let left: MemoryDirectory | undefined;
  const append = disk.append.bind(disk);
  disk.append = (name) => {
    if (file.test(name)) left ??= copyOf(disk);
    return append(name);
  };
  return () => left!;
}

/** What is written first after the last step, when the checkpoint of the second is there: another where it costs little, else the weights. */
const AFTER_TRAINING = /\.(4\.checkpoint|safetensors)\.part$/;

const bytesOf = (disk: MemoryDirectory, run: RunId): Uint8Array => disk.files.get(`${run}.safetensors`)!;

describe('runs on disk', () => {
  it.each([
    ['all weights', CONFIG],
    ['an adapter', { ...CONFIG, lora: LORA }],
  ])('go on after a reload to the same bits: %s', async (_, config) => {
    const disk = memoryDirectory();
    const left = diesAt(disk, AFTER_TRAINING);
    const before = await openPage(disk);
    const { id } = await before.session.start(config);
    expect(await before.ended(id)).toBe('finished');
    const [straight] = await before.session.storedRuns();
    expect(straight).toMatchObject({ summary: { id, state: 'finished', completedSteps: 4 }, hasWeights: true, environment: { browser: 'Node' }, notes: { tags: [], pinned: false } });
    before.close();

    const after = await openPage(left());
    const [interrupted] = await after.session.storedRuns();
    expect(interrupted).toMatchObject({ summary: { id, state: 'failed', completedSteps: 4 }, hasWeights: false, resumableFrom: 2 });
    expect(interrupted!.events.at(-1)).toMatchObject({ message: 'The page was left at step 4. Nothing is lost: the run goes on from step 2, bit for bit.' });
    await after.session.resumeRun(id);
    expect(await after.ended(id)).toBe('finished');
    const [resumed] = await after.session.storedRuns();
    expect(measured(resumed!)).toEqual(measured(straight!));
    expect(bytesOf(left(), id)).toEqual(bytesOf(disk, id));
    after.close();
  });
});
