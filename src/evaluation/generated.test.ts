/** @file Answers in batches against answers one by one, samples, limits and ends. */
import { describe, expect, it } from 'vitest';
import { Generator } from '../generation/generator.ts';
import { loadFixtureModel } from '../models/testing.ts';
import type { AnswerProgress, GenerationSettings } from './generated.ts';
import { generateAnswers } from './generated.ts';

const shape = { sequences: 3, length: 20 };
const prompts = [[7], [3, 11, 42, 8, 19], [5, 5], [9, 1, 2], [30]];
const turn = <T>(work: () => Promise<T>): Promise<T> => work();
const greedy: GenerationSettings = { samples: 1, temperature: 0, maxNewTokens: 8, seed: 0 };

describe('generateAnswers', () => {
  it('gives every prompt the answer it gets alone, however prompts are batched, and stops at ends and limits', async () => {
    const model = await loadFixtureModel('llama-untied');
    const alone: number[][] = [];
    const single = await Generator.create(model, model.weights, { sequences: 1, length: shape.length }, []);
    for (const prompt of prompts) {
      single.begin([{ prompt }], { temperature: 0, topK: 0, topP: 1, seed: 0 });
      alone.push((await single.advance(8)).tokens[0]!.map(({ id }) => id).slice(0, 8));
    }
    single.destroy();
    const all = await Generator.create(model, model.weights, shape, []);
    const done: number[] = [];
    const answers = await generateAnswers(all, shape, prompts, [], greedy, turn, ({ answers: count }) => done.push(count));
    all.destroy();
    expect(answers.map((samples) => samples.map(({ ids }) => ids))).toEqual(alone.map((ids) => [ids]));
    expect(answers.flat().some(({ ended }) => ended)).toBe(false);
    expect(done.at(-1)).toBe(5);

    const end = alone[1]![3]!;
    const stopping = await Generator.create(model, model.weights, shape, [end]);
    const ended = await generateAnswers(stopping, shape, prompts, [end], greedy, turn);
    stopping.destroy();
    for (const [i, [answer]] of ended.entries()) {
      const at = alone[i]!.indexOf(end);
      expect(answer).toEqual(at < 0 ? { ids: alone[i]!, ended: false } : { ids: alone[i]!.slice(0, at), ended: true });
    }
  });

  it('tells how far it is after every slice, and ends within one', async () => {
    const model = await loadFixtureModel('llama-untied');
    const generator = await Generator.create(model, model.weights, shape, []);
    const told: AnswerProgress[] = [];
    let slices = 0;
    const upTo =
      (most: number) =>
      <T>(work: () => Promise<T>): Promise<T> => {
        if (slices === most) throw new Error('stopped');
        slices += 1;
        return work();
      };
    await expect(generateAnswers(generator, shape, prompts, [], greedy, upTo(3), (progress) => told.push(progress))).rejects.toThrow('stopped');
    expect([slices, told.length]).toEqual([3, 3]);
    const read = prompts.reduce((sum, { length }) => sum + length - 1, 0);
    expect(told.every(({ total }) => total === read + 40)).toBe(true);
    expect(told[0]).toMatchObject({ answers: 0 });
    await generateAnswers(generator, shape, prompts, [], greedy, upTo(-1), (progress) => told.push(progress));
    expect(told.at(-1)).toMatchObject({ answers: 5, done: read + 40, secondsLeft: 0 });
    generator.destroy();
  });

  it('samples differ from one another and repeat with the seed; an answer ends where the positions do', async () => {
    const model = await loadFixtureModel('llama-untied');
    const generator = await Generator.create(model, model.weights, shape, []);
    const sampled: GenerationSettings = { samples: 4, temperature: 1, maxNewTokens: 30, seed: 5 };
    const first = await generateAnswers(generator, shape, prompts, [], sampled, turn);
    const again = await generateAnswers(generator, shape, prompts, [], sampled, turn);
    const other = await generateAnswers(generator, shape, prompts, [], { ...sampled, seed: 6 }, turn);
    generator.destroy();
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    for (const [i, samples] of first.entries()) {
      expect(samples).toHaveLength(4);
      expect(new Set(samples.map(({ ids }) => ids.join())).size).toBeGreaterThan(1);
      for (const { ids } of samples) expect(ids).toHaveLength(shape.length - prompts[i]!.length);
    }
  });
});
