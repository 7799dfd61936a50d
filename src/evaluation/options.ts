/**
 * @file Multiple choice by likelihood, as EleutherAI's lm-evaluation-harness has it: the model's choice is the option it
 * would most likely have written after the prompt; nothing is generated. `acc` compares summed log-likelihoods, `acc_norm`
 * divides them by the option's length in characters, so that long options are not held back by their length.
 */
import type { TokenisedExample } from '../data/tokenise.ts';
import type { Evaluator } from './evaluator.ts';

/** A question with its options as token ids. */
export interface OptionItem {
  /** At least one token, the beginning of text where the question is empty: something must predict an option's first token. */
  readonly prompt: readonly number[];
  readonly options: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

export interface OptionResult {
  /** Natural logarithm of the probability of each option after the prompt, summed over its tokens. */
  readonly logLikelihoods: readonly number[];
  /** Index of the likeliest option; the first of equals. */
  readonly chosen: number;
  /** Index of the likeliest option by character. */
  readonly chosenByLength: number;
  /** Some option was cut off at the evaluator's length, or the prompt at its beginning. */
  readonly truncated: boolean;
}

/**
 * Log-likelihoods of all options of all items, in their order.
 * @param length tokens the evaluator's rows hold; a longer prompt loses its beginning, as in the harness
 * @throws {RangeError} for an item without prompt or options
 */
export async function evaluateOptions(evaluator: Evaluator, items: readonly OptionItem[], length: number, onProgress?: (doneItems: number) => void): Promise<OptionResult[]> {
  const examples = items.flatMap((item) => optionExamples(item, length));
  const perItem = examples.length / Math.max(1, items.length);
  const results = await evaluator.evaluate(examples, onProgress && ((done) => onProgress(Math.floor(done / perItem))));
  let at = 0;
  return items.map(({ options }) => {
    const own = results.slice(at, at + options.length);
    const truncated = examples.slice(at, at + options.length).some((example) => example.truncated);
    at += options.length;
    const logLikelihoods = own.map(({ nll }) => -nll);
    return {
      logLikelihoods,
      chosen: indexOfMost(logLikelihoods),
      chosenByLength: indexOfMost(logLikelihoods.map((value, i) => value / Math.max(1, [...options[i]!.text].length))),
      truncated,
    };
  });
}

/** The prompt with each option after it, the option's tokens marked as those that count. */
function optionExamples({ prompt, options }: OptionItem, length: number): TokenisedExample[] {
  if (prompt.length === 0) throw new RangeError('An item of multiple choice needs at least one token before its options.');
  if (options.length === 0) throw new RangeError('An item of multiple choice needs options.');
  return options.map(({ ids }) => {
    const kept = ids.slice(0, length - 1);
    const before = prompt.slice(-(length - kept.length));
    return {
      ids: Uint32Array.from([...before, ...kept]),
      trained: Uint8Array.from([...before.map(() => 0), ...kept.map(() => 1)]),
      truncated: before.length + kept.length < prompt.length + ids.length,
    };
  });
}

const indexOfMost = (values: readonly number[]): number => values.indexOf(Math.max(...values));
