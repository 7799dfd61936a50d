import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { controlDirections } from './controls.ts';
import { decomposeAll, destroyBases } from './decompose.ts';
import { matrix, minus, multiply, referenceSvd, squaredNorm, transpose, type Matrix } from './reference.ts';
import { filled, layoutOf, orthogonalityError, planted, readBasis, testContext } from './testing.ts';

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

/** Sine of the largest principal angle. */
const largestSine = (a: Matrix, b: Matrix): number => referenceSvd(minus(b, multiply(a, multiply(transpose(a), b)))).sigma[0]!;
const lastColumns = (a: Matrix, count: number): Matrix => matrix(a.rows, count, Array.from({ length: a.rows * count }, (_, at) => a.values[Math.floor(at / count) * a.columns + a.columns - count + (at % count)]!));

test('tail directions are those of the smallest singular values; random ones are orthonormal, of their own for each matrix, and given by the seed', async () => {
  // Two values well apart: 8 of size 1, 8 of size 1/8 or less; the others are tall.
  const sigma = Array.from({ length: 16 }, (_, i) => (i < 12 ? 1 : 0.125) * 0.97 ** i);
  const matrices = { a: planted(16, 24, sigma, 1), b: planted(16, 24, sigma, 3), c: planted(40, 16, sigma, 5) };
  const layout = layoutOf(Object.fromEntries(Object.entries(matrices).map(([name, { rows, columns }]) => [name, [rows, columns]])));
  const values = filled(context, layout, Object.fromEntries(Object.entries(matrices).map(([name, each]) => [name, each.values])));
  const { bases } = await decomposeAll(context, values, { rankFraction: 0.25 });
  const held = Object.fromEntries(context.pool.bytes);
  const seen: number[] = [];
  const tail = await controlDirections(context, values, bases, 'tail', 0, (done, total) => seen.push(done / total));
  expect(seen.at(-1)).toBe(1);
  const read = async (directions: (typeof tail)[number]) => readBasis(context, { sigma: bases[0]!.sigma, quality: [], ...directions });
  for (const directions of tail) {
    for (const [i, { u, v }] of (await read(directions)).entries()) {
      const name = directions.batch.names[i] as keyof typeof matrices;
      expect(Math.max(orthogonalityError(u), orthogonalityError(v))).toBeLessThan(2e-6);
      const sides = [largestSine(lastColumns(matrices[name].u, 4), u), largestSine(lastColumns(matrices[name].v, 4), v)];
      const [short, long] = u.rows <= v.rows ? sides : sides.toReversed();
      // The Gram matrix is f32 of size 1; the values left and right of the gap, squared, differ by 0.3.
      expect(short, name).toBeLessThan(2e-6);
      // The vectors of the longer side come from these, of size 1/8 before they are made unit vectors.
      expect(long, name).toBeLessThan(1.6e-5);
    }
  }
  const first = await controlDirections(context, values, bases, 'random', 1);
  const again = await controlDirections(context, values, bases, 'random', 1);
  const other = await controlDirections(context, values, bases, 'random', 2);
  const [random, repeated, different] = [await read(first[0]!), await read(again[0]!), await read(other[0]!)];
  expect(repeated).toEqual(random);
  expect(different).not.toEqual(random);
  expect(random[0]).not.toEqual(random[1]);
  for (const { u, v } of [...random, ...different]) expect(Math.max(orthogonalityError(u), orthogonalityError(v))).toBeLessThan(2e-6);
  // Left and right are drawn apart: of equal ones the first 16 rows would span the same.
  expect(squaredNorm(minus(random[0]!.u, matrix(16, 4, random[0]!.v.values.subarray(0, 64))))).toBeGreaterThan(1);
  for (const directions of [tail, first, again, other]) destroyBases(context, directions);
  expect(Object.fromEntries(context.pool.bytes)).toEqual(held);
  destroyBases(context, bases);
  const stopped = controlDirections(context, values, bases, 'random', 1, () => {
    throw new Error('stopped');
  });
  await expect(stopped).rejects.toThrow('stopped');
  expect(context.pool.bytes.get('bases')).toBe(0);
});
