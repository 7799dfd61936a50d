/**
 * @file Scores the items of a suite for one set of weights by the measure that fits them: exact completion, likeliest
 * option, generated answer or perplexity. Live evaluation during a run and evaluation on demand are the same code.
 */
import type { Example } from '../data/examples.ts';
import type { TokenisedExample, TokeniseOptions } from '../data/tokenise.ts';
import { encodeAsked, encodePrompt, tokeniseExample } from '../data/tokenise.ts';
import { stopTokenIds } from '../data/endOfTurn.ts';
import { extractAnswer } from '../data/gold.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import type { DecodeProgress, GeneratorShape } from '../generation/generator.ts';
import { Generator } from '../generation/generator.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import type { Turn } from '../gpu/turn.ts';
import type { BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import { isCorrect } from './answer.ts';
import { Evaluator } from './evaluator.ts';
import { generateAnswers } from './generated.ts';
import type { OptionItem } from './options.ts';
import { evaluateOptions } from './options.ts';

/** `exact`: greedy decoding would write the whole completion. `choice`: the right option is the likeliest. `generation`: the answer is in what was written. */
export type Measure = 'exact' | 'choice' | 'generation' | 'perplexity';

/** What an item came to. */
export interface ScoredItem {
  /** Share of right answers among its samples, 0 or 1 without samples; absent for perplexity. */
  readonly score?: number;
  /** `choice`: whether the right option is the likeliest by character. */
  readonly normalised?: number;
  /** `generation`: share of the samples that ended by themselves. */
  readonly ended?: number;
  /** Summed negative log-likelihood of the completion, and its tokens; 0 where it was not measured. */
  readonly nll: number;
  readonly tokens: number;
  /** What the model wrote, a text a sample; the chosen option; or the completion up to the first other token. */
  readonly given: readonly string[];
  /** What was taken as the answer of each; undefined where there is none. */
  readonly extracted: readonly (string | undefined)[];
  readonly options?: readonly { readonly text: string; readonly logLikelihood: number }[];
}

export interface ScorerSettings extends TokeniseOptions {
  /** Rows of a forward pass. */
  readonly rows: number;
  /** Sequences decoded together. */
  readonly sequences: number;
  /** How their keys and values are kept; f32 by default. */
  readonly cache?: FloatType;
  readonly samples: number;
  /** 0 = greedy. */
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
}

/** Items of a forward pass between two turns. */
const ITEMS_PER_TURN = 64;

/** The measure that says most about items like these. */
export function measureOf(examples: readonly Example[]): Measure {
  if (examples.every(({ choices }) => choices !== undefined)) return 'choice';
  const isAsked = ({ question, messages }: Example): boolean => question !== '' || messages !== undefined;
  if (!examples.some(isAsked)) return 'perplexity';
  // A worked solution is never repeated word for word; what counts is the answer it comes to.
  const isWorked = (example: Example): boolean => example.answer !== undefined && completionOf(example).length > WORKED_SOLUTION;
  return examples.filter(isWorked).length > examples.length / 2 || examples.every((example) => completionOf(example) === '') ? 'generation' : 'exact';
}

/** Characters from which on a completion with an answer in it counts as a worked solution. */
const WORKED_SOLUTION = 120;

/** The text an item is to be answered with; for a conversation its last turn. */
export const completionOf = ({ segments, messages }: Example): string =>
  messages ? (messages.at(-1)?.role === 'assistant' ? messages.at(-1)!.content : '') : segments.filter(({ trained }) => trained).map(({ text }) => text).join('');

/** Scores items for one set of weights, which may change between calls; its programs are recorded when first needed. */
export class Scorer {
  #evaluator: Evaluator | undefined;
  #generator: { readonly shape: GeneratorShape; readonly value: Generator } | undefined;

  constructor(
    private readonly model: Model,
    private readonly weights: WeightSet,
    private readonly tokenizer: Tokenizer,
    private readonly settings: ScorerSettings,
  ) {}

  /**
   * Scores in the order of the items.
   * @param onProgress is told of items; where answers are generated also of tokens
   * @throws what `turn` throws to end it
   */
  async score(examples: readonly Example[], measure: Measure, turn: Turn, onProgress?: (done: number, decoding?: DecodeProgress) => void): Promise<ScoredItem[]> {
    if (measure === 'generation') return this.#scoreGenerated(examples, turn, onProgress);
    const scored: ScoredItem[] = [];
    for (let first = 0; first < examples.length; first += ITEMS_PER_TURN) {
      const slice = examples.slice(first, first + ITEMS_PER_TURN);
      scored.push(...(await turn(() => (measure === 'choice' ? this.#scoreOptions(slice) : this.#scoreForced(slice, measure)))));
      onProgress?.(scored.length);
    }
    return scored;
  }

  destroy(): void {
    this.#evaluator?.destroy();
    this.#generator?.value.destroy();
  }

  get #shape(): BatchShape {
    return { rows: this.settings.rows, length: this.settings.maxLength };
  }

  /** Tokens that end an answer. */
  get #ends(): readonly number[] {
    return stopTokenIds(this.tokenizer, this.settings.template);
  }

  async #forward(): Promise<Evaluator> {
    return (this.#evaluator ??= await Evaluator.create(this.model, this.weights, this.#shape, this.tokenizer.padTokenId));
  }

  async #scoreForced(examples: readonly Example[], measure: 'exact' | 'perplexity'): Promise<ScoredItem[]> {
    const tokenised = examples.map((example) => tokeniseExample(example, this.tokenizer, this.settings));
    const results = await (await this.#forward()).evaluate(tokenised);
    return results.map((result, i): ScoredItem => {
      const { exact, nll, trainedTokens: tokens, firstWrong } = result ?? { exact: false, nll: 0, trainedTokens: 0 };
      if (measure === 'perplexity') return { nll, tokens, given: [], extracted: [] };
      const given = this.#writtenUntil(tokenised[i]!, firstWrong);
      return { score: Number(exact), nll, tokens, given: [given], extracted: [extractAnswer(given)] };
    });
  }

  /** What greedy decoding writes up to and with its first token that is not the given one. */
  #writtenUntil({ ids, trained }: TokenisedExample, firstWrong: { readonly index: number; readonly id: number } | undefined): string {
    const written = [...ids].filter((_, i) => trained[i] === 1 && (firstWrong === undefined || i < firstWrong.index));
    if (firstWrong) written.push(firstWrong.id);
    return this.tokenizer.decode(written.filter((id) => !this.#ends.includes(id)));
  }

  /**
   * What stands before an option: the question alone, without the list of options, so that each is read as a continuation
   * and none is named before; where there is no question, the token that begins a text or else the one that ends the text before.
   */
  #beforeOption({ question }: Example): number[] {
    const { tokenizer } = this;
    if (question !== '') return encodePrompt(question, tokenizer, this.settings.template);
    return [tokenizer.bosTokenId ?? tokenizer.eosTokenIds[0] ?? 0];
  }

  async #scoreOptions(examples: readonly Example[]): Promise<ScoredItem[]> {
    const items = examples.map((example): OptionItem => {
      const prompt = this.#beforeOption(example);
      return { prompt, options: (example.choices?.options ?? []).map((text) => ({ text, ids: this.tokenizer.encode(text) })) };
    });
    const results = await evaluateOptions(await this.#forward(), items, this.settings.maxLength);
    return results.map(({ logLikelihoods, chosen, chosenByLength }, i): ScoredItem => {
      const { options, answer } = examples[i]!.choices!;
      const right = items[i]!.options[answer];
      return {
        score: Number(chosen === answer),
        normalised: Number(chosenByLength === answer),
        nll: -(logLikelihoods[answer] ?? 0),
        tokens: right?.ids.length ?? 0,
        given: [options[chosen]!],
        extracted: [options[chosen]!],
        options: options.map((text, j) => ({ text, logLikelihood: logLikelihoods[j]! })),
      };
    });
  }

  async #scoreGenerated(examples: readonly Example[], turn: Turn, onProgress?: (done: number, decoding?: DecodeProgress) => void): Promise<ScoredItem[]> {
    const { sequences, maxNewTokens, samples, cache } = this.settings;
    const positions = this.model.config.maxPositionEmbeddings;
    // A prompt that fills the whole context loses its beginning: one token of an answer must fit.
    const prompts = examples.map((example) => encodeAsked(example, this.tokenizer, this.settings.template).slice(-(positions - 1)));
    const length = Math.min(positions, Math.max(...prompts.map((prompt) => prompt.length)) + maxNewTokens);
    const slots = Math.min(sequences, prompts.length * samples);
    const generator = await turn(() => this.#decoder({ sequences: slots, length, ...(cache ? { cache } : {}) }));
    const ends = this.#ends;
    const losses = await this.#lossesWhereKnown(examples, turn);
    const answers = await generateAnswers(generator, { sequences, length }, prompts, ends, this.settings, turn, onProgress && (({ answers: done, ...decoding }) => onProgress(Math.floor(done / samples), decoding)));
    return answers.map((own, i): ScoredItem => {
      const given = own.map(({ ids }) => this.tokenizer.decode(ids));
      const right = given.filter((text) => isRight(text, examples[i]!)).length;
      return {
        score: right / own.length,
        ended: own.filter(({ ended }) => ended).length / own.length,
        ...losses[i]!,
        given,
        extracted: given.map((text) => extractAnswer(text)),
      };
    });
  }

  /** Loss of the completions that are given; an item that has only a gold answer has none. */
  async #lossesWhereKnown(examples: readonly Example[], turn: Turn): Promise<{ nll: number; tokens: number }[]> {
    const losses = examples.map(() => ({ nll: 0, tokens: 0 }));
    const known = [...examples.keys()].filter((i) => completionOf(examples[i]!) !== '');
    const measured = await this.score(known.map((i) => examples[i]!), 'perplexity', turn);
    for (const [at, i] of known.entries()) losses[i] = { nll: measured[at]!.nll, tokens: measured[at]!.tokens };
    return losses;
  }

  async #decoder(shape: GeneratorShape): Promise<Generator> {
    const { sequences, length } = this.#generator?.shape ?? {};
    if (sequences !== shape.sequences || length !== shape.length) {
      this.#generator?.value.destroy();
      this.#generator = undefined;
      this.#generator = { shape, value: await Generator.create(this.model, this.weights, shape, this.#ends.slice(0, 4)) };
    }
    return this.#generator!.value;
  }
}

/** Whether a text answers an item: by its gold answer, or word for word where it has none. */
function isRight(text: string, example: Example): boolean {
  return example.answer === undefined ? text.trim() === completionOf(example).trim() : isCorrect(text, example.answer);
}
