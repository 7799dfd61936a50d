/**
 * @file Evaluation by generation: the model answers every prompt, once or several times, as many answers at a time as the
 * generator has slots.
 */
import type { DecodeProgress, Generator } from '../generation/generator.ts';

export interface GenerationSettings {
  /** Answers a prompt; several make sense only with a temperature. */
  readonly samples: number;
  /** 0 = greedy. */
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
}

/** One answer to one prompt. */
export interface GeneratedAnswer {
  /** New tokens without the one that ended it. */
  readonly ids: readonly number[];
  /** The model ended it by itself; otherwise the limit cut it off. */
  readonly ended: boolean;
}

/** How far `generateAnswers` has come. */
export interface AnswerProgress extends DecodeProgress {
  readonly answers: number;
}

/** What `generateAnswers` needs of a generator. */
export type AnswerSource = Pick<Generator, 'begin' | 'slice' | 'progress'>;

/**
 * Answers of all prompts: [prompt][sample].
 * @param sequences slots of the generator; random numbers depend on it
 * @param ends ids that end an answer
 * @param turn runs one slice of the work, so that others get their turns; it throws to end the evaluation
 * @param onProgress after every slice
 */
export async function generateAnswers(
  generator: AnswerSource,
  { sequences, length }: { readonly sequences: number; readonly length: number },
  prompts: readonly (readonly number[])[],
  ends: readonly number[],
  { samples, temperature, maxNewTokens, seed }: GenerationSettings,
  turn: <T>(work: () => Promise<T>) => Promise<T>,
  onProgress?: (progress: AnswerProgress) => void,
): Promise<GeneratedAnswer[][]> {
  // A seed has named the same answers since they were made in batches of `sequences`, the shortest prompts first.
  const order = prompts.map((_, index) => index).flatMap((index) => Array.from({ length: samples }, () => index));
  order.sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  const requests = order.map((index, at) => ({
    prompt: prompts[index]!,
    maxNewTokens: Math.min(maxNewTokens, length - prompts[index]!.length),
    seed: seed + at - (at % sequences),
    stream: at % sequences,
  }));
  const collected = order.map((): { ids: number[]; ended: boolean } => ({ ids: [], ended: false }));
  generator.begin(requests, { temperature, topK: 0, topP: 1, seed });
  let answers = 0;
  for (let finished = order.length === 0; !finished; ) {
    const slice = await turn(() => generator.slice());
    for (const [at, tokens] of slice.tokens.entries()) {
      const answer = collected[at]!;
      for (const { id } of tokens) {
        // The generator knows four ends at most, and goes on after any other.
        if (answer.ended) break;
        if (ends.includes(id)) answer.ended = true;
        else answer.ids.push(id);
      }
    }
    answers += slice.ended.length;
    finished = slice.finished;
    onProgress?.({ ...generator.progress, answers });
  }
  const byPrompt: GeneratedAnswer[][] = prompts.map(() => []);
  for (const [at, index] of order.entries()) byPrompt[index]!.push(collected[at]!);
  return byPrompt;
}
