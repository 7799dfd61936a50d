/** @file Restored parts against the same products in f64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { randomNormal } from '../graph/testing.ts';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import { randomBase, SMALL_LINEARS } from '../models/testing.ts';
import { decomposeAll, destroyBases, type Decomposition } from './decompose.ts';
import { matrix, minus, multiply, plus, squaredNorm, transpose, type Matrix } from './reference.ts';
import { restorePart, type RestoredPart } from './restore.ts';
import { filled, layoutOf, normalMatrix, readBasis, testContext } from './testing.ts';

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

const SHAPES = { wide: [24, 40], other: [24, 40], tall: [48, 20], gain: [20] };
const LAYOUT = layoutOf(SHAPES);
const rounded = (each: Matrix): Matrix => ({ ...each, values: each.values.map(Math.fround) });
const before = Object.fromEntries(Object.entries(SHAPES).map(([name, [rows, columns = 1]], i) => [name, rounded(normalMatrix(rows!, columns, i))]));
const after = Object.fromEntries(Object.entries(before).map(([name, each], i) => [name, rounded(plus(each, { ...each, values: randomNormal(each.values.length, 50 + i).map((value) => 0.1 * value) }))]));
const values = (set: Readonly<Record<string, Matrix>>, precision: 'f32' | 'bf16' = 'f32') => filled(context, LAYOUT, Object.fromEntries(Object.entries(set).map(([name, each]) => [name, each.values])), precision);
const shaped = (name: string, read: Float32Array): Matrix => matrix(before[name]!.rows, before[name]!.columns, read);

async function readAll(weights: ParameterBuffers): Promise<Record<string, Matrix>> {
  const entries = await Promise.all(LAYOUT.weights.map(async (weight) => [weight.name, shaped(weight.name, await weights.read(context.gpu.device, weight))] as const));
  return Object.fromEntries(entries);
}

/** U (C, of which `part` is kept) Vᵀ. */
function partOf(change: Matrix, u: Matrix, v: Matrix, part: RestoredPart): Matrix {
  const block = multiply(transpose(u), change, v);
  const kept = block.values.map((value, at) => (part === 'block' || (at % (block.columns + 1) === 0) === (part === 'values') ? value : 0));
  return multiply(u, { ...block, values: kept }, transpose(v));
}

describe.each(['f32', 'bf16'] as const)('pretrained weights in %s', (precision) => {
  test('the part of the block that is asked for comes back, and nothing else moves', async () => {
    const [pretrained, tuned] = [values(before, precision), values(after)];
    const reference = await readAll(pretrained);
    const decomposition = await decomposeAll(context, pretrained, { rankFraction: 0.25 });
    const bytes = Object.fromEntries(context.pool.bytes);
    const parts: Record<string, Record<string, Matrix>> = {};
    for (const part of ['block', 'values', 'rotation'] as const) {
      const done: number[] = [];
      const { weights, names, cost } = await restorePart(context, tuned, pretrained, decomposition, part, { onProgress: (each, of) => done.push(each / of) });
      expect(names).toEqual(['wide', 'other', 'tall']);
      expect(cost.seconds).toBeGreaterThan(0);
      expect(done.at(-1)).toBe(1);
      const found = await readAll(weights);
      expect(found['gain']).toEqual(after['gain']);
      parts[part] = found;
      for (const basis of decomposition.bases) {
        for (const [z, { u, v, sigma }] of (await readBasis(context, basis)).entries()) {
          const name = basis.batch.names[z]!;
          const change = minus(after[name]!, reference[name]!);
          const expected = minus(after[name]!, partOf(change, u, v, part));
          // Sums of 40 products with numbers of size 0.1, onto weights of size up to 4.
          const errors = minus(found[name]!, expected).values.map(Math.abs);
          expect(Math.max(...errors), `${part} of ${name}`).toBeLessThan(2e-6);
          if (part !== 'block') continue;
          // The block has the pretrained singular values again, and nothing beside them.
          const block = multiply(transpose(u), found[name]!, v);
          for (const [at, value] of block.values.entries()) expect(Math.abs(value - (at % (block.columns + 1) === 0 ? sigma[at % block.columns]! : 0))).toBeLessThan(2e-5);
        }
      }
      weights.destroy(context.pool);
    }
    for (const name of ['wide', 'other', 'tall']) {
      const moved = (part: RestoredPart): Matrix => minus(parts[part]![name]!, after[name]!);
      const sum = plus(moved('values'), moved('rotation'));
      expect(Math.max(...minus(sum, moved('block')).values.map(Math.abs)), name).toBeLessThan(3e-6);
      expect(squaredNorm(moved('values'))).toBeGreaterThan(0.01);
      expect(squaredNorm(moved('rotation'))).toBeGreaterThan(0.01);
    }
    expect(Object.fromEntries(context.pool.bytes)).toEqual(bytes);
    destroyBases(context, decomposition.bases);
    for (const each of [pretrained, tuned]) each.destroy(context.pool);
  });
});

test('a k that is the whole side gives the matrices back bit for bit; their values and rotation cannot be told', async () => {
  const [pretrained, tuned] = [values(before), values(after)];
  const whole = await decomposeAll(context, pretrained, { rankFraction: 1 });
  const { weights, names } = await restorePart(context, tuned, pretrained, whole, 'block');
  expect(names.toSorted()).toEqual(['other', 'tall', 'wide']);
  expect(await readAll(weights)).toEqual({ ...before, gain: after['gain'] });
  await expect(restorePart(context, tuned, pretrained, whole, 'values')).rejects.toThrow('k reaches the smaller side of wide (24 x 40), so its values cannot be told');
  for (const each of [weights, pretrained, tuned]) each.destroy(context.pool);
});

test('weights that have not changed stay as they are; what is stopped leaves nothing behind', async () => {
  const [pretrained, tuned] = [values(before), values(after)];
  const decomposition: Decomposition = await decomposeAll(context, pretrained, { rankFraction: 0.25, names: new Set(['tall']) });
  const { weights, names } = await restorePart(context, pretrained, pretrained, decomposition, 'block');
  expect(names).toEqual(['tall']);
  expect(await readAll(weights)).toEqual(before);
  weights.destroy(context.pool);
  const bytes = Object.fromEntries(context.pool.bytes);
  const stop = new AbortController();
  await expect(restorePart(context, tuned, pretrained, decomposition, 'block', { signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) })).rejects.toThrow('stopped');
  expect(Object.fromEntries(context.pool.bytes)).toEqual(bytes);
  destroyBases(context, decomposition.bases);
  for (const each of [pretrained, tuned]) each.destroy(context.pool);
});

test('adapters are merged first', async () => {
  const base = randomBase(context, SMALL_LINEARS, 1);
  const adapted = AdaptedWeights.create(context, base, { r: 2, alpha: 2, rsLora: false }, ['q_proj', 'down_proj'], 1);
  for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, new Float32Array(2 * b.rows).fill(0.3));
  const decomposition = await decomposeAll(context, base.weights, { rankFraction: 0.25, names: adapted.names });
  const merged = await merge(context, adapted);
  const [found, expected] = [await restorePart(context, adapted, base.weights, decomposition, 'values'), await restorePart(context, merged, base.weights, decomposition, 'values')];
  for (const weight of base.layout.weights) expect(await found.weights.read(context.gpu.device, weight)).toEqual(await expected.weights.read(context.gpu.device, weight));
  expect(new Set(found.names)).toEqual(adapted.names);
  destroyBases(context, decomposition.bases);
});
