/**
 * @file Examples become token ids with a mark on the trained ones, and the counts a user should see before pressing Start.
 */
import type { Tokenizer } from '../formats/tokenizer.ts';
import { promptOf } from './examples.ts';
import type { Example } from './examples.ts';
import { DataProblem, formatCount } from './problem.ts';

export interface TokenisedExample {
  /** [length] */
  readonly ids: Uint32Array;
  /** [length], 1 where the token is a label of the loss. The first token never is: nothing predicts it. */
  readonly trained: Uint8Array;
  /** Whether tokens beyond the longest allowed length were cut off. */
  readonly truncated: boolean;
}

export interface TokeniseOptions {
  /** In tokens, the end-of-text token included. */
  readonly maxLength: number;
}

/** Segments are encoded one by one, so that no token lies across the edge of the mask and the prompt encodes as it will when a model is asked. */
export function tokeniseExample(example: Example, tokenizer: Tokenizer, { maxLength }: TokeniseOptions): TokenisedExample {
  const parts: { ids: readonly number[]; trained: boolean }[] = [{ ids: beginningOf(tokenizer), trained: false }];
  for (const { text, trained } of example.segments) parts.push({ ids: tokenizer.encode(text), trained });
  parts.push({ ids: tokenizer.eosTokenIds.slice(0, 1), trained: example.segments.at(-1)?.trained ?? false });

  const wholeLength = parts.reduce((sum, part) => sum + part.ids.length, 0);
  const ids = new Uint32Array(Math.min(wholeLength, maxLength));
  const trained = new Uint8Array(ids.length);
  let at = 0;
  for (const part of parts) {
    const kept = part.ids.length <= ids.length - at ? part.ids : part.ids.slice(0, ids.length - at);
    ids.set(kept, at);
    if (part.trained) trained.fill(1, Math.max(at, 1), at + kept.length);
    at += kept.length;
  }
  return { ids, trained, truncated: wholeLength > maxLength };
}

/** What a model is given to answer a question: token for token what stood before the completion in training. */
export const encodePrompt = (question: string, tokenizer: Tokenizer): number[] => [...beginningOf(tokenizer), ...tokenizer.encode(promptOf(question))];

/** The token before every text, for models that were trained with one. */
const beginningOf = ({ addsBos, bosTokenId }: Tokenizer): number[] => (addsBos && bosTokenId !== undefined ? [bosTokenId] : []);

const ROWS_PER_SLICE = 256;

/** All examples, in slices with a pause between them so that a worker can answer other messages. */
export async function tokeniseExamples(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  options: TokeniseOptions,
  onProgress: (done: number) => void = () => {},
): Promise<TokenisedExample[]> {
  const tokenised: TokenisedExample[] = [];
  for (let start = 0; start < examples.length; start += ROWS_PER_SLICE) {
    for (const example of examples.slice(start, start + ROWS_PER_SLICE)) tokenised.push(tokeniseExample(example, tokenizer, options));
    onProgress(tokenised.length);
    await nextTask();
  }
  return tokenised;
}

/** Resolves in a task of its own; unlike setTimeout, a message is not held back 4 ms when repeated, nor slowed in a hidden tab. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

export interface TokenCounts {
  readonly rows: number;
  readonly tokens: number;
  readonly trainedTokens: number;
  readonly truncated: number;
  /** Rows without a trained token: the prompt alone fills the length. */
  readonly empty: number;
  readonly longest: number;
  /** `counts[i]` rows have lengths in [i * width, (i + 1) * width). */
  readonly histogram: { readonly width: number; readonly counts: readonly number[] };
}

const HISTOGRAM_BINS = 32;

export function countTokens(tokenised: readonly TokenisedExample[]): TokenCounts {
  let [tokens, trainedTokens, truncated, empty, longest] = [0, 0, 0, 0, 0];
  for (const { ids, trained, truncated: isTruncated } of tokenised) {
    const own = countTrained(trained);
    tokens += ids.length;
    trainedTokens += own;
    truncated += isTruncated ? 1 : 0;
    empty += own === 0 ? 1 : 0;
    longest = Math.max(longest, ids.length);
  }
  const width = Math.ceil((longest + 1) / HISTOGRAM_BINS);
  const counts = Array.from({ length: Math.floor(longest / width) + 1 }, () => 0);
  for (const { ids } of tokenised) counts[Math.floor(ids.length / width)]! += 1;
  return { rows: tokenised.length, tokens, trainedTokens, truncated, empty, longest, histogram: { width, counts } };
}

export const countTrained = (trained: Uint8Array): number => trained.reduce((sum, flag) => sum + flag, 0);

const MANY_TRUNCATED = 0.2;

/** What the counts say against a run: an error where nothing would be trained, a warning where much is cut off. */
export function checkCounts(counts: TokenCounts, file: string, maxLength: number): DataProblem[] {
  const { rows, trainedTokens, truncated, empty } = counts;
  if (trainedTokens === 0) {
    return [new DataProblem({
      file,
      what: 'every label is masked: no token of these rows would be trained',
      stillHolds: truncated === rows && rows > 0 ? `All rows are longer than ${formatCount(maxLength)} tokens, and end inside the prompt.` : 'The rows themselves read well.',
      suggestion: truncated === rows && rows > 0 ? 'Choose a longer length.' : 'Change the mapping.',
    })];
  }
  const problems: DataProblem[] = [];
  if (truncated > MANY_TRUNCATED * rows) {
    problems.push(new DataProblem({
      file,
      what: `rows longer than ${formatCount(maxLength)} tokens lose their end, the end-of-text token included: ${formatCount(truncated)} of ${formatCount(rows)}`,
      stillHolds: 'The rest of each is trained.',
      suggestion: 'Choose a longer length, or the model may not learn to stop.',
      severity: 'warning',
    }));
  }
  if (empty > 0) {
    problems.push(new DataProblem({
      file,
      what: `rows have no trained token, because the prompt fills the whole length: ${formatCount(empty)} of ${formatCount(rows)}`,
      stillHolds: 'The other rows are trained.',
      suggestion: 'Choose a longer length.',
      severity: 'warning',
    }));
  }
  return problems;
}
