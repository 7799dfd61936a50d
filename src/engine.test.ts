/** @file Runs with adapters through the public entry: continued, kept, given out, brought back, and what cannot go on named. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAsBlob } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { FineTuneSettings, Lab, TokenisedExample } from './engine.ts';
import { createEngine, runSize } from './engine.ts';
import { testGpu } from './gpu/testing.ts';
import { methodInfo } from './methods/registry.ts';

const MODEL = new URL('../public/model/', import.meta.url).pathname;

const CONFIG = { model_type: 'llama', vocab_size: 1280, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, tie_word_embeddings: true, initializer_range: 0.2 };

const LORA = { rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'], rsLora: false };

const SETTINGS: FineTuneSettings = {
  method: 'sft',
  lora: LORA,
  lambda: 1,
  rankFraction: 0.25,
  optimizer: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 1e-2, warmupSteps: 0, steps: 8 },
  batchSize: 2,
  accumulation: 1,
  length: 16,
  seed: 3,
};

const examples: readonly TokenisedExample[] = [5, 6].map((first) => ({ ids: Uint32Array.from({ length: 16 }, (_, i) => (first * 31 + i * 7) % 1280), trained: new Uint8Array(16).fill(1), truncated: false }));
const SHAPE = { rows: 2, length: 16 };

let lab: Lab;
let bytes: ReadonlyMap<string, number>;
beforeAll(async () => {
  const engine = createEngine(await testGpu());
  const files = new Map(await Promise.all((await readdir(MODEL)).map(async (name) => [name, await openAsBlob(MODEL + name)] as const)));
  lab = await engine.create(CONFIG, 1, files);
  bytes = engine.bytes;
});
afterAll(() => {
  lab.destroy();
});

async function train(settings: FineTuneSettings, from: Parameters<Lab['fineTune']>[2], steps: number) {
  const run = await lab.fineTune(settings, examples, from);
  for (let step = 0; step < steps; step++) run.submitStep();
  const records = await run.readMetrics();
  const weights = await lab.keep(run.weights);
  run.destroy();
  return { records, weights };
}

const losses = async (weights?: Parameters<Lab['release']>[0]): Promise<number[]> => (await lab.evaluate(examples, SHAPE, weights)).map(({ nll }) => nll);

describe('a run with an adapter', () => {
  it('leaves the model as it is, and what it kept evaluates, decodes, drifts and comes back from its matrices', async () => {
    const before = await losses();
    const { weights, records } = await train({ ...SETTINGS, method: 'rpsft' }, {}, 4);
    expect(records.at(-1)!.loss).toBeLessThan(records[0]!.loss);
    expect(await losses()).toEqual(before);
    const after = await losses(weights);
    for (const [i, loss] of after.entries()) expect(loss).toBeLessThan(before[i]!);
    expect(await lab.nextTokens([1, 2, 3], 3, weights)).not.toEqual(await lab.nextTokens([1, 2, 3], 3));

    const adapter = await lab.adapterMatrices(weights);
    expect(adapter.modules.map(({ name }) => name)).toEqual(['model.layers.0.self_attn.q_proj', 'model.layers.0.mlp.down_proj']);
    const attached = lab.attachAdapter(adapter);
    expect(await losses(attached)).toEqual(after);

    const meter = lab.driftMeter(weights, await lab.decompose(SETTINGS.rankFraction, undefined, LORA.targets));
    expect((await meter.measure()).map(({ module }) => module)).toEqual(['q_proj', 'down_proj']);
    for (const set of [weights, attached]) lab.release(set);
    expect(bytes.get('adapter')).toBe(0);
  });

  it('is extracted from its own merged weights, and from a full run in part', async () => {
    const { weights } = await train(SETTINGS, {}, 3);
    const whole = await lab.extract(weights, { rank: 4, targets: LORA.targets });
    expect(Math.abs(whole.retained - 1)).toBeLessThan(1e-5);
    const { lora: _, ...full } = SETTINGS;
    const tuned = await train(full, {}, 3);
    const part = await lab.extract(tuned.weights, { rank: 2, targets: LORA.targets });
    expect(part.retained).toBeGreaterThan(0.1);
    expect(part.retained).toBeLessThan(0.999);
    expect(() => lab.adapterMatrices(tuned.weights)).toThrow('extract one');
    for (const set of [weights, tuned.weights]) lab.release(set);
  });

  it('goes on from its weights as they were, in full from merged ones, and says where it cannot', async () => {
    const { weights } = await train(SETTINGS, {}, 2);
    const after = await losses(weights);
    const { lora: _, ...full } = SETTINGS;
    for (const settings of [SETTINGS, full]) {
      const run = await lab.fineTune(settings, examples, { startFrom: weights });
      const now = await losses(run.weights);
      // A merged matrix rounds the sum once more.
      for (const [i, loss] of now.entries()) expect(Math.abs(loss / after[i]! - 1)).toBeLessThan(settings === full ? 1e-5 : 1e-12);
      run.destroy();
    }
    const from = (lora: Partial<typeof LORA>, startFrom = weights) => lab.fineTune({ ...SETTINGS, lora: { ...LORA, ...lora } }, examples, { startFrom });
    const held = new Map(bytes);
    await expect(from({ rank: 8 })).rejects.toThrow('has r 4, the settings say 8');
    await expect(from({ targets: ['q_proj'] })).rejects.toThrow('differ in model.layers.0.mlp.down_proj');
    const plain = await lab.keep(lab.model.weights);
    await expect(from({}, plain)).rejects.toThrow('Extract an adapter');
    lab.release(plain);
    expect(bytes).toEqual(held);
    lab.release(weights);
  });

  it('takes the memory it plans', async () => {
    for (const method of ['sft', 'rpsft', 'l2sp', 'iw-sft', 'kl-sft', 'two-sided-rpsft'] as const) {
      const settings = { ...SETTINGS, method, lambda: methodInfo(method).penalty ? SETTINGS.lambda : 0 };
      const run = await lab.fineTune(settings, examples);
      const planned = await lab.plan(runSize(settings, run.shape, 'f32'));
      for (const category of ['pretrained', 'weights', 'adapter', 'gradients', 'moments', 'activations', 'logits'] as const) expect(planned.bytes.get(category) ?? 0, `${method} ${category}`).toBe(bytes.get(category) ?? 0);
      if (methodInfo(method).holds) expect(planned.bytes.get('bases')).toBe(bytes.get('bases'));
      run.destroy();
    }
  });

  it('has the directions of a control for itself, as its plan says, and leaves those of the lab alone', async () => {
    await lab.decompose(SETTINGS.rankFraction, undefined, LORA.targets);
    const held = bytes.get('bases')!;
    for (const method of ['random-basis', 'tail-basis'] as const) {
      const settings = { ...SETTINGS, method };
      const run = await lab.fineTune(settings, examples);
      expect((await lab.plan(runSize(settings, run.shape, 'f32'))).bytes.get('bases')).toBe(bytes.get('bases')! - held);
      run.submitStep();
      run.submitStep();
      expect((await run.readMetrics())[1]!.penalty).toBeGreaterThan(0);
      run.destroy();
      expect(bytes.get('bases')).toBe(held);
    }
    const before = new Map(bytes);
    await expect(lab.fineTune({ ...SETTINGS, method: 'random-basis' }, examples, { startFrom: await lab.keep(lab.model.weights) })).rejects.toThrow('starts from the model or from an adapter');
    expect(bytes.get('bases')).toBe(before.get('bases'));
    await expect(lab.fineTune({ ...SETTINGS, method: 'projection' }, examples)).rejects.toThrow('Train all weights, or take RPSFT');
  });
});

describe('diagnostics', () => {
  it('of what a run kept: what moved, what the loss is sensitive to, and the same without the change of its block', async () => {
    const { weights } = await train({ ...SETTINGS, lora: undefined, method: 'sft' }, {}, 4);
    const decomposition = await lab.decompose(0.25);
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const detail = await lab.driftDetail(weights, decomposition, name);
    expect([detail.name, detail.leftAlignment.length]).toEqual([name, detail.k ** 2]);
    const { matrices } = await lab.fisher(weights, decomposition, examples, { against: ['random'] });
    expect(matrices.map((matrix) => matrix.name)).toContain(name);
    const { states, tokens } = await lab.representationDrift(weights, examples, SHAPE);
    expect([states.length, tokens]).toEqual([2, 32]);
    const moved = await lab.outputDrift(weights, examples, SHAPE);
    const { weights: restored, names } = await lab.restore(weights, decomposition, 'block');
    expect(names).toContain(name);
    expect((await lab.driftDetail(restored, decomposition, name)).block.share).toBeLessThan(1e-6 * detail.block.share);
    const back = await lab.outputDrift(restored, examples, SHAPE);
    expect(back.jensenShannon).not.toBe(moved.jensenShannon);
    expect(await losses(restored)).not.toEqual(await losses(weights));
    for (const each of [weights, restored]) lab.release(each);
  });
});
