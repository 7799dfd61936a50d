/** @file The penalties from an adapter's factors against the dense form in f64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFloats } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { Program } from '../gpu/program.ts';
import { randomNormal, relativeError } from '../graph/testing.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { ParameterBuffers } from '../models/parameters.ts';
import { randomBase, SMALL_LINEARS } from '../models/testing.ts';
import { decomposeAll, type Decomposition } from '../spectral/decompose.ts';
import { blockPenalty, matrix, multiply, scaled, squaredNorm, transpose, type Matrix } from '../spectral/reference.ts';
import { readBasis, testContext } from '../spectral/testing.ts';
import { l2spPenalty } from './l2sp.ts';
import type { Penalty, PenaltyTargets } from './penalty.ts';
import { gradientProjection } from './projection.ts';
import { rpsftPenalty } from './rpsft.ts';
import { twoSidedReference } from './testing.ts';
import { twoSidedPenalty } from './twoSided.ts';

const RANK = 3;
const LAMBDA = 0.7;

let context: Context;
let base: ReturnType<typeof randomBase>;
let adapted: AdaptedWeights;
let decomposition: Decomposition;
beforeAll(async () => {
  context = await testContext();
  base = randomBase(context, SMALL_LINEARS, 1);
  // Of the stacked three the middle one is free, so runs of neighbours in a basis are broken up.
  const modules = base.linears.filter(({ module }) => !module.endsWith('k_proj'));
  adapted = AdaptedWeights.from(context, base, {
    settings: { r: RANK, alpha: 4, rsLora: true },
    modules: modules.map(({ module, rows, columns }, i) => ({ name: module, a: normal(RANK * columns, 50 + i), b: normal(rows * RANK, 80 + i) })),
  });
  decomposition = await decomposeAll(context, base.weights, { rankFraction: 0.4 });
});
afterAll(() => context.pool.destroyAll());

const normal = (count: number, seed: number): Float32Array<ArrayBuffer> => Float32Array.from(randomNormal(count, seed), (value) => value / 4);

/** Value and gradients by name, recorded once and replayed at each λ on gradients that begin as ones. */
async function run(make: (targets: PenaltyTargets) => Penalty, weights: AdaptedWeights, lambdas: readonly number[]): Promise<{ value: number; gradients: Map<string, Float32Array> }[]> {
  const { device } = context.gpu;
  const { layout } = weights.trained;
  const gradients = new ParameterBuffers(layout, context.pool, 'gradients', 'test');
  const lambda = context.pool.uniform(16, 'lambda');
  const value = context.pool.storage(16, 'other', 'value');
  const { calls } = make({ context, weights, pretrained: base.weights, gradients, lambda, value });
  const program = await Program.record(device, context.pipelines, 'penalty', calls);
  const results = [];
  for (const each of lambdas) {
    for (const weight of layout.weights) gradients.write(device, weight, new Float32Array(weight.rows * weight.columns).fill(1));
    device.queue.writeBuffer(lambda.buffer, 0, Float32Array.of(each));
    program.replay();
    const read = new Map<string, Float32Array>();
    for (const weight of layout.weights) read.set(weight.name, await gradients.read(device, weight));
    results.push({ value: (await readFloats(device, value))[0]!, gradients: read });
  }
  context.gpu.assertHealthy();
  return results;
}

/** The dense penalty of every module on s B A in f64, with the bases that the GPU found; gradients by the chain rule. */
async function dense({ bases, degenerate }: Decomposition, reference: typeof blockPenalty): Promise<{ value: number; gradients: Map<string, Matrix> }> {
  const result = { value: 0, gradients: new Map<string, Matrix>() };
  const found = new Map<string, { u: Matrix; v: Matrix }>();
  for (const basis of bases) for (const [z, uv] of (await readBasis(context, basis)).entries()) found.set(basis.batch.names[z]!, uv);
  const whole = new Set(degenerate.flatMap(({ names }) => names));
  for (const { linear, a: placeA, b: placeB } of adapted.modules) {
    const name = `${linear.module}.weight`;
    const a = matrix(RANK, linear.columns, await adapted.trained.read(context.gpu.device, placeA));
    const b = matrix(linear.rows, RANK, await adapted.trained.read(context.gpu.device, placeB));
    const change = scaled(multiply(b, a), adapted.scale);
    const uv = found.get(name);
    expect(uv !== undefined || whole.has(name)).toBe(true);
    const { value, gradient } = uv ? reference(change, uv.u, uv.v, LAMBDA) : { value: LAMBDA * squaredNorm(change), gradient: scaled(change, 2 * LAMBDA) };
    result.value += value;
    result.gradients.set(placeA.name, scaled(multiply(transpose(b), gradient), adapted.scale));
    result.gradients.set(placeB.name, scaled(multiply(gradient, transpose(a)), adapted.scale));
  }
  return result;
}

async function expectDense(make: (targets: PenaltyTargets) => Penalty, of: Decomposition, reference = blockPenalty): Promise<void> {
  const expected = await dense(of, reference);
  const [actual, again, none] = await run(make, adapted, [LAMBDA, LAMBDA, 0]);
  expect(Math.abs(actual!.value / expected.value - 1)).toBeLessThan(1e-5);
  for (const [name, gradient] of expected.gradients) {
    // A gradient of one is there already, and f32 holds the sum: half its last place is the smallest error to be had.
    const added = Float64Array.from(actual!.gradients.get(name)!, (value) => value - 1);
    expect(relativeError(added, gradient.values), name).toBeLessThan(1e-5);
  }
  expect(again).toEqual(actual);
  expect(none!.value).toBe(0);
  for (const values of none!.gradients.values()) expect(values.every((value) => value === 1)).toBe(true);
}

describe('the penalty of an adapter', () => {
  test('RPSFT against the dense form, λ changed between replays, the same bits again', () => expectDense((targets) => rpsftPenalty(targets, decomposition), decomposition));

  test('two-sided RPSFT against the dense form, the same bits again', () => expectDense((targets) => twoSidedPenalty(targets, decomposition), decomposition, twoSidedReference));

  test('gradient projection says what it cannot do', () => {
    expect(() => gradientProjection({ context, weights: adapted } as unknown as PenaltyTargets, decomposition)).toThrow(/adapters have gradients of their two factors only/);
  });

  test('L2-SP against the dense form; RPSFT where every matrix is degenerate is the same to the bit', async () => {
    const all = await decomposeAll(context, base.weights, { rankFraction: 1, names: adapted.names });
    await expectDense(l2spPenalty, all);
    const [[l2sp], [degenerate], [twoSided]] = [
      await run(l2spPenalty, adapted, [LAMBDA]),
      await run((targets) => rpsftPenalty(targets, all), adapted, [LAMBDA]),
      await run((targets) => twoSidedPenalty(targets, all), adapted, [LAMBDA]),
    ];
    expect(degenerate).toEqual(l2sp);
    expect(twoSided).toEqual(l2sp);
  });

  test('only the subspaces count', async () => {
    // The basis with its columns turned pairwise by some angle is another basis of the same subspaces.
    const turned: Decomposition = { ...decomposition, bases: [] as typeof decomposition.bases };
    const bases = await Promise.all(
      decomposition.bases.map(async (basis) => {
        const turn = (values: Float32Array<ArrayBuffer>, angle: number): Float32Array<ArrayBuffer> =>
          values.map((value, at) => {
            const column = at % basis.k;
            const partner = column ^ 1;
            if (partner >= basis.k) return -value;
            return Math.cos(angle) * value + (column % 2 ? 1 : -1) * Math.sin(angle) * values[at - column + partner]!;
          });
        const upload = async (slice: typeof basis.u, angle: number) => context.pool.upload(turn(await readFloats(context.gpu.device, slice), angle), 'bases', 'turned');
        return { ...basis, u: await upload(basis.u, 0.7), v: await upload(basis.v, 1.9) };
      }),
    );
    const [[plain], [other]] = [
      await run((targets) => rpsftPenalty(targets, decomposition), adapted, [LAMBDA]),
      await run((targets) => rpsftPenalty(targets, { ...turned, bases }), adapted, [LAMBDA]),
    ];
    expect(Math.abs(other!.value / plain!.value - 1)).toBeLessThan(1e-5);
    for (const [name, values] of plain!.gradients) expect(relativeError(Float64Array.from(other!.gradients.get(name)!), Float64Array.from(values)), name).toBeLessThan(1e-5);
  });

  test('nothing at the start, where B is zero', async () => {
    const fresh = AdaptedWeights.create(context, base, adapted.settings, ['q_proj', 'down_proj'], 1);
    for (const make of [l2spPenalty, (targets: PenaltyTargets) => rpsftPenalty(targets, decomposition), (targets: PenaltyTargets) => twoSidedPenalty(targets, decomposition)]) {
      const [result] = await run(make, fresh, [1e6]);
      expect(result!.value).toBe(0);
      for (const values of result!.gradients.values()) expect(values.every((value) => value === 1)).toBe(true);
    }
  });
});
