/** @file Decoding with the cache against the packed forward pass, ragged prompts, and sampling against its distribution. */
import { describe, expect, it } from 'vitest';
import { IGNORED } from '../graph/ops/head-loss.ts';
import type { PackedBatch } from '../models/decoder.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import { Model } from '../models/model.ts';
import { relativeError } from '../graph/testing.ts';
import { loadFixtureModel, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
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

  it('reads prompts over several chunks, in any company, as it reads them alone', async () => {
    const model = await loadFixtureModel('llama-untied');
    const prompts = [50, 60, 55].map((length, i) => Array.from({ length }, (_, at) => (at * 7 + i * 11 + 3) % 50));
    const shape = { sequences: 3, length: 64 };
    const generator = await Generator.create(model, model.weights, shape, []);
    generator.begin(prompts.map((prompt) => ({ prompt })), GREEDY);
    // More rows than the largest chunk has: the third prompt is cut in two.
    const first = await generator.slice();
    expect(first.tokens).toEqual([[], [], []]);
    const together = answersOf((await generator.advance(64)).tokens);
    for (const [i, prompt] of prompts.entries()) {
      const whole = [...prompt, ...together[i]!];
      expect(whole).toHaveLength(64);
      expect(together[i]).toEqual([...(await nextByForward(model, whole, 64))].slice(prompt.length - 1, 63));
      generator.begin([{ prompt }], GREEDY);
      expect(answersOf((await generator.advance(64)).tokens)).toEqual([together[i]]);
    }
    generator.destroy();
  });

  it('lets those that wait have the slots of those that have ended, and counts tokens', async () => {
    const model = await loadFixtureModel('llama-untied');
    const requests = [4, 1, 9, 2, 6].map((maxNewTokens, i) => ({ prompt: Array.from({ length: 3 + i }, (_, at) => (at * 5 + i) % 50), maxNewTokens }));
    const run = async (sequences: number): Promise<{ answers: number[][]; ended: number[]; most: number }> => {
      const generator = await Generator.create(model, model.weights, { sequences, length: 32 }, []);
      generator.begin(requests, { ...GREEDY, temperature: 1 });
      const answers: number[][] = requests.map(() => []);
      const ended: number[] = [];
      let most = 0;
      for (let finished = false; !finished; ) {
        const slice = await generator.slice(3);
        for (const [i, tokens] of slice.tokens.entries()) answers[i]!.push(...tokens.map(({ id }) => id));
        ended.push(...slice.ended);
        most = Math.max(most, slice.tokens.filter((tokens) => tokens.length > 0).length);
        ({ finished } = slice);
        const { done, total, tokensPerSecond } = generator.progress;
        expect(done).toBeLessThanOrEqual(total);
        expect(tokensPerSecond).toBeGreaterThan(0);
      }
      expect(generator.progress).toMatchObject({ done: 20 + 22, total: 42, secondsLeft: 0 });
      generator.destroy();
      return { answers, ended, most };
    };
    const alone = await run(1);
    expect(alone.ended).toEqual([0, 1, 2, 3, 4]);
    const [two, five] = [await run(2), await run(5)];
    expect([two.most, five.most]).toEqual([2, 5]);
    for (const { answers } of [two, five]) expect(answers).toEqual(alone.answers);
    expect(alone.answers.map(({ length }) => length)).toEqual(requests.map(({ maxNewTokens }) => maxNewTokens));
  });

  it('copies what prompts share, to the same tokens', async () => {
    const model = await loadFixtureModel('llama-untied');
    const common = Array.from({ length: 20 }, (_, at) => (at * 3 + 1) % 50);
    const prompts = [[...common, 7], [...common, 9, 4], [...common, 7], [...common.slice(0, 10), 30]];
    const generator = await Generator.create(model, model.weights, { sequences: 4, length: 32 }, []);
    const alone: number[][] = [];
    for (const prompt of prompts) {
      generator.begin([{ prompt }], GREEDY);
      alone.push(answersOf((await generator.advance(8)).tokens)[0]!);
    }
    generator.begin(prompts.map((prompt) => ({ prompt })), GREEDY);
    // Three slices of prompts: the first of them, then what others have in common with it, then their own ends.
    for (const _ of [0, 1]) expect((await generator.slice()).tokens.flat()).toEqual([]);
    expect(answersOf((await generator.advance(8)).tokens)).toEqual(alone);
    generator.destroy();
  });

  it.each(['bf16', 'f16'] as const)('keeps keys and values in %s in half the memory, and decodes nearly the same', async (cache) => {
    const model = await loadFixtureModel('llama-untied');
    const logits = [];
    const bytes = [];
    for (const type of ['f32', cache] as const) {
      const before = model.context.pool.bytes.get('cache') ?? 0;
      const generator = await Generator.create(model, model.weights, { sequences: 1, length: 32, cache: type }, []);
      bytes.push(model.context.pool.bytes.get('cache')! - before);
      generator.begin([{ prompt: Array.from({ length: 30 }, (_, at) => (at * 3 + 1) % 50) }], GREEDY);
      await generator.advance(1);
      logits.push(Float64Array.from(await generator.lastLogits()));
      generator.destroy();
    }
    expect(bytes[1]).toBe(bytes[0]! / 2);
    const error = relativeError(logits[1]!, logits[0]!);
    // Keys and values carry one rounding of 2^-9 or 2^-12, which attention averages; the fixture's two layers add them.
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(8 * (cache === 'bf16' ? 2 ** -9 : 2 ** -12));
  });

  it('writes the same with the kernels of a GPU', async () => {
    const usual = await loadFixtureModel('llama3');
    const { gpu } = usual.context;
    const context = { ...usual.context, gpu: { ...gpu, facts: { ...gpu.facts, software: false, subgroupSize: 0 } } };
    const model = await Model.load(context, await readFixtureJson('llama3/config.json'), await readFixtureTensors('llama3/model.safetensors'));
    const requests = [70, 3, 20].map((length, i) => ({ prompt: Array.from({ length }, (_, at) => (at * 7 + i) % 40) }));
    const answers = [];
    for (const each of [usual, model]) {
      const generator = await Generator.create(each, each.weights, { sequences: 2, length: 80 }, []);
      generator.begin(requests.map((request) => ({ ...request, maxNewTokens: 8 })), GREEDY);
      answers.push(answersOf((await generator.advance(80)).tokens));
      generator.destroy();
    }
    expect(answers[1]).toEqual(answers[0]);
  }, 300_000);

  it('refuses prompts that leave no room', async () => {
    const model = await loadFixtureModel('llama-untied');
    const generator = await Generator.create(model, model.weights, { sequences: 1, length: 4 }, []);
    expect(() => generator.begin([{ prompt: [] }], GREEDY)).toThrow(/0 tokens/);
    expect(() => generator.begin([{ prompt: [1, 2, 3, 4] }], GREEDY)).toThrow(/4 tokens/);
    generator.destroy();
  });
});

const answersOf = (tokens: readonly (readonly { readonly id: number }[])[]): number[][] => tokens.map((part) => part.map(({ id }) => id));

function softmax(logits: Float32Array, temperature: number): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
