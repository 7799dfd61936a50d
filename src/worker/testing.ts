/** @file A page without a page: the worker on a disk in memory, with a small model from files, for tests of what outlives a visit. */
import { readFile } from 'node:fs/promises';
import { createEngine } from '../engine.ts';
import { testAdapters, testGpu } from '../gpu/testing.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, NamedFile, Opened, RunConfig, RunId, RunState } from './protocol.ts';
import { Session } from './session.ts';

export const LORA = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'], rsLora: false };

export const CONFIG: RunConfig = {
  method: 'l2sp',
  lambda: 0.1,
  rankFraction: 0.25,
  tau: 1,
  throughScale: false,
  beta: 0.1,
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

export const PERPLEXITY = { role: 'heldOut', measure: 'perplexity', items: 0, samples: 1, temperature: 0, maxNewTokens: 1, seed: 0 } as const;

const publicFile = async (path: string): Promise<Blob> => new Blob([await readFile(new URL(`../../public/${path}`, import.meta.url))]);

/** The model as it is; as data plain text, which is measured without answers being written. */
const fetchPublic = async (path: string): Promise<Blob> => path.startsWith('model/') ? publicFile(path) : new Blob([['one', 'two', 'three', 'four'].map((word) => JSON.stringify({ text: `${path} has ${word} lines, of which this is one.` })).join('\n')]);

/** A folder of a small model with random weights and the tokenizer of the built-in one. */
export async function modelFiles(seed: number): Promise<NamedFile[]> {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, await publicFile(`model/${name}`)] as const)));
  const lab = await createEngine(await testGpu()).create(SMALL, seed, files);
  const written = await lab.exportFolder(lab.model.weights, '');
  lab.destroy();
  return [...written].map(([path, blob]) => ({ path: `small-${seed}/${path}`, file: new File([blob], path) }));
}

export interface PageOptions {
  readonly gpu?: GPU;
  /** What is dropped on it; without it what was open is opened again. */
  readonly files?: readonly NamedFile[];
  /** Where files are kept. */
  readonly kept?: MemoryDirectory;
  /** Where singular bases are kept. */
  readonly bases?: MemoryDirectory;
}

/** A page on a disk: its worker, and what it was told. */
export async function openPage(disk: MemoryDirectory, { gpu, files, kept = memoryDirectory(), bases = memoryDirectory() }: PageOptions = {}) {
  const disks: Readonly<Record<string, MemoryDirectory>> = { runs: disk, files: kept, bases };
  const session = new Session(gpu ?? (await testAdapters()), { fetchPublic, fetch, openDirectory: async (name) => disks[name] ?? memoryDirectory(), browser: 'Node' });
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
  const opened: Opened = await (files ? session.openFiles(files, 'f32') : session.reopen());
  return { session, opened, events, heard, ended, close: () => port1.close() };
}

/** A disk as it was left by a tab that dies now. */
export function copyOf(disk: MemoryDirectory): MemoryDirectory {
  const copy = memoryDirectory();
  for (const [name, bytes] of disk.files) copy.files.set(name, bytes);
  return copy;
}
