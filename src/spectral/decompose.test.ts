import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { decompose, decomposeAll, destroyBases, effectiveRank, type DecomposeOptions } from './decompose.ts';
import { firstColumns, minus, multiply, referenceSvd, squaredNorm, transpose, type Matrix } from './reference.ts';
import { filled, layoutOf, normalMatrix, orthogonalityError, orthonormalMatrix, planted, readBasis, testContext } from './testing.ts';

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

/** Decomposes matrices of one shape on the GPU. */
async function onGpu(matrices: readonly Matrix[], options: DecomposeOptions): Promise<{ u: Matrix; v: Matrix; sigma: Float64Array }[]> {
  const names = matrices.map((_, i) => `w${i}`);
  const layout = layoutOf(Object.fromEntries(names.map((name, i) => [name, [matrices[i]!.rows, matrices[i]!.columns]])));
  const values = filled(context, layout, Object.fromEntries(names.map((name, i) => [name, matrices[i]!.values])));
  const basis = await decompose(context, values, layout.matrixBatches()[0]!, options);
  const result = await readBasis(context, basis);
  destroyBases(context, [basis]);
  values.destroy(context.pool);
  context.gpu.assertHealthy();
  return result;
}

/** Largest principal angle between two orthonormal bases, by its sine. */
function largestAngle(a: Matrix, b: Matrix): number {
  const outside = minus(b, multiply(a, multiply(transpose(a), b)));
  return Math.asin(Math.min(1, referenceSvd(outside).sigma[0]!));
}

const capturedEnergy = (w: Matrix, u: Matrix): number => squaredNorm(multiply(transpose(u), w));

describe.each([
  { rows: 128, columns: 128, k: 64 },
  { rows: 24, columns: 200, k: 5 },
  { rows: 96, columns: 40, k: 12 },
  { rows: 200, columns: 96, k: 12 },
  { rows: 48, columns: 64, k: 8 },
])('$rows x $columns, k = $k', ({ rows, columns, k }) => {
  test('planted spectrum with a gap, orthonormal to f32', async () => {
    const short = Math.min(rows, columns);
    const sigma = Array.from({ length: short }, (_, i) => (i < k ? 4 * 0.97 ** i : 0.05 * 0.99 ** i));
    const matrices = [planted(rows, columns, sigma, 1), planted(rows, columns, sigma, 3)];
    for (const [i, found] of (await onGpu(matrices, { k, seed: 7 })).entries()) {
      const worstSigma = Math.max(...Array.from(found.sigma, (value, j) => Math.abs(value / sigma[j]! - 1)));
      const angles = [largestAngle(firstColumns(matrices[i]!.u, k), found.u), largestAngle(firstColumns(matrices[i]!.v, k), found.v)];
      const errors = [orthogonalityError(found.u), orthogonalityError(found.v)];
      expect(Math.max(...errors)).toBeLessThan(2e-6);
      expect(worstSigma).toBeLessThan(1e-5);
      expect(Math.max(...angles)).toBeLessThan(1e-4);
    }
  });
});

test.each([
  { name: 'flat (random)', make: (): Matrix => normalMatrix(96, 72, 5) },
  { name: 'decaying', make: (): Matrix => planted(96, 72, Array.from({ length: 72 }, (_, i) => 1 / (1 + i)), 6) },
])('captures 99% of the best energy of a $name spectrum', async ({ make }) => {
  const w = make();
  const best = referenceSvd(w).sigma.subarray(0, 12).reduce((sum, value) => sum + value * value, 0);
  const [found] = await onGpu([w], { k: 12 });
  const share = [capturedEnergy(w, found!.u) / best, capturedEnergy(transpose(w), found!.v) / best];
  expect(Math.min(...share)).toBeGreaterThan(0.99);
  expect(Math.max(...share)).toBeLessThan(1 + 1e-5);
});

test('zero, deficient and repeated columns still give orthonormal bases, the same bits every time', async () => {
  const [rows, columns, k] = [96, 72, 12];
  const repeated = normalMatrix(rows, columns, 9);
  for (let at = 0; at < repeated.values.length; at += 1) repeated.values[at] = repeated.values[at - (at % columns) + (at % 3)]!;
  const rankTwo = multiply(normalMatrix(rows, 2, 10), normalMatrix(2, columns, 11));
  const single = { rows, columns, values: new Float64Array(rows * columns) };
  single.values[5] = 3;
  const matrices = [{ rows, columns, values: new Float64Array(rows * columns) }, repeated, { ...rankTwo, values: rankTwo.values.map(Math.fround) }, single, normalMatrix(rows, columns, 12)];
  const first = await onGpu(matrices, { k, seed: 3 });
  for (const [i, { u, v, sigma }] of first.entries()) {
    expect(Math.max(orthogonalityError(u), orthogonalityError(v)), `matrix ${i}`).toBeLessThan(2e-6);
    expect(sigma.every((value) => value >= 0), `matrix ${i}`).toBe(true);
  }
  expect(first[2]!.sigma[1]! / referenceSvd(rankTwo).sigma[1]!).toBeCloseTo(1, 5);
  expect(first[2]!.sigma[2]!).toBeLessThan(1e-3 * first[2]!.sigma[0]!);
  expect(first[3]!.sigma[0]).toBeCloseTo(3, 5);
  expect(await onGpu(matrices, { k, seed: 3 })).toEqual(first);
});

test('k is a share of each smaller side; where it is all of it, the matrix is degenerate', async () => {
  expect(effectiveRank({ rows: 576, columns: 1536 }, 0.2)).toBe(116);
  expect(effectiveRank({ rows: 8, columns: 4 }, 0.01)).toBe(1);
  expect(effectiveRank({ rows: 8, columns: 4 }, 1)).toBe(4);
  const layout = layoutOf({ a: [16, 24], b: [16, 24], c: [3, 1], gain: [16] });
  const values = filled(context, layout, { a: normalMatrix(16, 24, 1).values, b: normalMatrix(16, 24, 2).values });
  const seen: number[] = [];
  const bytesBefore = [...context.pool.bytes];
  const { bases, degenerate } = await decomposeAll(context, values, { rankFraction: 0.5 }, (done) => seen.push(done));
  expect(bases.map(({ batch, k }) => [batch.names, k])).toEqual([[['a', 'b'], 8]]);
  expect(degenerate.map(({ names }) => names)).toEqual([['c']]);
  expect(seen).toEqual([1, 2, 3]);
  destroyBases(context, bases);
  expect(Object.fromEntries(context.pool.bytes)).toEqual({ ...Object.fromEntries(bytesBefore), bases: 0 });
  await expect(decompose(context, values, layout.matrixBatches()[0]!, { k: 16 })).rejects.toThrow('k from 1 to 15');
  const stopped = decomposeAll(context, values, { rankFraction: 0.5 }, (done) => {
    if (done === 2) throw new Error('stopped');
  });
  await expect(stopped).rejects.toThrow('stopped');
  expect(Object.fromEntries(context.pool.bytes), 'nothing is left behind').toEqual({ ...Object.fromEntries(bytesBefore), bases: 0 });
});

test('the basis of a long embedding is as orthonormal as others', async () => {
  const [found] = await onGpu([normalMatrix(9000, 12, 8)], { k: 4 });
  expect(Math.max(orthogonalityError(found!.u), orthogonalityError(found!.v))).toBeLessThan(2e-6);
});

test('equal singular values', async () => {
  const [found] = await onGpu([orthonormalMatrix(64, 32, 4)], { k: 16 });
  expect(Math.max(orthogonalityError(found!.u), orthogonalityError(found!.v))).toBeLessThan(2e-6);
  expect(Math.max(...Array.from(found!.sigma, (value) => Math.abs(value - 1)))).toBeLessThan(1e-5);
});

test('the lanes and tiles of a GPU give what those of the CPU give', async () => {
  const [rows, columns, k] = [150, 96, 20];
  const layout = layoutOf({ a: [rows, columns], b: [rows, columns] });
  const values = filled(context, layout, { a: normalMatrix(rows, columns, 21).values, b: normalMatrix(rows, columns, 22).values });
  const { gpu } = context;
  const [own, other] = await Promise.all(
    [gpu, { ...gpu, facts: { ...gpu.facts, software: !gpu.facts.software } }].map(async (each) => readBasis(context, await decompose({ ...context, gpu: each }, values, layout.matrixBatches()[0]!, { k }))),
  );
  for (const [i, { u, v, sigma }] of other!.entries()) {
    expect(Math.max(orthogonalityError(u), orthogonalityError(v))).toBeLessThan(2e-6);
    expect(Math.max(largestAngle(own![i]!.u, u), largestAngle(own![i]!.v, v))).toBeLessThan(1e-4);
    expect(Math.max(...Array.from(sigma, (value, j) => Math.abs(value / own![i]!.sigma[j]! - 1)))).toBeLessThan(1e-5);
  }
  context.pool.destroyAll();
});
