/**
 * @file Evaluation by generation: the model answers every prompt, once or several times, in batches of sequences that are
 * decoded together.
 */
import type { Generator } from '../generation/generator.ts';

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

/** Tokens decoded between two looks at `turn`. */
const TOKENS_PER_TURN = 16;

/**
 * Answers of all prompts: [prompt][sample].
 * @param sequences how many the generator decodes together; its length must hold the longest prompt and its answer
 * @param ends ids that end an answer
 * @param turn runs one slice of the work, so that others get their turns; it throws to end the evaluation
 */
export async function generateAnswers(
  generator: Pick<Generator, 'begin' | 'advance'>,
  { sequences, length }: { readonly sequences: number; readonly length: number },
  prompts: readonly (readonly number[])[],
  ends: readonly number[],
  { samples, temperature, maxNewTokens, seed }: GenerationSettings,
  turn: <T>(work: () => Promise<T>) => Promise<T>,
  onProgress?: (doneAnswers: number) => void,
): Promise<GeneratedAnswer[][]> {
  const answers: GeneratedAnswer[][] = prompts.map(() => []);
  // Prompts of like length together: the batch is read until its longest prompt is through.
  const order = prompts.map((_, index) => index).flatMap((index) => Array.from({ length: samples }, () => index));
  order.sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  let done = 0;
  for (let first = 0; first < order.length; first += sequences) {
    const batch = order.slice(first, first + sequences);
    // The last batch may be short; its first prompt fills the rest.
    const filled = Array.from({ length: sequences }, (_, i) => batch[i] ?? batch[0]!);
    const limits = filled.map((index) => Math.min(maxNewTokens, length - prompts[index]!.length));
    const collected: { ids: number[]; ended: boolean }[] = filled.map(() => ({ ids: [], ended: false }));
    generator.begin(filled.map((index) => prompts[index]!), { temperature, topK: 0, topP: 1, seed: seed + first });
    for (let finished = false; !finished; ) {
      const advance = await turn(() => generator.advance(TOKENS_PER_TURN));
      for (const [i, tokens] of advance.tokens.entries()) collect(collected[i]!, tokens, ends, limits[i]!);
      finished = advance.finished || batch.every((_, i) => isComplete(collected[i]!, limits[i]!));
    }
    for (const [i, index] of batch.entries()) answers[index]!.push(collected[i]!);
    done += batch.length;
    onProgress?.(done);
  }
  return answers;
}

function collect(answer: { ids: number[]; ended: boolean }, tokens: readonly { readonly id: number }[], ends: readonly number[], limit: number): void {
  for (const { id } of tokens) {
    if (isComplete(answer, limit)) return;
    if (ends.includes(id)) answer.ended = true;
    else answer.ids.push(id);
  }
}

const isComplete = ({ ids, ended }: GeneratedAnswer, limit: number): boolean => ended || ids.length >= limit;
