/** @file Following a run against the measurements on demand, which are held against PyTorch, and against its own plan of memory. */
import { describe, expect, it } from 'vitest';
import { countingContext } from '../gpu/context.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { Model } from '../models/model.ts';
import { loadFixtureModel } from '../models/testing.ts';
import { measureOutputDrift } from './outputDrift.ts';
import { planProbeMeter, probeBaseline, ProbeMeter, probeOf } from './probeMeter.ts';
import { measureRepresentationDrift } from './representation.ts';
import { loadChangedModel, readDiagnostics } from './testing.ts';

const BOTH = { states: true, outputs: true };

const heldBy = ({ context }: Model): Record<string, number> => Object.fromEntries([...context.pool.bytes].filter(([, bytes]) => bytes > 0));

describe('probeOf', () => {
  it('takes 1,024 tokens of examples, and rows that a pass of as many has room for', () => {
    const row = (length: number) => ({ ids: new Uint32Array(length), trained: new Uint8Array(length), truncated: false });
    expect(probeOf([row(600), row(300), row(300), row(10)], BOTH).size).toEqual({ ...BOTH, tokens: 1024, shape: { rows: 1, length: 600 } });
    expect(probeOf(Array.from({ length: 50 }, () => row(20)), BOTH).size).toEqual({ ...BOTH, tokens: 1000, shape: { rows: 8, length: 20 } });
    expect(probeOf([row(10), row(10)], BOTH).size.shape).toEqual({ rows: 2, length: 10 });
    expect(probeOf([row(3000)], BOTH)).toMatchObject({ size: { tokens: 1024, shape: { rows: 1, length: 1024 } }, examples: [{ truncated: true }] });
  });
});

describe('a probe meter', () => {
  it.each(['llama-tied', 'gpt2-untied'])('gives the numbers of the measurements on demand, call after call: %s', async (folder) => {
    const { examples } = await readDiagnostics();
    const [model, changed] = [await loadFixtureModel(folder), await loadChangedModel(folder)];
    const baseline = await probeBaseline(model, examples, BOTH, 0);
    const held = heldBy(model);
    const weights = await model.weights.copy(model.context);
    const meter = await ProbeMeter.create(baseline, weights);
    const still = await meter.measure();
    expect(still.outputs).toMatchObject({ baseToTuned: 0, tunedToBase: 0, jensenShannon: 0, tokens: 42 });
    for (const { cka, cosine, pcaShift } of still.states!) expect([cka, cosine, pcaShift]).toEqual([expect.closeTo(1, 12), expect.closeTo(1, 12), 0]);

    // As a step of training does: the same buffers with other numbers in them.
    const { device } = model.context.gpu;
    for (const [i, weight] of weights.layout.weights.entries()) weights.write(device, weight, await changed.weights.read(device, changed.weights.layout.weights[i]!));
    const done: number[] = [];
    const { states, outputs, tokens } = await meter.measure({ onProgress: (each, of) => done.push(each / of) });
    const { shape } = baseline.size;
    expect(states).toEqual((await measureRepresentationDrift(model, changed.weights, examples, shape, 0)).states);
    const { cost: _, ...expected } = await measureOutputDrift(model, changed.weights, examples, shape, 0);
    expect(outputs).toEqual(expected);
    expect(tokens).toBe(42);
    expect(done).toHaveLength(baseline.batches.length + states!.length);
    expect(await meter.measure()).toMatchObject({ states, outputs });
    meter.destroy();
    weights.destroy(model.context.pool);
    expect(heldBy(model)).toEqual(held);
    model.destroy();
    changed.destroy();
  });

  it('follows adapters; one of the two costs the other nothing; holds what its plan says; stops', async () => {
    const { examples } = await readDiagnostics();
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const adapted = AdaptedWeights.create(context, { weights: model.weights, linears: model.architecture.linears }, { r: 2, alpha: 2, rsLora: false }, ['o_proj', 'k_proj'], 1);
    for (const { b } of adapted.modules) adapted.trained.write(context.gpu.device, b, new Float32Array(2 * b.rows).fill(0.3));
    const before = heldBy(model);
    const found = [];
    for (const followed of [BOTH, { states: true, outputs: false }, { states: false, outputs: true }]) {
      const baseline = await probeBaseline(model, examples, followed, 0);
      expect(baseline.planes).toHaveLength(followed.states ? 3 : 0);
      const meter = await ProbeMeter.create(baseline, adapted);
      const counting = countingContext(context);
      planProbeMeter(counting, model, adapted, baseline.size);
      const planned = [...counting.pool.bytes].map(([category, bytes]) => [category, bytes + (before[category] ?? 0)] as const);
      expect(heldBy(model)).toEqual({ ...before, ...Object.fromEntries(planned.filter(([, bytes]) => bytes > 0)) });
      const { seconds, ...probed } = await meter.measure();
      expect(seconds).toBeGreaterThan(0);
      found.push(probed);
      meter.destroy();
    }
    const [both, states, outputs] = found;
    expect(both!.states![0]!.cka).toBeLessThan(0.999);
    expect(states).toEqual({ states: both!.states, tokens: 42 });
    expect(outputs).toEqual({ outputs: both!.outputs, tokens: 42 });
    const meter = await ProbeMeter.create(await probeBaseline(model, examples, BOTH, 0), adapted);
    const stop = new AbortController();
    await expect(meter.measure({ signal: stop.signal, onProgress: () => stop.abort(new Error('stopped')) })).rejects.toThrow('stopped');
    expect(await meter.measure()).toMatchObject(both!);
    meter.destroy();
    await expect(probeBaseline(model, examples.slice(3), BOTH, 0)).rejects.toThrow('at least four tokens; this one has 1');
    expect(heldBy(model)).toEqual(before);
    adapted.destroy(context.pool);
    model.destroy();
  });
});
