/**
 * @file Tokenised examples side by side in a few large arrays: four bytes a token and no object an example, where an array of examples takes some 300 bytes
 * of heap for each before its first token.
 */
import { Growing } from './growing.ts';
import type { TokenisedExample } from './tokenise.ts';

/** Tokenised examples by their index from 0; an array of them will do. */
export interface TokenisedList {
  readonly length: number;
  at(index: number): TokenisedExample | undefined;
  [Symbol.iterator](): Iterator<TokenisedExample>;
}

/** Tokens in one array. An example lies in one array as a whole. */
const CHUNK_TOKENS = 2 ** 20;
/** Marks a token that is trained; ids are far below. */
const TRAINED = 0x8000_0000;

/** Grows at its end and gives out copies. */
export class TokenStore implements TokenisedList {
  /** Each of CHUNK_TOKENS, or of the one example that is longer. */
  readonly #chunks: Uint32Array[] = [];
  #filled = 0;
  readonly #chunkOf = new Growing(Uint32Array);
  readonly #starts = new Growing(Uint32Array);
  readonly #lengths = new Growing(Uint32Array);
  readonly #trained = new Growing(Uint32Array);
  readonly #truncated = new Growing(Uint8Array);

  get length(): number {
    return this.#lengths.length;
  }

  add({ ids, trained, truncated }: TokenisedExample): void {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || this.#filled + ids.length > chunk.length) {
      chunk = new Uint32Array(Math.max(CHUNK_TOKENS, ids.length));
      this.#chunks.push(chunk);
      this.#filled = 0;
    }
    for (let i = 0; i < ids.length; i++) chunk[this.#filled + i] = trained[i] === 1 ? ids[i]! | TRAINED : ids[i]!;
    this.#chunkOf.push(this.#chunks.length - 1);
    this.#starts.push(this.#filled);
    this.#lengths.push(ids.length);
    this.#trained.push(countTrained(trained));
    this.#truncated.push(truncated ? 1 : 0);
    this.#filled += ids.length;
  }

  at(index: number): TokenisedExample | undefined {
    if (!(index >= 0 && index < this.length)) return undefined;
    const start = this.#starts.values[index]!;
    const ids = this.#chunks[this.#chunkOf.values[index]!]!.slice(start, start + this.#lengths.values[index]!);
    const trained = new Uint8Array(ids.length);
    for (let i = 0; i < ids.length; i++) {
      trained[i] = ids[i]! >>> 31;
      ids[i]! &= ~TRAINED;
    }
    return { ids, trained, truncated: this.#truncated.values[index] === 1 };
  }

  /** Counts of each example, without its tokens. */
  measures(): TokenMeasures {
    return { lengths: this.#lengths.values, trained: this.#trained.values, truncated: this.#truncated.values };
  }

  *[Symbol.iterator](): Generator<TokenisedExample, void> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}

/** [examples] each. */
export interface TokenMeasures {
  /** Tokens. */
  readonly lengths: Uint32Array;
  /** Tokens that are trained. */
  readonly trained: Uint32Array;
  /** 1 where the end was cut off. */
  readonly truncated: Uint8Array;
}

export function measuresOf(examples: TokenisedList): TokenMeasures {
  if (examples instanceof TokenStore) return examples.measures();
  return {
    lengths: Uint32Array.from(examples, ({ ids }) => ids.length),
    trained: Uint32Array.from(examples, ({ trained }) => countTrained(trained)),
    truncated: Uint8Array.from(examples, ({ truncated }) => Number(truncated)),
  };
}

export const countTrained = (trained: Uint8Array): number => trained.reduce((sum, flag) => sum + flag, 0);
