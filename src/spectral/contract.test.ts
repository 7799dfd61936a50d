/**
 * @file The contract of a decomposition on spectra as real weights have them and worse, at the sizes they have: at most 1e-4 of the energy of the best
 * block lost, at least 0.999 of its subspace there, where singular values within 1e-3 of the k-th may stand for each other.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { randomNormal } from '../graph/testing.ts';
import { decompose, destroyBases, effectiveRank } from './decompose.ts';
import { matrix, type Matrix } from './reference.ts';
import { filled, layoutOf, orthogonalityError, readBasis, testContext } from './testing.ts';

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

/** Singular values of n directions, with the k-th as the last one wanted. */
const SPECTRA: Readonly<Record<string, (n: number, k: number) => number[]>> = {
  // As of a q_proj: no gap anywhere, the largest some times the rest.
  flat: (n) => Array.from({ length: n }, (_, i) => 1 / (1 + (2 * i) / n) + 5 * Math.exp(-i / 3)),
  gapped: (n, k) => Array.from({ length: n }, (_, i) => (i < k ? 2 - i / n : 0.5 - (0.4 * i) / n)),
  // Eights of equal values, one of which the k-th stands in the middle of.
  clustered: (n, k) => Array.from({ length: n }, (_, i) => 0.95 ** Math.floor((i + 8 - ((k + 4) % 8)) / 8)),
  // Six decades.
  graded: (n) => Array.from({ length: n }, (_, i) => 10 ** ((-6 * i) / n)),
};

/** Normal vectors of length `size` whose reflections, one after the other, turn the standard basis into one that shares nothing with it. */
const REFLECTIONS = 40;
const reflectors = (size: number, seed: number): Float64Array[] =>
  Array.from({ length: REFLECTIONS }, (_, i) => {
    const v = randomNormal(size, seed + i);
    const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    return v.map((x) => x / length);
  });

/** rows <- rows H1 H2 ... , every row of length `size` turned alike. */
function turnRows(values: Float64Array, size: number, by: readonly Float64Array[]): void {
  for (let at = 0; at < values.length; at += size) {
    for (const v of by) {
      let product = 0;
      for (let i = 0; i < size; i += 1) product += values[at + i]! * v[i]!;
      for (let i = 0; i < size; i += 1) values[at + i]! -= 2 * product * v[i]!;
    }
  }
}

interface Planted extends Matrix {
  readonly sigma: readonly number[];
  /** [short, rows]: exact left singular vectors, one a row; [short, columns] the right ones */
  readonly u: Float64Array;
  readonly v: Float64Array;
}

/** U diag(sigma) Vᵀ of known U and V, rounded to f32. */
function plantedLarge(rows: number, columns: number, sigma: readonly number[], seed: number): Planted {
  const n = sigma.length;
  const basis = (size: number, from: number): Float64Array => {
    const vectors = new Float64Array(n * size);
    for (let i = 0; i < n; i += 1) vectors[i * size + i] = 1;
    turnRows(vectors, size, reflectors(size, from));
    return vectors;
  };
  const [u, v] = [basis(rows, seed), basis(columns, seed + 1000)];
  const values = new Float64Array(rows * columns);
  // Column i of U diag(sigma) stands in the first n columns; turning its rows by V's reflections is the product with Vᵀ.
  for (let i = 0; i < n; i += 1) for (let row = 0; row < rows; row += 1) values[row * columns + i] = u[i * rows + row]! * sigma[i]!;
  turnRows(values, columns, reflectors(columns, seed + 1000));
  return { ...matrix(rows, columns, values.map(Math.fround)), sigma, u, v };
}

/** Lost energy and overlap of one side's basis [size, k] against exact vectors [n, size]. */
function against(exact: Float64Array, basis: Matrix, sigma: readonly number[]): { lost: number; overlap: number } {
  const { rows: size, columns: k } = basis;
  const last = sigma[k - 1]!;
  let [captured, best, inside] = [0, 0, 0];
  for (const [i, value] of sigma.entries()) {
    let share = 0;
    const products = new Float64Array(k);
    for (let row = 0; row < size; row += 1) {
      const entry = exact[i * size + row]!;
      for (let j = 0; j < k; j += 1) products[j]! += entry * basis.values[row * k + j]!;
    }
    for (const product of products) share += product * product;
    captured += value * value * share;
    if (i < k) best += value * value;
    if (value >= last * (1 - 1e-3)) inside += share;
  }
  return { lost: 1 - captured / best, overlap: inside / k };
}

describe.each([
  { rows: 576, columns: 1536, fraction: 0.2 },
  { rows: 192, columns: 576, fraction: 0.5 },
  { rows: 4096, columns: 256, fraction: 0.2 },
])('$rows x $columns, k $fraction of the smaller side', ({ rows, columns, fraction }) => {
  const names = Object.keys(SPECTRA);
  const k = effectiveRank({ rows, columns }, fraction);
  const planted = names.map((name, i) => plantedLarge(rows, columns, SPECTRA[name]!(Math.min(rows, columns), k), 10 * i));

  test('keeps the contract on every spectrum, says so, and gives the same bits again', async () => {
    const layout = layoutOf(Object.fromEntries(names.map((name) => [name, [rows, columns]])));
    const values = filled(context, layout, Object.fromEntries(names.map((name, i) => [name, planted[i]!.values])));
    const found = async () => {
      const basis = await decompose(context, values, layout.matrixBatches()[0]!, { k });
      const read = await readBasis(context, basis);
      destroyBases(context, [basis]);
      return { read, quality: basis.quality };
    };
    const first = await found();
    for (const [i, { u, v, sigma }] of first.read.entries()) {
      const { sigma: exact } = planted[i]!;
      expect(Math.max(orthogonalityError(u), orthogonalityError(v)), names[i]).toBeLessThan(2e-6);
      for (const { lost, overlap } of [against(planted[i]!.u, u, exact), against(planted[i]!.v, v, exact)]) {
        expect(lost, `${names[i]}: energy lost`).toBeLessThan(1e-4);
        expect(overlap, `${names[i]}: overlap`).toBeGreaterThan(0.999);
        // What it says of itself is no better than what it is, rounding of f32 aside.
        expect(overlap + 1e-5, `${names[i]}: said overlap`).toBeGreaterThan(first.quality[i]!.overlap);
      }
      expect(first.quality[i]!.overlap, `${names[i]}: said overlap`).toBeGreaterThan(0.999);
      expect(first.quality[i]!.lostEnergy, `${names[i]}: said lost energy`).toBeLessThan(1e-4);
      // To rounding of the largest value, the spectrum is what it was made of.
      expect(Math.max(...Array.from(sigma, (value, j) => Math.abs(value - exact[j]!))) / exact[0]!, `${names[i]}: singular values`).toBeLessThan(2e-6);
    }
    expect(await found()).toEqual(first);
    values.destroy(context.pool);
    context.gpu.assertHealthy();
  });
});

test('the route takes out what stands and goes on where the Gram matrix cannot see the k-th value', async () => {
  const [rows, columns, k] = [96, 160, 64];
  const planted = plantedLarge(rows, columns, SPECTRA['graded']!(rows, k), 50);
  const layout = layoutOf({ w: [rows, columns] });
  const values = filled(context, layout, { w: planted.values });
  const basis = await decompose(context, values, layout.matrixBatches()[0]!, { k });
  const [found] = await readBasis(context, basis);
  expect(basis.quality[0]!.rounds).toBeGreaterThan(1);
  expect(against(planted.u, found!.u, planted.sigma).overlap).toBeGreaterThan(0.999);
  expect(against(planted.v, found!.v, planted.sigma).overlap).toBeGreaterThan(0.999);
  destroyBases(context, [basis]);
  values.destroy(context.pool);
});
