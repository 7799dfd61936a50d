/** @file The choice of tokens by itself: what it returns, and what it leaves in the state it changes. */
import { describe, expect, it } from 'vitest';
import { readBack } from '../../gpu/buffers.ts';
import { Program } from '../../gpu/program.ts';
import { testContext } from '../../gpu/testing.ts';
import { compile } from '../compile.ts';
import type { Tensor } from '../graph.ts';
import { byteLength, elementCount, Graph } from '../graph.ts';
import type { DecodeState, Sampling } from './sample.ts';
import { RING, sample, samplingWords } from './sample.ts';

const repeat = <T>(value: T, count: number): T[] => Array.from({ length: count }, () => value);

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 1 };

/** Runs `sample` once on rows of logits; state that is not given is that of one-token prompts with streams of their own. */
async function sampleOnce(
  rows: readonly (readonly number[])[],
  sampling: Sampling,
  given: Partial<Record<keyof DecodeState, readonly number[]>> = {},
  ends: readonly number[] = [],
): Promise<Record<keyof DecodeState, number[]>> {
  const graph = new Graph();
  const count = rows.length;
  const logits = graph.source('input', 'logits', [count, rows[0]!.length]);
  const settings = graph.source('input', 'settings', [8], 'u32');
  const each = (name: string): Tensor => graph.source('state', name, [count], 'u32');
  const state: DecodeState = {
    requests: graph.source('state', 'requests', [count, 4], 'u32'),
    tokens: graph.source('state', 'tokens', [count, RING], 'u32'),
    probabilities: graph.source('state', 'probabilities', [count, RING]),
    ids: each('ids'),
    positions: each('positions'),
    finished: each('finished'),
  };
  const next = sample(graph, logits, settings, state);
  const { gpu, pipelines, pool } = await testContext();
  const bindings = new Map([[logits, pool.upload(Float32Array.from(rows.flat()), 'other', 'logits')], [settings, pool.uniform(32, 'settings')]]);
  gpu.device.queue.writeBuffer(bindings.get(settings)!.buffer, 0, samplingWords(sampling, ends));
  const names = Object.keys(state) as (keyof DecodeState)[];
  for (const name of names) {
    const values = given[name] ?? (name === 'requests' ? rows.flatMap((_, stream) => [sampling.seed, stream, 99, 0]) : repeat(0, elementCount(state[name].shape)));
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

  it('stops at ends and at the last position, writes where the position says, and leaves finished sequences alone', async () => {
    const result = await sampleOnce(
      repeat(row, 4),
      GREEDY,
      {
        //          chooses the end | the last position | goes on, past the ring's end | finished before
        ids: [5, 6, 7, 1],
        positions: [0, 2, RING - 1, 1],
        requests: [1, 0, 9, 0, /**/ 1, 1, 3, 0, /**/ 1, 2, 99, 0, /**/ 1, 3, 9, 0],
        finished: [0, 0, 0, 1],
      },
      [8],
    );
    // Two tokens share the largest logit; the first of them, 1, is taken.
    expect(result.ids).toEqual([1, 1, 1, 1]);
    expect(result.positions).toEqual([1, 3, RING, 1]);
    expect(result.finished).toEqual([0, 1, 0, 1]);
    expect([result.tokens[1], result.tokens[RING + 3], result.tokens[2 * RING]]).toEqual([1, 1, 1]);
    expect(result.tokens.slice(3 * RING)).toEqual(repeat(0, RING));
    expect(result.probabilities[RING + 3]).toBeCloseTo(weights[1]! / total, 6);
    expect(result.probabilities.slice(3 * RING)).toEqual(repeat(0, RING));
    expect((await sampleOnce([row], GREEDY, {}, [1])).finished).toEqual([1]);
  });

  it('draws by seed, stream and position alone', async () => {
    const sampling = { ...GREEDY, temperature: 2 };
    const requests = (streams: readonly number[], seeds: readonly number[]): number[] => streams.flatMap((stream, i) => [seeds[i]!, stream, 99, 0]);
    const streams = Array.from({ length: 40 }, (_, i) => i);
    const forward = await sampleOnce(repeat(row, 40), sampling, { requests: requests(streams, repeat(7, 40)) });
    const backward = await sampleOnce(repeat(row, 40), { ...sampling, seed: 3 }, { requests: requests(streams.toReversed(), repeat(7, 40)) });
    expect(backward.ids.toReversed()).toEqual(forward.ids);
    const later = await sampleOnce(repeat(row, 40), sampling, { requests: requests(streams, repeat(7, 40)), positions: repeat(1, 40) });
    expect(later.ids).not.toEqual(forward.ids);
  });

  it('draws from exactly the kept tokens, by temperature, and the probability it notes is the plain one', async () => {
    const count = 600;
    const draw = async (sampling: Partial<Sampling>) => sampleOnce(repeat(row, count), { temperature: 2, topK: 0, topP: 1, seed: 9, ...sampling });
    const drawn = (result: { readonly ids: readonly number[] }): number[] => [...new Set(result.ids)].toSorted((a, b) => a - b);
    const all = await draw({});
    for (const [i, id] of all.ids.entries()) expect(Math.abs(all.probabilities[RING * i + 1]! - weights[id]! / total)).toBeLessThan(1e-6);
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
