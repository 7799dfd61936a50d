import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFloats } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { Program } from '../gpu/program.ts';
import { cutTo } from '../gpu/testing.ts';
import { differenceError, randomNormal, relativeError } from '../graph/testing.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import { decomposeAll, type Decomposition } from '../spectral/decompose.ts';
import { DriftMeter } from '../spectral/drift.ts';
import { blockPenalty, blockPenaltyOfAdapter, firstColumns, matrix, minus, multiply, plus, referenceSvd, scaled, squaredNorm, transpose, type Matrix } from '../spectral/reference.ts';
import { filled, layoutOf, normalMatrix, orthonormalMatrix, planted, readBasis, testContext } from '../spectral/testing.ts';
import { l2spPenalty } from './l2sp.ts';
import type { Penalty, PenaltyTargets } from './penalty.ts';
import { gradientProjection } from './projection.ts';
import { rpsftPenalty } from './rpsft.ts';
import { outside, twoSidedReference } from './testing.ts';
import { twoSidedPenalty } from './twoSided.ts';

describe('the mathematics, in f64', () => {
  const [m, n, k, r, lambda] = [9, 7, 3, 2, 0.7];
  const [u, v] = [orthonormalMatrix(m, k, 1), orthonormalMatrix(n, k, 2)];
  const change = normalMatrix(m, n, 3);

  test('gradient of the dense form against finite differences', () => {
    const value = (at: ArrayLike<number>): number => blockPenalty(matrix(m, n, at), u, v, lambda).value;
    expect(differenceError(value, change.values, blockPenalty(change, u, v, lambda).gradient.values)).toBeLessThan(1e-8);
  });

  test('the form for adapters equals the dense form, and its gradients finite differences', () => {
    const [b, a, s] = [normalMatrix(m, r, 4), normalMatrix(r, n, 5), 1.5];
    const factored = blockPenaltyOfAdapter(b, a, s, u, v, lambda);
    const dense = blockPenalty(scaled(multiply(b, a), s), u, v, lambda);
    expect(factored.value).toBeCloseTo(dense.value, 12);
    expect(relativeError(factored.db.values, scaled(multiply(dense.gradient, transpose(a)), s).values)).toBeLessThan(1e-12);
    expect(relativeError(factored.da.values, scaled(multiply(transpose(b), dense.gradient), s).values)).toBeLessThan(1e-12);
    expect(differenceError((at) => blockPenaltyOfAdapter(matrix(m, r, at), a, s, u, v, lambda).value, b.values, factored.db.values)).toBeLessThan(1e-7);
    expect(differenceError((at) => blockPenaltyOfAdapter(b, matrix(r, n, at), s, u, v, lambda).value, a.values, factored.da.values)).toBeLessThan(1e-7);
  });

  test('only the subspaces count; outside them nothing is penalised; a full basis is L2-SP', () => {
    const turned = blockPenalty(change, multiply(u, orthonormalMatrix(k, k, 6)), multiply(v, orthonormalMatrix(k, k, 7)), lambda);
    const plain = blockPenalty(change, u, v, lambda);
    expect(turned.value).toBeCloseTo(plain.value, 12);
    expect(relativeError(turned.gradient.values, plain.gradient.values)).toBeLessThan(1e-12);
    expect(blockPenalty(minus(change, multiply(u, transpose(u), change)), u, v, lambda).value).toBeLessThan(1e-28);
    expect(blockPenalty(minus(change, multiply(change, v, transpose(v))), u, v, lambda).value).toBeLessThan(1e-28);
    const full = blockPenalty(change, orthonormalMatrix(m, m, 8), orthonormalMatrix(n, n, 9), lambda);
    expect(full.value).toBeCloseTo(lambda * squaredNorm(change), 12);
    expect(relativeError(full.gradient.values, scaled(change, 2 * lambda).values)).toBeLessThan(1e-12);
  });
});

describe('the two-sided form, in f64', () => {
  const [m, n, k, lambda] = [9, 7, 3, 0.7];
  const [u, v] = [orthonormalMatrix(m, k, 1), orthonormalMatrix(n, k, 2)];
  const change = normalMatrix(m, n, 3);
  const plain = twoSidedReference(change, u, v, lambda);

  test('gradient against finite differences; the same from the other side', () => {
    const value = (at: ArrayLike<number>): number => twoSidedReference(matrix(m, n, at), u, v, lambda).value;
    expect(differenceError(value, change.values, plain.gradient.values)).toBeLessThan(1e-8);
    const turned = twoSidedReference(transpose(change), v, u, lambda);
    expect(turned.value).toBeCloseTo(plain.value, 12);
    expect(relativeError(transpose(turned.gradient).values, plain.gradient.values)).toBeLessThan(1e-12);
  });

  test('only the subspaces count; inside the block it is RPSFT; a full basis is L2-SP', () => {
    const other = twoSidedReference(change, multiply(u, orthonormalMatrix(k, k, 6)), multiply(v, orthonormalMatrix(k, k, 7)), lambda);
    expect(other.value).toBeCloseTo(plain.value, 12);
    expect(relativeError(other.gradient.values, plain.gradient.values)).toBeLessThan(1e-12);
    const inside = multiply(u, normalMatrix(k, k, 4), transpose(v));
    expect(twoSidedReference(inside, u, v, lambda).value).toBeCloseTo(blockPenalty(inside, u, v, lambda).value, 12);
    const full = twoSidedReference(change, orthonormalMatrix(m, m, 8), orthonormalMatrix(n, n, 9), lambda);
    expect(full.value).toBeCloseTo(lambda * squaredNorm(change), 12);
  });

  test('a change that it leaves free turns no leading direction, however RPSFT\'s block is changed by it', () => {
    const start = planted(12, 8, [8, 7, 6, 1, 0.5, 0.4, 0.3, 0.2], 1);
    const svd = referenceSvd(start);
    const [top, right] = [firstColumns(svd.u, 3), firstColumns(svd.v, 3)];
    const free = transpose(outside(transpose(outside(normalMatrix(12, 8, 5), top)), right));
    expect(twoSidedReference(free, top, right, 1).value).toBeLessThan(1e-28);
    const after = referenceSvd(plus(start, scaled(free, 0.1)));
    expect(squaredNorm(outside(firstColumns(after.u, 3), top))).toBeLessThan(1e-24);
    expect(squaredNorm(outside(firstColumns(after.v, 3), right))).toBeLessThan(1e-24);
    // A change outside the block alone turns them.
    const across = outside(normalMatrix(12, 8, 6), top);
    expect(blockPenalty(across, top, right, 1).value).toBeLessThan(1e-28);
    expect(squaredNorm(outside(firstColumns(referenceSvd(plus(start, scaled(across, 0.1))).u, 3), top))).toBeGreaterThan(1e-3);
  });
});

describe('on the GPU', () => {
  // Wide, tall and square, two of a shape, sizes that cross tile edges and are no multiple of 4, one degenerate ([1, 12] at any k).
  const shapes = { wide: [20, 45], wideToo: [20, 45], tall: [70, 24], square: [32, 32], row: [1, 12], gain: [24] };
  const layout = layoutOf(shapes);
  const matrices = layout.weights.filter(({ shape }) => shape.length > 1);
  const numbers = (seed: number, factor = 1): Record<string, Float64Array> =>
    Object.fromEntries(layout.weights.map(({ name, rows, columns }, i) => [name, randomNormal(rows * columns, seed + i).map((value) => Math.fround(factor * value))]));
  const [before, drift, gradient] = [numbers(1), numbers(20, 1e-3), numbers(40)];
  const after = Object.fromEntries(Object.entries(before).map(([name, values]) => [name, values.map((value, i) => Math.fround(value + drift[name]![i]!))]));

  let context: Context;
  let pretrained: ParameterBuffers;
  let weights: ParameterBuffers;
  let decomposition: Decomposition;
  /** f64 value at λ = 1 and gradient, with the bases that the GPU found. */
  const references: Record<'RPSFT' | 'two-sided RPSFT', { value: number; gradients: Record<string, Float64Array> }> = { RPSFT: { value: 0, gradients: {} }, 'two-sided RPSFT': { value: 0, gradients: {} } };
  const found = new Map<string, { u: Matrix; v: Matrix }>();

  beforeAll(async () => {
    context = await testContext();
    pretrained = filled(context, layout, before);
    weights = filled(context, layout, after);
    decomposition = await decomposeAll(context, pretrained, { rankFraction: 0.3 });
    for (const basis of decomposition.bases) for (const [z, uv] of (await readBasis(context, basis)).entries()) found.set(basis.batch.names[z]!, uv);
    for (const { name } of matrices) {
      const uv = found.get(name);
      for (const [kind, reference] of [['RPSFT', blockPenalty], ['two-sided RPSFT', twoSidedReference]] as const) {
        const { value, gradient: slope } = uv ? reference(changeOf(name), uv.u, uv.v, 1) : { value: squaredNorm(changeOf(name)), gradient: scaled(changeOf(name), 2) };
        references[kind].value += value;
        references[kind].gradients[name] = slope.values;
      }
    }
  });
  afterAll(() => context.pool.destroyAll());

  const changeOf = (name: string): Matrix => {
    const { rows, columns } = layout.weights.find((weight) => weight.name === name)!;
    return minus(matrix(rows, columns, after[name]), matrix(rows, columns, before[name]));
  };

  /** Records a penalty once and replays it at each λ on gradients that begin as `gradient`. */
  async function run(make: (targets: PenaltyTargets) => Penalty, lambdas: readonly number[], { atStart = false, reference = pretrained } = {}): Promise<{ value: number; gradients: Record<string, Float32Array> }[]> {
    const gradients = filled(context, layout, gradient);
    const lambda = context.pool.uniform(16, 'lambda');
    const value = context.pool.storage(16, 'other', 'value');
    const { calls } = make({ context, weights: atStart ? pretrained : weights, pretrained: reference, gradients, lambda, value });
    const program = await Program.record(context.gpu.device, context.pipelines, 'penalty', calls);
    const results = [];
    for (const each of lambdas) {
      for (const weight of layout.weights) gradients.write(context.gpu.device, weight, Float32Array.from(gradient[weight.name]!));
      context.gpu.device.queue.writeBuffer(lambda.buffer, 0, Float32Array.of(each));
      program.replay();
      const summed: Record<string, Float32Array> = {};
      for (const weight of layout.weights) summed[weight.name] = await gradients.read(context.gpu.device, weight);
      results.push({ value: (await readFloats(context.gpu.device, value))[0]!, gradients: summed });
    }
    context.gpu.assertHealthy();
    return results;
  }

  const rpsft = (targets: PenaltyTargets): Penalty => rpsftPenalty(targets, decomposition);
  const twoSided = (targets: PenaltyTargets): Penalty => twoSidedPenalty(targets, decomposition);
  const added = (gradients: Record<string, Float32Array>, name: string): Float64Array => Float64Array.from(gradients[name]!, (value, i) => value - gradient[name]![i]!);
  const bits = (gradients: Record<string, ArrayLike<number>>): number[] => Object.keys(shapes).flatMap((name) => [...new Uint32Array(Float32Array.from(gradients[name]!).buffer)]);

  test.each([['RPSFT', rpsft], ['two-sided RPSFT', twoSided]] as const)('%s: value and gradient of mixed shapes against f64, λ changed between replays, the same bits again', async (kind, make) => {
    const [one, other, again, none] = await run(make, [300, 20, 300, 0]);
    const { value, gradients } = references[kind];
    for (const [result, lambda] of [[one!, 300], [other!, 20]] as const) {
      expect(Math.abs(result.value / (lambda * value) - 1)).toBeLessThan(1e-5);
      for (const { name } of matrices) {
        // f32 holds the sum with a gradient of size 1, so half its last place is the smallest error to be had.
        const slope = gradients[name]!.map((each) => lambda * each);
        const error = added(result.gradients, name).map((each, i) => each - slope[i]!);
        expect(Math.max(...error.map(Math.abs)), name).toBeLessThan(1e-5 * Math.max(...slope.map(Math.abs)) + 3e-7);
      }
      expect([...result.gradients['gain']!], 'vectors are free').toEqual([...gradient['gain']!]);
    }
    expect(bits(again!.gradients)).toEqual(bits(one!.gradients));
    expect(again!.value).toBe(one!.value);
    expect(none!.value).toBe(0);
    expect(bits(none!.gradients), 'λ = 0 is SFT').toEqual(bits(gradient));
  });

  test('nothing at the start: value 0 and every bit of the gradient as it was', async () => {
    for (const make of [rpsft, twoSided, l2spPenalty]) {
      const [result] = await run(make, [1e6], { atStart: true });
      expect(result!.value).toBe(0);
      expect(bits(result!.gradients)).toEqual(bits(gradient));
    }
  });

  test('pretrained weights in bf16 act as the f32 copy of the same numbers, in penalties and in drift', async () => {
    const rounded = Object.fromEntries(Object.entries(before).map(([name, values]) => [name, values.map((value) => cutTo('bf16', value))]));
    const [wide, halves] = (['f32', 'bf16'] as const).map((precision) => filled(context, layout, rounded, precision));
    for (const make of [rpsft, twoSided, l2spPenalty]) {
      const [expected] = await run(make, [50], { reference: wide! });
      const [actual] = await run(make, [50], { reference: halves! });
      expect(Math.abs(actual!.value / expected!.value - 1)).toBeLessThan(1e-6);
      for (const { name } of matrices) expect(relativeError(Float64Array.from(actual!.gradients[name]!), Float64Array.from(expected!.gradients[name]!)), name).toBeLessThan(1e-6);
    }
    const drifts = [];
    for (const each of [wide!, halves!]) {
      const meter = new DriftMeter(context, { weights, pretrained: each, bases: decomposition.bases });
      drifts.push(await meter.measure());
    }
    for (const [i, { relativeChange, block: shares, name }] of drifts[0]!.entries()) {
      expect(drifts[1]![i]!.relativeChange / relativeChange, name).toBeCloseTo(1, 6);
      expect(drifts[1]![i]!.block.share, name).toBeCloseTo(shares.share, 6);
    }
  });

  test('projection takes the block out of the gradient, and all of it where a matrix is degenerate; vectors keep theirs', async () => {
    const [one, again] = await run((targets) => gradientProjection(targets, decomposition), [0, 1e6]);
    expect(bits(again!.gradients), 'λ has no part in it').toEqual(bits(one!.gradients));
    expect(one!.value).toBe(0);
    for (const { name, rows, columns } of matrices) {
      const uv = found.get(name);
      const whole = matrix(rows, columns, gradient[name]);
      const wanted = uv ? minus(whole, scaled(blockPenalty(whole, uv.u, uv.v, 1).gradient, 0.5)) : matrix(rows, columns);
      expect(relativeError(Float64Array.from(one!.gradients[name]!), wanted.values), name).toBeLessThan(2e-6);
    }
    expect([...one!.gradients['row']!]).toEqual(Array.from({ length: 12 }, () => 0));
    expect([...one!.gradients['gain']!]).toEqual([...gradient['gain']!]);
  });

  test('L2-SP against f64; RPSFT where every matrix is degenerate is the same', async () => {
    const all = await decomposeAll(context, pretrained, { rankFraction: 1 });
    expect(all.bases).toEqual([]);
    const [l2sp] = await run(l2spPenalty, [50]);
    const [degenerate] = await run((targets) => rpsftPenalty(targets, all), [50]);
    const [twoSidedDegenerate] = await run((targets) => twoSidedPenalty(targets, all), [50]);
    expect(twoSidedDegenerate).toEqual(degenerate);
    const total = matrices.reduce((sum, { name }) => sum + squaredNorm(changeOf(name)), 0);
    expect(Math.abs(l2sp!.value / (50 * total) - 1)).toBeLessThan(1e-5);
    for (const { name } of matrices) {
      const expected = plus(matrix(1, 1, gradient[name]), scaled(changeOf(name), 100)).values;
      expect(relativeError(Float64Array.from(l2sp!.gradients[name]!), expected), name).toBeLessThan(2e-7);
    }
    expect(bits(degenerate!.gradients)).toEqual(bits(l2sp!.gradients));
    expect(Math.abs(degenerate!.value / l2sp!.value - 1)).toBeLessThan(1e-6);
    expect([...l2sp!.gradients['gain']!]).toEqual([...gradient['gain']!]);
  });
});
