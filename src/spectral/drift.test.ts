import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { decomposeAll, destroyBases } from './decompose.ts';
import { DriftMeter, measureDriftDetail, type MatrixDrift } from './drift.ts';
import { alignment, placeOf, principalAngles } from './measures.ts';
import { firstColumns, matrix, minus, multiply, plus, referenceSvd, scaled, squaredNorm, transpose, type Matrix } from './reference.ts';
import { filled, layoutOf, normalMatrix, planted, testContext } from './testing.ts';

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

/** Drift between two sets of matrices, measured twice. */
async function measure(before: Readonly<Record<string, Matrix>>, after: Readonly<Record<string, Matrix>>, rankFraction: number): Promise<MatrixDrift[]> {
  const layout = layoutOf(Object.fromEntries(Object.entries(before).map(([name, { rows, columns }]) => [name, [rows, columns]])));
  const values = (set: Readonly<Record<string, Matrix>>) => filled(context, layout, Object.fromEntries(Object.entries(set).map(([name, each]) => [name, each.values])));
  const [pretrained, weights] = [values(before), values(after)];
  const bytes = Object.fromEntries(context.pool.bytes);
  const { bases } = await decomposeAll(context, pretrained, { rankFraction });
  const meter = new DriftMeter(context, { weights, pretrained, bases });
  const drift = await meter.measure();
  expect(await meter.measure()).toEqual(drift);
  const unchanged = await Promise.all(layout.weights.map((weight) => weights.read(context.gpu.device, weight)));
  for (const [i, { name }] of layout.weights.entries()) expect([...unchanged[i]!]).toEqual([...Float32Array.from(after[name]!.values)]);
  destroyBases(context, bases);
  expect(Object.fromEntries(context.pool.bytes)).toEqual({ ...bytes, bases: 0, other: 0 });
  context.gpu.assertHealthy();
  return drift;
}

/** The same in f64, from full decompositions. */
function reference(before: Matrix, after: Matrix, k: number) {
  const [old, now] = [referenceSvd(before), referenceSvd(after)];
  const side = (a: Matrix, b: Matrix) => {
    const [first, second] = [firstColumns(a, k), firstColumns(b, k)];
    const cross = multiply(transpose(first), second);
    const residual = minus(second, multiply(first, cross));
    return { angles: principalAngles(cross.values, multiply(transpose(residual), residual).values, k), ...alignment(cross.values, k) };
  };
  const change = minus(after, before);
  const block = multiply(transpose(firstColumns(old.u, k)), change, firstColumns(old.v, k));
  let diagonal = 0;
  for (let i = 0; i < k; i += 1) diagonal += block.values[i * k + i]! ** 2;
  return {
    left: side(old.u, now.u),
    right: side(old.v, now.v),
    share: squaredNorm(block) / squaredNorm(change),
    diagonal: diagonal / squaredNorm(change),
    sigma: now.sigma.subarray(0, k),
    relativeChange: Math.sqrt(squaredNorm(change) / squaredNorm(before)),
  };
}

/** Columns i and j of q turned into each other. */
function turned(q: Matrix, i: number, j: number, degrees: number): Matrix {
  const [cosine, sine] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const values = q.values.slice();
  for (let row = 0; row < q.rows * q.columns; row += q.columns) {
    values[row + i] = cosine * q.values[row + i]! + sine * q.values[row + j]!;
    values[row + j] = cosine * q.values[row + j]! - sine * q.values[row + i]!;
  }
  return { ...q, values };
}

const worst = (a: readonly number[], b: ArrayLike<number>): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe('planted turns', () => {
  const k = 8;
  const sigma = Array.from({ length: 32 }, (_, i) => (i < k ? 3 * 0.8 ** i : 0.1 * 0.9 ** i));
  const before = planted(48, 32, sigma, 1);
  const compose = (u: Matrix, v: Matrix): Matrix => {
    const product = multiply({ ...u, values: u.values.map((value, at) => value * sigma[at % sigma.length]!) }, transpose(v));
    return { ...product, values: product.values.map(Math.fround) };
  };
  const name = (i: number): string => `model.layers.${i}.self_attn.q_proj.weight`;

  test('none, out of the subspace on either side, within it', async () => {
    const { u, v } = before;
    const turns = [before, compose(turned(u, 2, k + 3, 7), v), compose(u, turned(v, 0, k, 0.05)), compose(turned(u, 1, 2, 30), v), compose(turned(u, 3, k + 1, 80), v)];
    const set = (matrices: readonly Matrix[]) => Object.fromEntries(matrices.map((each, i) => [name(i), each]));
    const [still, left, right, within, far] = await measure(set(turns.map(() => before)), set(turns), k / 32);
    expect(still).toMatchObject({ name: name(0), layer: 0, module: 'q_proj', shape: [48, 32], k, relativeChange: 0, block: { share: 0, diagonal: 0, offDiagonal: 0, chance: 64 / (48 * 32) } });
    expect(Math.max(...still!.leftAngles, ...still!.rightAngles)).toBeLessThan(1e-4);
    expect(still!.vectorAlignment).toBeCloseTo(1, 6);
    expect(still!.sigma).toEqual(still!.sigma0);

    const zeros = Array<number>(k - 1).fill(0);
    expect(worst(left!.leftAngles, [...zeros, 7])).toBeLessThan(2e-3);
    expect(worst(left!.rightAngles, [...zeros, 0])).toBeLessThan(1e-3);
    expect(worst(right!.rightAngles, [...zeros, 0.05])).toBeLessThan(2e-4);
    expect(worst(right!.leftAngles, [...zeros, 0])).toBeLessThan(1e-4);
    expect(worst(within!.leftAngles, [...zeros, 0])).toBeLessThan(1e-3);
    const cosine = Math.cos(Math.PI / 6);
    expect(within!.vectorAlignment).toBeCloseTo((1 + (k - 2 + 2 * cosine) / k) / 2, 4);
    expect(within!.block.share).toBeCloseTo(1, 4);
    expect(worst(far!.leftAngles, [...zeros, 80])).toBeLessThan(2e-2);
  });
});

test('shapes of all kinds against f64', async () => {
  const spectrum = (count: number): number[] => Array.from({ length: count }, (_, i) => 0.9 ** i);
  const before = {
    'model.embed_tokens.weight': planted(260, 20, spectrum(20), 11),
    'model.layers.0.mlp.down_proj.weight': planted(40, 96, spectrum(40), 13),
    'model.layers.1.mlp.down_proj.weight': planted(40, 96, spectrum(40), 15),
    'model.layers.0.mlp.up_proj.weight': planted(96, 40, spectrum(40), 17),
  };
  const after = Object.fromEntries(
    Object.entries(before).map(([name, each], i) => {
      const noise = normalMatrix(each.rows, each.columns, 30 + i);
      const moved = plus(each, scaled(noise, 0.02 * Math.sqrt(squaredNorm(each) / squaredNorm(noise))));
      return [name, matrix(each.rows, each.columns, moved.values.map(Math.fround))];
    }),
  );
  const drifts = await measure(before, after, 0.4);
  expect(drifts.map(({ name }) => name)).toEqual(Object.keys(before));
  expect(drifts[0]).not.toHaveProperty('layer');
  for (const drift of drifts) {
    const expected = reference(before[drift.name as keyof typeof before], after[drift.name]!, drift.k);
    expect(worst(drift.leftAngles, expected.left.angles), drift.name).toBeLessThan(1e-3);
    expect(worst(drift.rightAngles, expected.right.angles), drift.name).toBeLessThan(1e-3);
    expect(drift.vectorAlignment).toBeCloseTo((expected.left.same + expected.right.same) / 2, 5);
    expect(drift.matchedAlignment).toBeCloseTo((expected.left.matched + expected.right.matched) / 2, 5);
    expect(drift.block.share).toBeCloseTo(expected.share, 5);
    expect(drift.block.diagonal).toBeCloseTo(expected.diagonal, 5);
    expect(drift.block.offDiagonal).toBeCloseTo(expected.share - expected.diagonal, 5);
    expect(worst(drift.sigma, expected.sigma)).toBeLessThan(1e-6);
    expect(drift.relativeChange).toBeCloseTo(expected.relativeChange, 6);
  }
});

describe('measureDriftDetail', () => {
  test('is the drift of one matrix with its alignment', async () => {
    const sigma = Array.from({ length: 20 }, (_, i) => 0.9 ** i);
    // k is 7: the second and third matrix begin where no buffer can be bound.
    const names = [0, 1, 2].map((layer) => `model.layers.${layer}.self_attn.q_proj.weight`);
    const before = Object.fromEntries(names.map((name, i) => [name, planted(30, 20, sigma, 40 + 2 * i)]));
    const after = Object.fromEntries(names.map((name, i) => [name, plus(before[name]!, scaled(normalMatrix(30, 20, 60 + i), 0.01))]));
    const layout = layoutOf(Object.fromEntries(names.map((name) => [name, [30, 20]])));
    const [pretrained, weights] = [before, after].map((set) => filled(context, layout, Object.fromEntries(names.map((name) => [name, set[name]!.values]))));
    const { bases } = await decomposeAll(context, pretrained!, { rankFraction: 0.35 });
    const meter = new DriftMeter(context, { weights: weights!, pretrained: pretrained!, bases });
    const drifts = await meter.measure();
    const held = Object.fromEntries(context.pool.bytes);
    for (const [i, name] of names.entries()) {
      const { leftAlignment, rightAlignment, ...drift } = await measureDriftDetail(context, { weights: weights!, pretrained: pretrained!, bases }, name);
      const k = 7;
      expect(drift).toMatchObject({ name, layer: i, module: 'q_proj', k, shape: [30, 20] });
      for (const key of ['leftAngles', 'rightAngles', 'sigma', 'sigma0'] as const) expect(worst(drift[key], drifts[i]![key]), key).toBeLessThan(1e-4);
      expect(drift.block.share).toBeCloseTo(drifts[i]!.block.share, 6);
      const [old, now] = [referenceSvd(before[name]!), referenceSvd(rounded(after[name]!))];
      for (const [found, a, b] of [[leftAlignment, old.u, now.u], [rightAlignment, old.v, now.v]] as const) {
        const expected = multiply(transpose(firstColumns(a, k)), firstColumns(b, k)).values.map(Math.abs);
        // Vectors are good to 1e-7 over the gap between neighbouring values, a tenth of themselves.
        expect(worst([...found], expected)).toBeLessThan(2e-5);
      }
      const mean = (matrixOf: Float32Array): number => Array.from({ length: k }, (_, at) => matrixOf[at * (k + 1)]!).reduce((sum, value) => sum + value / k, 0);
      expect((mean(leftAlignment) + mean(rightAlignment)) / 2).toBeCloseTo(drift.vectorAlignment, 6);
    }
    expect(Object.fromEntries(context.pool.bytes)).toEqual(held);
    await expect(measureDriftDetail(context, { weights: weights!, pretrained: pretrained!, bases }, 'lm_head.weight')).rejects.toThrow('lm_head.weight has no singular basis');
    destroyBases(context, bases);
  });
});

const rounded = (each: Matrix): Matrix => ({ ...each, values: each.values.map(Math.fround) });

test.each([
  ['model.layers.12.self_attn.q_proj.weight', { layer: 12, module: 'q_proj' }],
  ['model.embed_tokens.weight', { module: 'embed_tokens' }],
  ['transformer.h.3.mlp.c_fc.weight', { layer: 3, module: 'c_fc' }],
  ['lm_head.weight', { module: 'lm_head' }],
])('%s', (name, place) => expect(placeOf(name)).toEqual(place));
