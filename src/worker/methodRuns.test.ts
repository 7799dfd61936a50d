/** @file Every method of the table as the page asks for it: all of its settings reach the engine, and a run of two steps ends with weights. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../engine.ts';
import { testAdapters, testGpu } from '../gpu/testing.ts';
import { METHODS, parametersOf } from '../methods/registry.ts';
import { memoryDirectory } from '../storage/testing.ts';
import { settingsOf } from './learner.ts';
import type { LabEvent, NamedFile, RunConfig, RunState, StepMetrics } from './protocol.ts';
import { Session } from './session.ts';

const CONFIG: RunConfig = {
  method: 'sft',
  lambda: 0.5,
  rankFraction: 0.25,
  tau: 0.7,
  throughScale: true,
  beta: 0.3,
  learningRate: 5e-4,
  schedule: 'constant',
  warmupSteps: 0,
  steps: 2,
  batchSize: 2,
  accumulation: 1,
  maxLength: 48,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: 2,
  driftEvery: 0,
  evaluationItems: 10,
  recompute: false,
};

const SMALL = { model_type: 'llama', vocab_size: 1280, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, tie_word_embeddings: true, max_position_embeddings: 64, initializer_range: 0.2 };

/** Two rows of plain text a dataset: their evaluation writes no answers. */
const fetchPublic = async (path: string): Promise<Blob> => new Blob([['one', 'two'].map((word) => JSON.stringify({ text: `${path} has ${word} lines, of which this is one.` })).join('\n')]);

/** The folder of a small model with random weights and the tokenizer of the built-in one. */
async function modelFiles(): Promise<NamedFile[]> {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, new Blob([await readFile(new URL(`../../public/model/${name}`, import.meta.url))])] as const)));
  const lab = await createEngine(await testGpu()).create(SMALL, 1, files);
  const written = await lab.exportFolder(lab.model.weights, '');
  lab.destroy();
  return [...written].map(([path, blob]) => ({ path: `small/${path}`, file: new File([blob], path) }));
}

const session = new Session(await testAdapters(), { fetchPublic, fetch, openDirectory: async () => memoryDirectory(), browser: 'Node' });
const events: LabEvent[] = [];
const { port1, port2 } = new MessageChannel();

const waiting = new Map<string, (state: RunState) => void>();

/** The state that a run ends in. */
const ended = (run: string): Promise<RunState> => new Promise((resolve) => waiting.set(run, resolve));

beforeAll(async () => {
  port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    events.push(data);
    if (data.type === 'state' && ['finished', 'stopped', 'failed'].includes(data.state)) waiting.get(data.run)?.(data.state);
  };
  await session.connect(port2);
  await session.openFiles(await modelFiles(), 'f32');
});

describe('settingsOf', () => {
  it('passes every parameter of every method on', () => {
    for (const { id } of METHODS) {
      const config = { ...CONFIG, method: id };
      const settings = settingsOf(config, 48);
      for (const parameter of parametersOf(config)) expect(settings[parameter.id], `${id} ${parameter.id}`).toBe(config[parameter.id]);
    }
    expect(settingsOf({ ...CONFIG, method: 'dft', penalty: 'l2sp' }, 48)).toMatchObject({ method: 'dft', penalty: 'l2sp' });
  });
});

describe('a run of two steps', () => {
  const alone = METHODS.map(({ id, penalty }): Partial<RunConfig> => ({ method: id, lambda: penalty === undefined ? 0 : 0.5 }));

  it.each([...alone, { method: 'dft', penalty: 'rpsft' }] satisfies Partial<RunConfig>[])('with $method', async (choice) => {
    const config = { ...CONFIG, ...choice };
    const { id } = await session.start(config);
    expect(await ended(id)).toBe('finished');
    const steps = events.flatMap((event): readonly StepMetrics[] => (event.type === 'steps' && event.run === id ? event.steps : []));
    expect(steps.map(({ step, skipped }) => [step, skipped])).toEqual([[1, false], [2, false]]);
    for (const { loss, gradientNorm } of steps) expect([loss, gradientNorm].every((value) => value > 0 && Number.isFinite(value))).toBe(true);
    expect(steps[1]!.penalty > 0, 'it penalises what has moved').toBe(parametersOf(config).some((parameter) => parameter.id === 'lambda'));
  });
});
