/** @file Decoding with the cache against the packed forward pass, ragged prompts, and sampling against its distribution. */
import { describe, expect, it } from 'vitest';
import { IGNORED } from '../graph/ops/head-loss.ts';
import type { PackedBatch } from '../models/decoder.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import { loadFixtureModel } from '../models/testing.ts';
import { compile } from '../graph/compile.ts';
import { Program } from '../gpu/program.ts';
import { readBack } from '../gpu/buffers.ts';
import type { Sampling } from './generator.ts';
import { Generator } from './generator.ts';

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 1 };

/** The most likely next token after every position of one sequence, by the packed forward pass. */
async function nextByForward(model: Model, ids: readonly number[], length: number): Promise<Uint32Array> {
  const { context } = model;
  const shape = { rows: 1, length };
  const buffers = new BatchBuffers(context, shape);
  const { graph, argmax, bindings } = decoderGraph(context, model, buffers, shape);
  const { calls, slices } = compile(graph, [argmax], { facts: context.gpu.facts, pool: context.pool, bindings });
  const batch: PackedBatch = {
    ids: Uint32Array.from({ length }, (_, i) => ids[i] ?? 0),
    labels: new Uint32Array(length).fill(IGNORED),
    positions: Uint32Array.from({ length }, (_, i) => i),
    documentStart: new Uint32Array(length),
    rowWeights: new Float32Array(length),
  };
  buffers.write(batch);
  (await Program.record(context.gpu.device, context.pipelines, 'forward', calls)).replay();
  return new Uint32Array((await readBack(context.gpu.device, [slices.get(argmax)!]))[0]!);
}

describe('Generator', () => {
  it('decodes greedily what the packed forward pass finds most likely, for ragged prompts, in parts or at once', async () => {
    const model = await loadFixtureModel('llama-untied');
    const prompts = [[7], [3, 11, 42, 8, 19], [5, 5]];
    const length = 16;
    const generator = await Generator.create(model, model.weights, { sequences: 3, length }, []);
    const answers: number[][] = [[], [], []];
    generator.begin(prompts.map((prompt) => ({ prompt })), GREEDY);
    for (let finished = false; !finished; ) {
      const { tokens, finished: done } = await generator.advance(3);
      for (const [i, part] of tokens.entries()) answers[i]!.push(...part.map(({ id }) => id));
      finished = done;
    }
    for (const [i, prompt] of prompts.entries()) {
      const whole = [...prompt, ...answers[i]!];
      expect(whole).toHaveLength(length);
      const next = await nextByForward(model, whole, length);
      expect(whole.slice(prompt.length)).toEqual([...next].slice(prompt.length - 1, length - 1));
    }
    generator.begin(prompts.map((prompt) => ({ prompt })), GREEDY);
    const { tokens } = await generator.advance(length);
    expect(tokens.map((part) => part.map(({ id }) => id))).toEqual(answers);
    generator.destroy();
  });

  it('stops a sequence at an end token and goes on with the others', async () => {
    const model = await loadFixtureModel('llama-untied');
    const shape = { sequences: 2, length: 16 };
    const free = await Generator.create(model, model.weights, shape, []);
    free.begin([{ prompt: [7] }, { prompt: [3] }], GREEDY);
    const first = (await free.advance(16)).tokens.map((part) => part.map(({ id }) => id));
    const end = first[0]![4]!;
    const stopping = await Generator.create(model, model.weights, shape, [end]);
    stopping.begin([{ prompt: [7] }, { prompt: [3] }], GREEDY);
    const { tokens } = await stopping.advance(16);
    expect(tokens[0]!.map(({ id }) => id)).toEqual(first[0]!.slice(0, first[0]!.indexOf(end) + 1));
    const cut = first[1]!.includes(end) ? first[1]!.indexOf(end) + 1 : first[1]!.length;
    expect(tokens[1]!.map(({ id }) => id)).toEqual(first[1]!.slice(0, cut));
    free.destroy();
    stopping.destroy();
  });

  it('samples by temperature, top-k and top-p, the same for the same seed', async () => {
    const model = await loadFixtureModel('llama-untied');
    const sequences = 512;
    const generator = await Generator.create(model, model.weights, { sequences, length: 3 }, []);
    const prompts = Array.from({ length: sequences }, () => [7]);
    const draw = async (sampling: Sampling): Promise<number[]> => {
      generator.begin(prompts.map((prompt) => ({ prompt })), sampling);
      return (await generator.advance(1)).tokens.map((part) => part[0]!.id);
    };
    const base: Sampling = { temperature: 1.5, topK: 0, topP: 1, seed: 3 };
    const all = await draw(base);
    const logits = (await generator.lastLogits()).subarray(0, model.config.vocabSize);
    expect(await draw(base)).toEqual(all);
    expect(await draw({ ...base, seed: 4 })).not.toEqual(all);

    const probabilities = softmax(logits, 1.5);
    // Pearson's statistic over tokens with at least five expected draws; its 99.9% quantile is below df + 4 sqrt(2 df) + 8.
    const cells = [...probabilities].map((p, id) => ({ expected: p * sequences, drawn: all.filter((token) => token === id).length })).filter(({ expected }) => expected >= 5);
    const statistic = cells.reduce((sum, { expected, drawn }) => sum + (drawn - expected) ** 2 / expected, 0);
    expect(statistic).toBeLessThan(cells.length + 4 * Math.sqrt(2 * cells.length) + 8);

    const order = [...probabilities.keys()].toSorted((a, b) => probabilities[b]! - probabilities[a]!);
    expect(new Set(await draw({ ...base, topK: 4 }))).toEqual(new Set(order.slice(0, 4)));
    const nucleus: number[] = [];
    for (let mass = 0; mass < 0.5; ) {
      const id = order[nucleus.length]!;
      nucleus.push(id);
      mass += probabilities[id]!;
    }
    expect(new Set(await draw({ ...base, topP: 0.5 }))).toEqual(new Set(nucleus));
    expect(new Set(await draw({ ...base, topK: 1 }))).toEqual(new Set([order[0]]));
    generator.destroy();
  });

  it('refuses prompts that leave no room', async () => {
    const model = await loadFixtureModel('llama-untied');
    const generator = await Generator.create(model, model.weights, { sequences: 1, length: 4 }, []);
    expect(() => generator.begin([{ prompt: [] }], GREEDY)).toThrow(/0 tokens/);
    expect(() => generator.begin([{ prompt: [1, 2, 3, 4] }], GREEDY)).toThrow(/4 tokens/);
    generator.destroy();
  });
});

function softmax(logits: Float32Array, temperature: number): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
