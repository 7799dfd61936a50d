/**
 * @file What a step of RL learns from: groups of sampled answers to a prompt, the reward of each and its advantage in its group.
 */
import { Random, shuffledIndices } from '../data/random.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import type { AnswerProgress, AnswerSource } from '../evaluation/generated.ts';
import { generateAnswers } from '../evaluation/generated.ts';
import type { GeneratorShape } from '../generation/generator.ts';
import type { Turn } from '../gpu/turn.ts';

/** A prompt, and what an answer to it is worth. */
export interface Task {
  readonly prompt: readonly number[];
  /** @param answer new tokens, the one that ends it included; one that was cut off is worth what it says so far */
  readonly reward: (answer: readonly number[]) => number;
}

/** One sampled answer, as an example whose trained tokens are those that were sampled. */
export interface Sample extends TokenisedExample {
  readonly reward: number;
  readonly advantage: number;
  /** Sampled tokens, the one that ends the answer included. */
  readonly answerTokens: number;
}

/** Tells apart the sampling of a step from the order of an epoch, which share a seed. */
const SAMPLING_STREAM = 2 ** 31;

/** Keeps an advantage finite where rewards hardly differ; that of DeepSeekMath's followers (verl, TRL). */
const EPSILON = 1e-6;

/** (r - mean) / (standard deviation + 1e-6) within a group, the deviation that of a sample (n - 1), as torch.std has it; all 0 where the rewards are equal. */
export function advantages(rewards: readonly number[]): number[] {
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  // Equal rewards may leave a rounding of the mean behind.
  if (isUniform(rewards)) return rewards.map(() => 0);
  return rewards.map((reward) => (reward - mean) / (Math.sqrt(squares / (rewards.length - 1)) + EPSILON));
}

export const isUniform = (rewards: readonly number[]): boolean => rewards.every((reward) => reward === rewards[0]);

/** The tasks of a step, counted from 0, or what belongs to them: the epochs follow each other as one endless list, the order of each a function of the seed. */
export function tasksOf<T>(tasks: readonly T[], step: number, count: number, seed: number): T[] {
  const orders = new Map<number, Uint32Array>();
  return Array.from({ length: count }, (_, i) => {
    const place = step * count + i;
    const epoch = Math.floor(place / tasks.length);
    const order = orders.get(epoch) ?? shuffledIndices(tasks.length, new Random(seed, epoch));
    orders.set(epoch, order);
    return tasks[order[place % tasks.length]!]!;
  });
}

/**
 * Samples answers at temperature 1, so that they come from the very distribution that is trained.
 * @param step decides the random numbers, with the seed
 * @returns a group a task
 */
export async function sampleGroups(
  generator: AnswerSource,
  shape: GeneratorShape,
  tasks: readonly Task[],
  { samples, maxNewTokens, seed, step }: { readonly samples: number; readonly maxNewTokens: number; readonly seed: number; readonly step: number },
  turn: Turn,
  onProgress?: (progress: AnswerProgress) => void,
): Promise<Sample[][]> {
  const settings = { samples, temperature: 1, maxNewTokens, seed: new Random(seed, SAMPLING_STREAM + step).uint32() };
  // The decoder stops at the tokens that end an answer by itself; none is named here, so that they stay in it and are trained.
  const answers = await generateAnswers(generator, shape, tasks.map(({ prompt }) => prompt), [], settings, turn, onProgress);
  return tasks.map(({ prompt, reward }, task) => {
    const own = answers[task]!.map(({ ids }) => ids);
    const rewards = own.map(reward);
    const within = advantages(rewards);
    return own.map((ids, i) => ({
      ids: Uint32Array.from([...prompt, ...ids]),
      trained: Uint8Array.from([...prompt.map(() => 0), ...ids.map(() => 1)]),
      truncated: false,
      reward: rewards[i]!,
      advantage: within[i]!,
      answerTokens: ids.length,
    }));
  });
}
