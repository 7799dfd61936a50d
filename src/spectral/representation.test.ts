/** @file Representation drift against transformers and PyTorch on every family. */
import { describe, expect, it } from 'vitest';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import { loadFixtureModel } from '../models/testing.ts';
import { measureRepresentationDrift } from './representation.ts';
import { loadChangedModel, readDiagnostics } from './testing.ts';

const FAMILIES = ['llama-tied', 'llama-untied', 'llama3', 'qwen2', 'qwen3', 'gpt2', 'gpt2-untied', 'gpt-neox', 'gpt-neox-sequential'];
const SHAPE = { rows: 2, length: 24 };
const MEASURES = ['cka', 'cosine', 'pcaShift', 'explained'] as const;

describe('measureRepresentationDrift', () => {
  it.each(FAMILIES)('has the states of transformers on %s', async (folder) => {
    const { examples, drift } = await readDiagnostics();
    const [model, changed] = [await loadFixtureModel(folder), await loadChangedModel(folder)];
    const held = Object.fromEntries(model.context.pool.bytes);
    const done: number[] = [];
    const { states, tokens, cost } = await measureRepresentationDrift(model, changed.weights, examples, { rows: 1, length: 24 }, 0, { onProgress: (each, of) => done.push(each / of) });
    const expected = drift[folder]!.layers;
    expect(states.map(({ layer }) => layer)).toEqual([...expected.slice(1).keys(), undefined]);
    expect(tokens).toBe(42);
    expect(cost).toMatchObject({ tokens: 84, backwardTokens: 0 });
    for (const [i, own] of expected.entries()) {
      // Of states that are good to 1e-5 of their size; a shift is a difference of means, a tenth of that size.
      for (const measure of MEASURES) expect(Math.abs(states[i]![measure] / own[measure] - 1), `${measure} ${i}`).toBeLessThan(1e-4);
    }
    // Two batches forward through each model, and at each place a slice for the base states alone and one for both.
    expect(done).toHaveLength(4 + 2 * expected.length);
    expect(done.at(-1)).toBe(1);
    expect(Object.fromEntries(model.context.pool.bytes)).toMatchObject(held);
    model.destroy();
    changed.destroy();
  });

  it('says that nothing moved where nothing did; takes the layers and tokens asked for', async () => {
    const { examples } = await readDiagnostics();
    const [model, changed] = [await loadFixtureModel('llama-untied'), await loadChangedModel('llama-untied')];
    const still = await measureRepresentationDrift(model, model.weights, examples, SHAPE, 0);
    for (const { cka, cosine, pcaShift } of still.states) {
      expect(cka).toBeCloseTo(1, 12);
      expect(cosine).toBeCloseTo(1, 12);
      expect(pcaShift).toBe(0);
    }
    const some = await measureRepresentationDrift(model, changed.weights, examples, SHAPE, 0, { layers: [2, 0], maxTokens: 15 });
    expect(some.tokens).toBe(15);
    expect(some.states.map(({ layer }) => layer)).toEqual([0, 2, undefined]);
    // Ten tokens of the first document and five of the second, which is what the same documents so cut give.
    const cut = [examples[0]!, { ...examples[1]!, ids: examples[1]!.ids.slice(0, 5), trained: examples[1]!.trained.slice(0, 5) }];
    expect((await measureRepresentationDrift(model, changed.weights, cut, SHAPE, 0, { layers: [0, 2] })).states).toEqual(some.states);
    model.destroy();
    changed.destroy();
  });

  it('measures adapted weights as it does the same weights merged; says what is wrong; stops', async () => {
    const { examples } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const adapted = AdaptedWeights.create(context, { weights: model.weights, linears: model.architecture.linears }, { r: 2, alpha: 2, rsLora: false }, ['o_proj', 'k_proj'], 1);
    for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, new Float32Array(2 * b.rows).fill(0.3));
    const found = await measureRepresentationDrift(model, adapted, examples, SHAPE, 0);
    const merged = await measureRepresentationDrift(model, await merge(context, adapted), examples, SHAPE, 0);
    for (const [i, state] of found.states.entries()) for (const measure of MEASURES) expect(Math.abs(state[measure] - merged.states[i]![measure])).toBeLessThan(1e-5);
    expect(found.states[0]!.cka).toBeLessThan(0.999);
    await expect(measureRepresentationDrift(model, adapted, examples.slice(3), SHAPE, 0)).rejects.toThrow('at least four tokens; this one has 1');
    await expect(measureRepresentationDrift(model, adapted, examples, SHAPE, 0, { layers: [0, 2] })).rejects.toThrow('layers 0 to 1, and 2 was asked for');
    const held = Object.fromEntries(context.pool.bytes);
    const stop = new AbortController();
    const stopped = measureRepresentationDrift(model, adapted, examples, SHAPE, 0, { signal: stop.signal, onProgress: (done) => done === 3 && stop.abort(new Error('stopped')) });
    await expect(stopped).rejects.toThrow('stopped');
    expect(Object.fromEntries(context.pool.bytes)).toEqual(held);
    model.destroy();
  });
});
