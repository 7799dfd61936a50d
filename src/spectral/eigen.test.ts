import { expect, test } from 'vitest';
import { relativeError } from '../graph/testing.ts';
import { singularValues, symmetricEigen, tridiagonalEigen } from './eigen.ts';
import { firstColumns, matrix, minus, multiply, referenceSvd, squaredNorm, transpose, type Matrix } from './reference.ts';
import { normalMatrix, orthogonalityError, planted } from './testing.ts';

const gram = (w: Matrix): Matrix => multiply(w, transpose(w));

test.each([
  ['random', gram(normalMatrix(40, 60, 1)), 40],
  ['deficient', gram(planted(30, 30, [3, 2, 1e-3], 3)), 10],
  ['equal eigenvalues', matrix(5, 5, Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 2 : 0))), 5],
  ['zero', matrix(6, 6), 3],
  ['a single number', matrix(1, 1, [-4]), 1],
] as const)('%s: A v = value v with orthonormal v, largest first', (_, a, count) => {
  const { values, vectors } = symmetricEigen(a.values, a.rows, count);
  const v = transpose(matrix(count, a.rows, vectors));
  const turned = { ...v, values: v.values.map((value, at) => value * values[at % count]!) };
  expect(Math.sqrt(squaredNorm(minus(multiply(a, v), turned)))).toBeLessThan(1e-13 * (1 + Math.sqrt(squaredNorm(a))));
  expect(orthogonalityError(v)).toBeLessThan(1e-13);
  expect([...values]).toEqual([...values].toSorted((x, y) => y - x));
  expect([...symmetricEigen(a.values, a.rows, 0).values]).toEqual([...values]);
});

test('indefinite matrices keep their signs', () => {
  const { values } = symmetricEigen([0, 2, 2, 0], 2, 0);
  expect(relativeError(values, Float64Array.of(2, -2))).toBeLessThan(1e-15);
});

test.each([
  ['apart', [1, 2, 3, 4, 5, 6], [0.5, 0.5, 0.5, 0.5, 0.5, 9]],
  ['in parts with equal values', [2, 2, 7, 2, 2, 7], [1, 0, 0, 1, 0, 9]],
  ['equal to the last bits', [1, 1, 1, 1, 1, 1], [1e-17, 1e-16, 1e-15, 1e-16, 1e-17, 9]],
  ['graded', [1, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15], [1e-2, 1e-5, 1e-8, 1e-11, 1e-14, 9]],
] as const)('tridiagonal, %s: the largest and the smallest', (_, diagonal, offDiagonal) => {
  const n = diagonal.length;
  const a = matrix(n, n);
  for (let i = 0; i < n; i += 1) {
    a.values[i * n + i] = diagonal[i]!;
    if (i > 0) a.values[i * n + i - 1] = a.values[(i - 1) * n + i] = offDiagonal[i - 1]!;
  }
  for (const smallest of [false, true]) {
    const { values, vectors } = tridiagonalEigen(diagonal, offDiagonal, 4, { smallest });
    expect([...values]).toEqual([...values].toSorted((x, y) => y - x));
    const v = transpose(matrix(4, n, vectors));
    const own = smallest ? [...values].toReversed() : [...values];
    const turned = { ...v, values: v.values.map((value, at) => value * own[at % 4]!) };
    expect(Math.sqrt(squaredNorm(minus(multiply(a, v), turned)))).toBeLessThan(1e-14 * Math.sqrt(squaredNorm(a)));
    expect(orthogonalityError(v)).toBeLessThan(1e-13);
  }
});

test('singular values against one-sided Jacobi', () => {
  const w = normalMatrix(24, 24, 5);
  expect(relativeError(singularValues(w.values, 24), referenceSvd(w).sigma)).toBeLessThan(1e-13);
});

test('the reference itself puts the matrix together again', () => {
  for (const w of [normalMatrix(9, 6, 6), normalMatrix(6, 9, 7)]) {
    const { u, sigma, v } = referenceSvd(w);
    const left = firstColumns(u, 6);
    const again = multiply({ ...left, values: left.values.map((value, at) => value * sigma[at % 6]!) }, transpose(firstColumns(v, 6)));
    expect(relativeError(again.values, w.values)).toBeLessThan(1e-13);
  }
});

test('numbers that are not finite are refused', () => {
  expect(() => symmetricEigen([1, 0, Number.NaN, 1], 2, 2)).toThrow('not finite');
});
