/** @file Extraction of adapters against full decompositions in f64, and the drift of adapted weights against that of merged ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../gpu/context.ts';
import { randomNormal } from '../graph/testing.ts';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import { ParameterBuffers } from '../models/parameters.ts';
import { randomBase, SMALL_LINEARS } from '../models/testing.ts';
import { decomposeAll, destroyBases } from './decompose.ts';
import { DriftMeter, measureDriftDetail } from './drift.ts';
import { extractAdapter } from './extract.ts';
import { matrix, minus, referenceSvd, squaredNorm } from './reference.ts';
import { testContext } from './testing.ts';

const TARGETS = ['q_proj', 'v_proj', 'down_proj'];

let context: Context;
let base: ReturnType<typeof randomBase>;
beforeAll(async () => {
  context = await testContext();
  base = randomBase(context, SMALL_LINEARS, 1);
});
afterAll(() => context.pool.destroyAll());

/** Weights of which all but those of `same` have changed a little. */
async function tuned(same: string): Promise<ParameterBuffers> {
  const weights = new ParameterBuffers(base.layout, context.pool, 'weights', 'tuned');
  for (const [i, weight] of base.layout.weights.entries()) {
    const before = await base.weights.read(context.gpu.device, weight);
    const change = randomNormal(before.length, 70 + i);
    weights.write(context.gpu.device, weight, weight.name === same ? before : before.map((value, at) => value + 0.02 * change[at]!));
  }
  return weights;
}

describe('extractAdapter', () => {
  test('is as near as any adapter of its rank can be, says what it holds, and does nothing where nothing changed', async () => {
    const [rank, same] = [4, 'model.layers.1.down_proj.weight'];
    const weights = await tuned(same);
    const bytes = context.pool.bytes.get('other') ?? 0;
    const progress: number[] = [];
    const { adapter, energy, retained } = await extractAdapter(context, weights, base, { rank, targets: TARGETS }, (done, total) => {
      expect(total).toBe(6);
      progress.push(done);
    });
    expect(progress).toEqual([1, 2, 3, 4, 5, 6]);
    expect(context.pool.bytes.get('other')).toBe(bytes);
    expect(adapter.settings).toEqual({ r: rank, alpha: rank, rsLora: false });
    const attached = AdaptedWeights.from(context, base, adapter);
    const [sums, kept] = [[], []] as [number[], number[]];
    for (const { linear, a, b } of attached.modules) {
      const weight = base.layout.weights.find(({ name }) => name === `${linear.module}.weight`)!;
      const read = async (set: { read: ParameterBuffers['read'] }) => matrix(weight.rows, weight.columns, await set.read(context.gpu.device, weight));
      const [before, now, near] = [await read(base.weights), await read(weights), await read(attached)];
      const { retained: share } = energy.find(({ module }) => module === linear.module)!;
      if (weight.name === same) {
        expect(share).toBe(1);
        expect((await attached.trained.read(context.gpu.device, b)).every((value) => value === 0)).toBe(true);
        expect((await attached.trained.read(context.gpu.device, a)).some((value) => value !== 0)).toBe(true);
        continue;
      }
      const change = minus(now, before);
      const { sigma } = referenceSvd(change);
      const squares = [...sigma].map((value) => value * value);
      const best = squares.slice(0, rank).reduce((sum, value) => sum + value, 0);
      // What is left is measured on weights of size 1 in f32, where a change of 0.02 has five digits.
      expect(squaredNorm(minus(now, near)) / (squaredNorm(change) - best)).toBeLessThan(1.0005);
      expect(Math.abs(share / (best / squaredNorm(change)) - 1), linear.module).toBeLessThan(1e-4);
      sums.push(squaredNorm(change));
      kept.push(best);
    }
    const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
    expect(Math.abs(retained / (total(kept) / total(sums)) - 1)).toBeLessThan(1e-4);
  });

  test('refuses a rank that truncates nothing, and targets that are not there', async () => {
    await expect(extractAdapter(context, base.weights, base, { rank: 10, targets: ['v_proj', 'q_proj'] })).rejects.toThrow('model.layers.0.v_proj (10 x 24) has a rank from 1 to 9, not 10');
    await expect(extractAdapter(context, base.weights, base, { rank: 2, targets: ['fc1'] })).rejects.toThrow('fc1');
  });

  test('gives back the adapter that weights were merged from', async () => {
    const adapted = AdaptedWeights.from(context, base, {
      settings: { r: 2, alpha: 2, rsLora: false },
      modules: base.linears.map(({ module, rows, columns }, i) => ({ name: module, a: Float32Array.from(randomNormal(2 * columns, i)), b: Float32Array.from(randomNormal(2 * rows, 30 + i)) })),
    });
    const { energy } = await extractAdapter(context, await merge(context, adapted), base, { rank: 2, targets: TARGETS });
    for (const { retained, module } of energy) expect(Math.abs(retained - 1), module).toBeLessThan(1e-5);
  });
});

describe('DriftMeter', () => {
  test('measures adapted weights as it does the same weights merged, and holds nothing in between', async () => {
    const adapted = AdaptedWeights.from(context, base, {
      settings: { r: 2, alpha: 2, rsLora: false },
      modules: base.linears.filter(({ module }) => !module.endsWith('k_proj')).map(({ module, rows, columns }, i) => ({ name: module, a: Float32Array.from(randomNormal(2 * columns, i)), b: Float32Array.from(randomNormal(2 * rows, 30 + i), (value) => value / 20) })),
    });
    const { bases } = await decomposeAll(context, base.weights, { rankFraction: 0.4, names: adapted.names });
    const held = context.pool.bytes.get('other');
    const meter = new DriftMeter(context, { weights: adapted, pretrained: base.weights, bases });
    const drift = await meter.measure();
    expect(context.pool.bytes.get('other')).toBe(held);
    const plain = new DriftMeter(context, { weights: await merge(context, adapted), pretrained: base.weights, bases });
    expect(drift).toEqual(await plain.measure());
    expect(new Set(drift.map(({ name }) => name))).toEqual(adapted.names);
    expect(Math.min(...drift.map(({ relativeChange }) => relativeChange))).toBeGreaterThan(0.01);
    const [name] = adapted.names;
    const { leftAlignment, rightAlignment, ...detail } = await measureDriftDetail(context, { weights: adapted, pretrained: base.weights, bases }, name!);
    const whole = drift.find((each) => each.name === name)!;
    expect(detail).toEqual(whole);
    expect([leftAlignment.length, rightAlignment.length]).toEqual([whole.k ** 2, whole.k ** 2]);
    destroyBases(context, bases);
  });
});
