/** @file Advantages within groups, and the order in which prompts come. */
import { describe, expect, it } from 'vitest';
import type { GenerationRequest, Sampling } from '../generation/generator.ts';
import type { Task } from './rollout.ts';
import { advantages, sampleGroups, tasksOf } from './rollout.ts';

const task = (prompt: readonly number[]): Task => ({ prompt, reward: (answer) => Number(answer.includes(prompt[0]!)) });
const now = <T>(work: () => Promise<T>): Promise<T> => work();

describe('advantages', () => {
  it('are (r - mean) / (std + 1e-6) with the deviation of a sample', () => {
    // mean 0.25, std sqrt((0.5625 + 3 * 0.0625) / 3) = 0.5
    const [right, ...wrong] = advantages([1, 0, 0, 0]);
    expect(right).toBeCloseTo(0.75 / 0.500001, 12);
    for (const each of wrong) expect(each).toBeCloseTo(-0.25 / 0.500001, 12);
    expect(advantages([1, 0])[0]).toBeCloseTo(0.5 / (Math.SQRT1_2 + 1e-6), 12);
  });

  it('are exactly 0 where rewards are equal, also those whose mean rounds', () => {
    expect(advantages([0, 0, 0])).toEqual([0, 0, 0]);
    expect(advantages([0.1, 0.1, 0.1])).toEqual([0, 0, 0]);
    expect(advantages([1, 1])).toEqual([0, 0]);
  });
});

describe('tasksOf', () => {
  const tasks = Array.from({ length: 5 }, (_, i) => task([i]));

  it('gives every task once an epoch, over the ends of steps, in an order of the seed', () => {
    const drawn = Array.from({ length: 5 }, (_, step) => tasksOf(tasks, step, 3, 7)).flat();
    for (const epoch of [0, 1, 2]) expect(new Set(drawn.slice(5 * epoch, 5 * epoch + 5))).toEqual(new Set(tasks));
    expect(drawn.slice(0, 5)).not.toEqual(drawn.slice(5, 10));
    expect(Array.from({ length: 5 }, (_, step) => tasksOf(tasks, step, 3, 7)).flat()).toEqual(drawn);
    expect(Array.from({ length: 5 }, (_, step) => tasksOf(tasks, step, 3, 8)).flat()).not.toEqual(drawn);
  });
});

describe('sampleGroups', () => {
  it('trains the sampled tokens, the end included, and asks for other random numbers each step', async () => {
    const seeds: number[] = [];
    // Writes the first token of the prompt and ends, for every second sequence; the others are cut off.
    const written: number[][] = [];
    const generator = {
      begin(requests: readonly GenerationRequest[], { temperature }: Sampling): void {
        expect(temperature).toBe(1);
        seeds.push(requests[0]!.seed!);
        written.splice(0, written.length, ...requests.map(({ prompt: [first] }, i) => (i % 2 ? [first!, 0] : [9, 9, 9])));
      },
      slice: () => Promise.resolve({ tokens: written.splice(0).map((ids) => ids.map((id) => ({ id, probability: 0.5 }))), ended: [0, 1, 2, 3], finished: true }),
      progress: { done: 0, total: 0, tokensPerSecond: 0, secondsLeft: undefined },
    };
    const settings = { samples: 2, maxNewTokens: 3, seed: 4, step: 0 };
    const groups = await sampleGroups(generator, { sequences: 4, length: 8 }, [task([5, 6]), task([7])], settings, now);
    expect(groups.map((group) => group.map(({ ids }) => [...ids]))).toEqual([
      [[5, 6, 9, 9, 9], [5, 6, 5, 0]],
      [[7, 9, 9, 9], [7, 7, 0]],
    ]);
    expect(groups.flat().map(({ trained }) => [...trained].join(''))).toEqual(['00111', '0011', '0111', '011']);
    expect(groups.flat().map(({ reward, answerTokens }) => [reward, answerTokens])).toEqual([[0, 3], [1, 2], [0, 3], [1, 2]]);
    for (const group of groups) expect(group[1]!.advantage).toBe(-group[0]!.advantage);
    await sampleGroups(generator, { sequences: 4, length: 8 }, [task([5, 6]), task([7])], { ...settings, step: 1 }, now);
    expect(seeds[1]).not.toBe(seeds[0]);
  });
});
