/** @file Output drift against transformers on every family, and against f64 where distributions are near or far apart. */
import { describe, expect, it } from 'vitest';
import { testContext } from '../gpu/testing.ts';
import { logitsChunk } from '../graph/ops/head-loss.ts';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import { Model } from '../models/model.ts';
import { loadFixtureModel } from '../models/testing.ts';
import { measureOutputDrift } from './outputDrift.ts';
import { loadChangedModel, readDiagnostics } from './testing.ts';

const FAMILIES = ['llama-tied', 'llama-untied', 'llama3', 'qwen2', 'qwen3', 'gpt2', 'gpt2-untied', 'gpt-neox', 'gpt-neox-sequential'];
const SHAPE = { rows: 2, length: 24 };
const KINDS = ['baseToTuned', 'tunedToBase', 'jensenShannon'] as const;

describe('measureOutputDrift', () => {
  it.each(FAMILIES)('has the divergences of transformers on %s', async (folder) => {
    const { examples, drift } = await readDiagnostics();
    const [model, changed] = [await loadFixtureModel(folder), await loadChangedModel(folder)];
    const held = Object.fromEntries(model.context.pool.bytes);
    const done: number[] = [];
    const found = await measureOutputDrift(model, changed.weights, examples, { rows: 1, length: 24 }, 0, { onProgress: (each, of) => done.push(each / of) });
    // Logits of size 5 come out of a few hundred f32 roundings, good to 1e-5; divergences of 0.01 to 0.3 move by as much times the root of themselves.
    for (const kind of KINDS) expect(Math.abs(found[kind] / drift[folder]!.output[kind] - 1), kind).toBeLessThan(1e-4);
    expect(found.tokens).toBe(42);
    expect(found.cost).toMatchObject({ tokens: 84, backwardTokens: 0 });
    expect(found.examples.map(({ tokens }) => tokens)).toEqual(examples.map(({ ids }) => ids.length));
    for (const kind of KINDS) expect(found.examples.reduce((sum, own) => sum + own[kind] * own.tokens, 0) / 42).toBeCloseTo(found[kind], 12);
    expect(done).toEqual([0.5, 1]);
    expect(Object.fromEntries(model.context.pool.bytes)).toMatchObject(held);
    model.destroy();
    changed.destroy();
  });

  it('is exact where weights have hardly changed, and zero where they have not', async () => {
    const { examples } = await readDiagnostics();
    const model = await loadFixtureModel('llama-untied');
    const { device } = model.context.gpu;
    const head = model.layout.weights.find(({ name }) => name === 'lm_head.weight')!;
    const before = await model.weights.read(device, head);
    // A head scaled by 1 + e scales the logits z: d = -e (z - E z), and each divergence goes with e² Var(z).
    const scaled = async (e: number) => {
      const weights = await model.weights.copy(model.context);
      weights.write(device, head, before.map((value) => value * (1 + e)));
      const found = await measureOutputDrift(model, weights, examples, SHAPE, 0);
      weights.destroy(model.context.pool);
      return found;
    };
    const none = await scaled(0);
    for (const kind of KINDS) expect(none[kind]).toBe(0);
    const [small, large] = [await scaled(2 ** -10), await scaled(2 ** -5)];
    // To first order both directions are e² Var(z) / 2, and the Jensen-Shannon divergence a quarter of that; the next order is e E(z³) / Var(z) of them.
    for (const kind of KINDS) expect(Math.abs(large[kind] / small[kind] / 1024 - 1), kind).toBeLessThan(0.1);
    expect(Math.abs((4 * small.jensenShannon) / small.baseToTuned - 1)).toBeLessThan(0.01);
    expect(small.baseToTuned).toBeGreaterThan(1e-8);
    const apart = await scaled(-400);
    expect(apart.jensenShannon).toBeGreaterThan(0.5);
    expect(apart.jensenShannon).toBeLessThanOrEqual(Math.log(2) * (1 + 1e-6));
    expect(apart.baseToTuned).toBeGreaterThan(100);
    model.destroy();
  });

  it('is the same in several chunks of logits as in one', async () => {
    const context = await testContext();
    const config = { model_type: 'llama', vocab_size: 2048, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1, num_key_value_heads: 1, initializer_range: 0.5 };
    const [model, other] = [Model.create(context, config, 1), Model.create(context, config, 2)];
    const examples = Array.from({ length: 17 }, (_, i) => ({ ids: Uint32Array.from({ length: 64 }, (_id, j) => (i * 131 + j * 37) % 2048), trained: new Uint8Array(64).fill(1), truncated: false }));
    expect(logitsChunk(17 * 64, 2048, context.gpu.facts)).toBe(16 * 64);
    const [whole, parts] = [await measureOutputDrift(model, other.weights, examples, { rows: 1, length: 64 }, 0), await measureOutputDrift(model, other.weights, examples, { rows: 17, length: 64 }, 0)];
    for (const [i, example] of parts.examples.entries()) for (const kind of KINDS) expect(Math.abs(example[kind] / whole.examples[i]![kind] - 1), `${kind} ${i}`).toBeLessThan(1e-5);
    expect(parts.baseToTuned).toBeGreaterThan(0.1);
    model.destroy();
    other.destroy();
  });

  it('measures adapted weights as it does the same weights merged; says what is missing; stops', async () => {
    const { examples } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const adapted = AdaptedWeights.create(context, { weights: model.weights, linears: model.architecture.linears }, { r: 2, alpha: 2, rsLora: false }, ['o_proj', 'k_proj'], 1);
    for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, new Float32Array(2 * b.rows).fill(0.3));
    const found = await measureOutputDrift(model, adapted, examples, SHAPE, 0);
    const merged = await measureOutputDrift(model, await merge(context, adapted), examples, SHAPE, 0);
    for (const kind of KINDS) expect(Math.abs(found[kind] / merged[kind] - 1), kind).toBeLessThan(1e-4);
    await expect(measureOutputDrift(model, adapted, [], SHAPE, 0)).rejects.toThrow('at least one example');
    await expect(measureOutputDrift(model, adapted, examples, { rows: 2, length: 8 }, 0)).rejects.toThrow('17 tokens does not fit a row of 8');
    const held = Object.fromEntries(context.pool.bytes);
    await expect(measureOutputDrift(model, adapted, examples, SHAPE, 0, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped');
    expect(Object.fromEntries(context.pool.bytes)).toEqual(held);
    model.destroy();
  });
});
