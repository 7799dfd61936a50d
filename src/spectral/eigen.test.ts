import { expect, test } from 'vitest';
import { relativeError } from '../graph/testing.ts';
import { singularValues, symmetricEigen } from './eigen.ts';
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
