/** @file Fisher alignment against per-example gradients and full decompositions of PyTorch. */
import { describe, expect, it } from 'vitest';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import { Model } from '../models/model.ts';
import { loadFixtureModel, readFixtureTensors } from '../models/testing.ts';
import { controlDirections } from './controls.ts';
import { decomposeAll, destroyBases } from './decompose.ts';
import { measureFisher } from './fisher.ts';
import { matrix, multiply, squaredNorm, transpose } from './reference.ts';
import { readBasis, readDiagnostics } from './testing.ts';

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);
/** Both sides start from f32 gradients, a few hundred roundings along the longest path; the bases are good to 1e-5. */
const TOLERANCE = 1e-4;

describe('measureFisher', () => {
  it.each(['llama-tied', 'gpt2'])('has the shares of PyTorch on %s', async (folder) => {
    const { examples, fraction, fisher } = await readDiagnostics();
    const model = await loadFixtureModel(folder);
    const { context } = model;
    const { bases } = await decomposeAll(context, model.weights, { rankFraction: fraction });
    const held = Object.fromEntries(context.pool.bytes);
    const done: number[] = [];
    const { matrices, whole, examples: count, cost } = await measureFisher(model, model.weights, bases, examples, 0, { against: ['tail'], onProgress: (each, of) => done.push(each / of) });
    expect(Object.fromEntries(context.pool.bytes)).toMatchObject(held);
    // The last document has one token, and so nothing that is predicted.
    expect(count).toBe(examples.length - 1);
    expect(cost).toMatchObject({ tokens: 41, backwardTokens: 41 });
    expect(cost.seconds).toBeGreaterThan(0);
    // The tail directions of each matrix, and each example.
    const slices = matrices.length + 3;
    expect(done).toEqual(Array.from({ length: slices }, (_, i) => (i + 1) / slices));
    const expected = fisher[folder]!;
    expect(new Set(matrices.map(({ name }) => name))).toEqual(new Set(Object.keys(expected)));
    for (const { name, energy, top, tail, random, chance, k, shape } of matrices) {
      const own = expected[name]!;
      expect(relative(energy, total(own.gradient) / count), name).toBeLessThan(TOLERANCE);
      expect(relative(top.share, total(own.top) / total(own.gradient)), name).toBeLessThan(TOLERANCE);
      expect(relative(tail!.share, total(own.tail) / total(own.gradient)), name).toBeLessThan(TOLERANCE);
      expect(random).toBeUndefined();
      expect(chance).toBe((k * k) / (shape[0] * shape[1]));
      expect(top.ratio).toBe(top.share / chance);
      // The standard error of a ratio of means, by leaving out one example at a time, is near its linearisation.
      const mean = total(own.gradient) / count;
      const error = Math.sqrt(total(own.top.map((value, i) => (value - top.share * own.gradient[i]!) ** 2)) / (count * (count - 1))) / mean;
      expect(relative(top.standardError!, error), name).toBeLessThan(1e-2);
    }
    const all = (kind: 'gradient' | 'top' | 'tail'): number => total(Object.values(expected).flatMap((each) => each[kind]));
    expect(relative(whole.top.share, all('top') / all('gradient'))).toBeLessThan(TOLERANCE);
    expect(relative(whole.tail!.share, all('tail') / all('gradient'))).toBeLessThan(TOLERANCE);
    destroyBases(context, bases);
    model.destroy();
  });

  it('has the share of the random directions of its seed', async () => {
    const { examples, fraction, kept } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const { bases } = await decomposeAll(context, model.weights, { rankFraction: fraction, names: new Set([kept]) });
    const { matrices } = await measureFisher(model, model.weights, bases, examples, 0, { against: ['random'], seed: 5 });
    const [drawn] = await controlDirections(context, model.weights, bases, 'random', 5);
    const [{ u, v }] = (await readBasis(context, { sigma: bases[0]!.sigma, quality: [], ...drawn! })) as [Awaited<ReturnType<typeof readBasis>>[number]];
    const source = await readFixtureTensors('fisher.safetensors');
    const gradients = await Promise.all(['0', '1', '2'].map(async (name) => matrix(u.rows, v.rows, await source.read(name))));
    const share = total(gradients.map((gradient) => squaredNorm(multiply(transpose(u), gradient, v)))) / total(gradients.map(squaredNorm));
    expect(matrices.map(({ name }) => name)).toEqual([kept]);
    expect(relative(matrices[0]!.random!.share, share)).toBeLessThan(TOLERANCE);
    destroyBases(context, [...bases, drawn!]);
    model.destroy();
  });

  it('measures adapted weights as it does the same weights merged, and weights in halves', async () => {
    const { examples, fraction, kept } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const { bases } = await decomposeAll(context, model.weights, { rankFraction: fraction, names: new Set([kept]) });
    const measure = async (weights: Parameters<typeof measureFisher>[1]) => {
      const { matrices, whole } = await measureFisher(model, weights, bases, examples, 0, { against: [] });
      return { matrices, whole };
    };
    const base = { weights: model.weights, linears: model.architecture.linears };
    const adapted = AdaptedWeights.create(context, base, { r: 2, alpha: 2, rsLora: false }, ['o_proj', 'k_proj'], 1);
    for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, new Float32Array(2 * b.rows).fill(0.3));
    const merged = await merge(context, adapted);
    const found = await measure(adapted);
    expect(found).toEqual(await measure(merged));
    const plain = await measure(model.weights);
    expect(found).not.toEqual(plain);
    const expected = plain.whole.energy;
    destroyBases(context, bases);
    model.destroy();

    const halves = await Model.load(context, model.configJson, await readFixtureTensors('llama-tied/model.safetensors'), { precision: 'bf16' });
    const basesOfHalves = (await decomposeAll(context, halves.weights, { rankFraction: fraction, names: new Set([kept]) })).bases;
    const [ofHalves, ofCopy] = [await measureFisher(halves, halves.weights, basesOfHalves, examples, 0, { against: [] }), await measureFisher(halves, await halves.weights.copy(context), basesOfHalves, examples, 0, { against: [] })];
    expect(ofHalves.matrices).toEqual(ofCopy.matrices);
    // Weights rounded by up to 2^-9 of themselves, through two layers.
    expect(relative(ofHalves.whole.energy, expected)).toBeLessThan(0.05);
    destroyBases(context, basesOfHalves);
    halves.destroy();
  });

  it('says what is missing, and leaves nothing behind when it is stopped', async () => {
    const { examples, fraction } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const { bases } = await decomposeAll(context, model.weights, { rankFraction: fraction });
    await expect(measureFisher(model, model.weights, bases, examples.slice(3), 0)).rejects.toThrow('none of these has any');
    await expect(measureFisher(model, model.weights, [], examples, 0)).rejects.toThrow('Decompose with a smaller k');
    const held = Object.fromEntries(context.pool.bytes);
    const stop = new AbortController();
    const stopped = measureFisher(model, model.weights, bases, examples, 0, { against: [], signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) });
    await expect(stopped).rejects.toThrow('stopped');
    expect(Object.fromEntries(context.pool.bytes)).toMatchObject(held);
    const early = new AbortController();
    const stoppedEarly = measureFisher(model, model.weights, bases, examples, 0, { signal: early.signal, onProgress: (count) => count >= 2 && early.abort(new Error('stopped early')) });
    await expect(stoppedEarly).rejects.toThrow('stopped early');
    expect(Object.fromEntries(context.pool.bytes)).toMatchObject(held);
    destroyBases(context, bases);
    model.destroy();
  });
});
