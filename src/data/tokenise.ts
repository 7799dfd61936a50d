/**
 * @file Examples become token ids with a mark on the trained ones, and the counts a user should see before pressing Start.
 */
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import { askedOf, chatSegments, conversationOf, encodeChat, encodeSegments, FALLBACK_TEMPLATE } from './chat.ts';
import { stopTokenIds } from './endOfTurn.ts';
import { promptOf } from './examples.ts';
import type { Example } from './examples.ts';
import type { ExampleStore } from './exampleStore.ts';
import { Pauses } from './pause.ts';
import { DataProblem, formatCount } from './problem.ts';
import type { TokenisedList } from './tokenStore.ts';
import { measuresOf, TokenStore } from './tokenStore.ts';

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
  /** Prompts with completions become conversations; without it they keep the plain form. Conversations are written in ChatML without it. */
  readonly template?: ChatTemplate | undefined;
  /** Named in errors. */
  readonly file?: string | undefined;
}

interface Part {
  readonly ids: readonly number[];
  readonly trained: boolean;
}

/**
 * Segments are encoded one by one, so that no token lies across the edge of the mask and the prompt encodes as it will when a model is asked.
 * @throws DataProblem naming row and turn, where the template cannot write the conversation
 */
export function tokeniseExample(example: Example, tokenizer: Tokenizer, { maxLength, template, file = 'the data' }: TokeniseOptions): TokenisedExample {
  const parts = chatParts(example, tokenizer, template, file) ?? plainParts(example, tokenizer);
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

function plainParts({ segments }: Example, tokenizer: Tokenizer): Part[] {
  const end = { ids: tokenizer.eosTokenIds.slice(0, 1), trained: segments.at(-1)?.trained ?? false };
  return [{ ids: beginningOf(tokenizer), trained: false }, ...encodeSegments(segments, tokenizer), end];
}

/** A template may end turns with text that stops no generation, as ChatML does for a tokenizer without its tokens: an end-of-text token follows then. */
function chatParts(example: Example, tokenizer: Tokenizer, template: ChatTemplate | undefined, file: string): Part[] | undefined {
  const conversation = template === undefined ? example.messages : conversationOf(example);
  if (conversation === undefined) return undefined;
  const written = template ?? FALLBACK_TEMPLATE;
  const parts: Part[] = encodeSegments(chatSegments(conversation, written, { file, row: example.row }, example.firstTrained), tokenizer);
  const last = parts.at(-1);
  const stops = stopTokenIds(tokenizer, written);
  return last?.trained !== true || last.ids.some((id) => stops.includes(id)) ? parts : [...parts, { ids: tokenizer.eosTokenIds.slice(0, 1), trained: true }];
}

/** What a model is given to answer a question: token for token what stood before the completion in training. */
export const encodePrompt = (question: string, tokenizer: Tokenizer, template?: ChatTemplate): number[] =>
  template === undefined ? [...beginningOf(tokenizer), ...tokenizer.encode(promptOf(question))] : encodeChat([{ role: 'user', content: question }], tokenizer, template);

/** What a model is given to answer an example: a conversation up to the assistant's last turn, or the text before the completion. */
export function encodeAsked(example: Example, tokenizer: Tokenizer, template?: ChatTemplate): number[] {
  const conversation = template === undefined ? example.messages : conversationOf(example);
  if (conversation !== undefined) return encodeChat(askedOf(conversation), tokenizer, template ?? FALLBACK_TEMPLATE);
  return [beginningOf(tokenizer), ...encodeSegments(example.segments.filter(({ trained }) => !trained), tokenizer).map(({ ids }) => ids)].flat();
}

/** The token before every text, for models that were trained with one. */
const beginningOf = ({ addsBos, bosTokenId }: Tokenizer): number[] => (addsBos && bosTokenId !== undefined ? [bosTokenId] : []);

/** Examples between two looks at the clock. */
const EXAMPLES_PER_LOOK = 16;
const EXAMPLES_PER_REPORT = 256;

export interface TokeniseAllOptions extends TokeniseOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of each row that the template cannot write, which is then left out; without it the first of them is thrown. */
  readonly onRefused?: ((problem: DataProblem) => void) | undefined;
}

/** All examples, read as they are needed, with pauses so that a worker can answer other messages. @throws DataProblem; the signal's reason. */
export async function tokeniseExamples(
  examples: ExampleStore | readonly Example[],
  tokenizer: Tokenizer,
  options: TokeniseAllOptions,
  onProgress: (done: number) => void = () => {},
): Promise<TokenStore> {
  const tokenised = new TokenStore();
  const pauses = new Pauses();
  for await (const slice of 'slices' in examples ? examples.slices() : [examples]) {
    for (const example of slice) {
      const written = attempt(() => tokeniseExample(example, tokenizer, options), options.onRefused);
      if (written) tokenised.add(written);
      if (tokenised.length % EXAMPLES_PER_LOOK === 0) await pauses.due();
      if (tokenised.length % EXAMPLES_PER_REPORT === 0) onProgress(tokenised.length);
      options.signal?.throwIfAborted();
    }
  }
  onProgress(tokenised.length);
  return tokenised;
}

function attempt<T>(write: () => T, onRefused: ((problem: DataProblem) => void) | undefined): T | undefined {
  try {
    return write();
  } catch (error) {
    if (!onRefused || !(error instanceof DataProblem)) throw error;
    onRefused(error);
    return undefined;
  }
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

export function countTokens(tokenised: TokenisedList): TokenCounts {
  const measures = measuresOf(tokenised);
  const sum = (values: Iterable<number>): number => {
    let total = 0;
    for (const value of values) total += value;
    return total;
  };
  const empty = measures.trained.reduce((rows, count) => rows + Number(count === 0), 0);
  const longest = measures.lengths.reduce((most, length) => Math.max(most, length), 0);
  const width = Math.ceil((longest + 1) / HISTOGRAM_BINS);
  const counts = Array.from({ length: Math.floor(longest / width) + 1 }, () => 0);
  for (const length of measures.lengths) counts[Math.floor(length / width)]! += 1;
  return {
    rows: tokenised.length, tokens: sum(measures.lengths), trainedTokens: sum(measures.trained), truncated: sum(measures.truncated), empty, longest, histogram: { width, counts },
  };
}

/** What the counts say against a run: an error where nothing would be trained, a warning where that is so of some rows. */
export function checkCounts(counts: TokenCounts, file: string, maxLength: number): DataProblem[] {
  const { rows, trainedTokens, truncated, empty } = counts;
  if (trainedTokens === 0) {
    return [new DataProblem({
      file,
      what: 'every label is masked: no token of these rows would be trained',
      stillHolds: truncated === rows && rows > 0 ? `All rows are longer than ${formatCount(maxLength)} tokens, and end inside the prompt.` : 'The rows themselves read well.',
      suggestion: truncated === rows && rows > 0 ? 'Choose a longer length.' : "Change the mapping; of a conversation only the assistant's turns are trained.",
    })];
  }
  const problems: DataProblem[] = [];
  if (empty > 0) {
    problems.push(new DataProblem({
      file,
      what: `rows have no trained token, because ${empty <= truncated ? 'the prompt fills the whole length' : 'nothing in them is to be learnt, or the prompt fills the whole length'}: ${formatCount(empty)} of ${formatCount(rows)}`,
      stillHolds: 'The other rows are trained.',
      suggestion: empty <= truncated ? 'Choose a longer length.' : "Choose a longer length; of a conversation only the assistant's turns are trained.",
      severity: 'warning',
    }));
  }
  return problems;
}
