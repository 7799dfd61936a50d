/** @file The decoding operations by themselves: what they return, and what they leave in the state they change. */
import { describe, expect, it } from 'vitest';
import { readBack } from '../../gpu/buffers.ts';
import { Program } from '../../gpu/program.ts';
import { testContext } from '../../gpu/testing.ts';
import { compile } from '../compile.ts';
import type { ReferenceArray, Tensor } from '../graph.ts';
import { byteLength, elementCount, Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { randomNormal, relativeError, runOnGpu } from '../testing.ts';
import type { CacheShape, DecodeState, Sampling } from './decode.ts';
import { decodeAttention, sample, samplingWords } from './decode.ts';

describe('decodeAttention', () => {
  it.each<CacheShape>([
    { length: 21, heads: 2, keyValueHeads: 2, headDim: 8 },
    { length: 40, heads: 4, keyValueHeads: 1, headDim: 20 },
    { length: 9, heads: 2, keyValueHeads: 1, headDim: 64 },
  ])('$heads/$keyValueHeads heads of $headDim over a cache of $length', async (shape) => {
    const { length, heads, keyValueHeads, headDim } = shape;
    const width = keyValueHeads * headDim;
    // The first and the last position there are, and one between.
    const places = [0, length - 1, Math.floor(length / 2)];
    const graph = new Graph();
    const qkv = graph.source('input', 'qkv', [3, heads * headDim + 2 * width]);
    const positions = graph.source('state', 'positions', [3], 'u32');
    const keys = graph.source('state', 'keys', [3, length, width]);
    const values = graph.source('state', 'values', [3, length, width]);
    const output = decodeAttention(graph, qkv, positions, keys, values, shape);
    const feeds = new Map<Tensor, ReferenceArray>([[positions, Float64Array.from(places)]]);
    for (const [seed, tensor] of [qkv, keys, values].entries()) feeds.set(tensor, randomNormal(elementCount(tensor.shape), seed + 1));
    const actual = await runOnGpu(graph, [output, keys, values], feeds);
    const expected = evaluateReference(graph, [output], feeds).get(output)!;
    // Scores and mixtures are sums of headDim and of up to `length` products of rounding 2^-24; exp adds a few ulp.
    expect(relativeError(actual.get(output)!, expected)).toBeLessThan(32 * Math.sqrt(headDim + length) * 2 ** -24);
    for (const [cache, offset] of [[keys, heads * headDim], [values, heads * headDim + width]] as const) {
      const after = feeds.get(cache)!.slice();
      for (const [sequence, place] of places.entries()) {
        const from = sequence * qkv.shape[1]! + offset;
        after.set(feeds.get(qkv)!.subarray(from, from + width), (sequence * length + place) * width);
      }
      expect(actual.get(cache)).toEqual(after);
    }
  });
});

const repeat = <T>(value: T, count: number): T[] => Array.from({ length: count }, () => value);

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 1 };

/** Runs `sample` once for sequences of `length` on rows of logits; state that is not given is that of a one-token prompt. */
async function sampleOnce(
  rows: readonly (readonly number[])[],
  sampling: Sampling,
  length: number,
  given: Partial<Record<keyof DecodeState, readonly number[]>> = {},
  ends: readonly number[] = [],
): Promise<Record<keyof DecodeState, number[]>> {
  const graph = new Graph();
  const count = rows.length;
  const logits = graph.source('input', 'logits', [count, rows[0]!.length]);
  const settings = graph.source('input', 'settings', [8], 'u32');
  const each = (name: string): Tensor => graph.source('state', name, [count], 'u32');
  const state: DecodeState = {
    promptLength: each('promptLength'),
    tokens: graph.source('state', 'tokens', [count, length], 'u32'),
    probabilities: graph.source('state', 'probabilities', [count, length]),
    ids: each('ids'),
    positions: each('positions'),
    finished: each('finished'),
  };
  const next = sample(graph, logits, settings, state, length);
  const { gpu, pipelines, pool } = await testContext();
  const bindings = new Map([[logits, pool.upload(Float32Array.from(rows.flat()), 'other', 'logits')], [settings, pool.uniform(32, 'settings')]]);
  gpu.device.queue.writeBuffer(bindings.get(settings)!.buffer, 0, samplingWords(sampling, ends));
  const names = Object.keys(state) as (keyof DecodeState)[];
  for (const name of names) {
    const values = given[name] ?? repeat(name === 'promptLength' ? 1 : 0, elementCount(state[name].shape));
    bindings.set(state[name], pool.upload(state[name].dtype === 'u32' ? Uint32Array.from(values) : Float32Array.from(values), 'other', name));
  }
  const { calls } = compile(graph, [next], { facts: gpu.facts, pool, bindings });
  (await Program.record(gpu.device, pipelines, 'sample', calls)).replay();
  const bytes = await readBack(gpu.device, names.map((name) => ({ ...bindings.get(state[name])!, size: byteLength(state[name]) })));
  pool.destroyAll();
  gpu.assertHealthy();
  return Object.fromEntries(names.map((name, i) => [name, [...(state[name].dtype === 'u32' ? new Uint32Array(bytes[i]!) : new Float32Array(bytes[i]!))]])) as Record<keyof DecodeState, number[]>;
}

describe('sample', () => {
  const row = [0.5, 2, -1, 2, 1.5, -3, 0, 1, -0.5];
  const weights = row.map((logit) => Math.exp(logit));
  const total = weights.reduce((sum, weight) => sum + weight, 0);

  it('keeps prompts, stops at ends and at the last position, and leaves finished sequences alone', async () => {
    const result = await sampleOnce(
      repeat(row, 5),
      GREEDY,
      4,
      {
        promptLength: [3, 2, 1, 2, 1],
        //       in the prompt | chooses, the prompt's own end ignored | chooses the end | fills the row | finished before
        tokens: [7, 1, 8, 0, /**/ 1, 4, 0, 0, /**/ 5, 0, 0, 0, /**/ 2, 3, 6, 0, /**/ 5, 1, 0, 0],
        ids: [7, 4, 5, 6, 1],
        positions: [0, 1, 0, 2, 1],
        finished: [0, 0, 0, 0, 1],
      },
      [1],
    );
    // Two tokens share the largest logit; the first of them, 1, is taken, which is the end.
    expect(result.tokens).toEqual([7, 1, 8, 0, 1, 4, 1, 0, 5, 1, 0, 0, 2, 3, 6, 1, 5, 1, 0, 0]);
    expect(result.ids).toEqual([1, 1, 1, 1, 1]);
    expect(result.positions).toEqual([1, 2, 1, 3, 1]);
    expect(result.finished).toEqual([0, 1, 1, 1, 1]);
    expect(result.probabilities[3 * 4 + 3]).toBeCloseTo(weights[1]! / total, 6);
    expect(result.probabilities.slice(4 * 4)).toEqual([0, 0, 0, 0]);
  });

  it('draws from exactly the kept tokens, by temperature, and the probability it notes is the plain one', async () => {
    const count = 600;
    const draw = async (sampling: Partial<Sampling>) => sampleOnce(repeat(row, count), { temperature: 2, topK: 0, topP: 1, seed: 9, ...sampling }, 2);
    const drawn = (result: { readonly ids: readonly number[] }): number[] => [...new Set(result.ids)].toSorted((a, b) => a - b);
    const all = await draw({});
    for (const [i, id] of all.ids.entries()) expect(Math.abs(all.probabilities[2 * i + 1]! - weights[id]! / total)).toBeLessThan(1e-6);
    // At temperature 2 the rarest of the nine tokens is expected 600 * 0.017 = 10 times, absent once in 20,000.
    expect(drawn(all)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const tempered = row.map((logit) => Math.exp(logit / 2));
    const mass = tempered.reduce((sum, weight) => sum + weight, 0);
    const statistic = tempered.reduce((sum, weight, id) => {
      const expected = (count * weight) / mass;
      return sum + (all.ids.filter((one) => one === id).length - expected) ** 2 / expected;
    }, 0);
    // The 99.99% quantile of chi-squared with 8 degrees of freedom; the seed is fixed, so this cannot turn flaky.
    expect(statistic).toBeLessThan(31.8);

    expect(drawn(await draw({ topK: 3 }))).toEqual([1, 3, 4]);
    // The two largest are equal: a threshold cannot part them, so the first of one keeps both.
    expect(drawn(await draw({ topK: 1 }))).toEqual([1, 3]);
    // At temperature 2 the shares fall 21%, 21%, 16%, 13%, ...: 0.5 needs three, 0.6 four.
    expect(drawn(await draw({ topP: 0.5 }))).toEqual([1, 3, 4]);
    expect(drawn(await draw({ topP: 0.6 }))).toEqual([1, 3, 4, 7]);
    // After top-k the share is of what is left: 0.6 of three tokens needs two.
    expect(drawn(await draw({ topK: 3, topP: 0.6 }))).toEqual([1, 3]);
    expect(drawn(await draw({ temperature: 0.01 }))).toEqual([1, 3]);

    expect((await draw({})).ids).toEqual(all.ids);
    expect((await draw({ seed: 10 })).ids).not.toEqual(all.ids);
  });
});
