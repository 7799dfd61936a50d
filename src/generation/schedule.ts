/**
 * @file Which sequence is in which slot, and what is done next: prompts are read in chunks that pieces of several of them
 * fill, what a prompt shares with one that was read is copied, and a slot whose sequence has ended takes the next that waits.
 */
import { NO_SLOT } from '../graph/ops/cached-attention.ts';

/** A prompt to be answered. */
export interface GenerationRequest {
  readonly prompt: readonly number[];
  /** As many as there are positions when left out. */
  readonly maxNewTokens?: number;
  /** Random numbers are a function of seed, stream and position; by default the sampling's seed and the request's index. */
  readonly seed?: number;
  readonly stream?: number;
}

/** A request in a slot. Its last prompt token is no part of what is read: with it the first token is drawn. */
export interface Live {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly slot: number;
  readonly seed: number;
  readonly stream: number;
  /** The last position that may hold a token. */
  readonly lastPosition: number;
  /** Tokens of the prompt whose keys and values are in the slot. */
  read: number;
  /** The token to go on with, and its position. */
  id: number;
  position: number;
}

export interface SlotCopy {
  readonly from: number;
  readonly to: number;
  readonly positions: number;
}

/** A piece of work on prompts: copies, in order, then a pass over rows. */
export interface Chunk {
  readonly copies: readonly SlotCopy[];
  /** Empty where copies were enough. Padding has `NO_SLOT`. */
  readonly rows: readonly { readonly id: number; readonly position: number; readonly slot: number }[];
  /** Prompt tokens that are done with it. */
  readonly tokens: number;
}

/** Copying a slot costs dispatches; that many tokens are worth them. */
export const SHARED_TOKENS = 8;

const PADDING = { id: 0, position: 0, slot: NO_SLOT };

const goalOf = ({ prompt }: Live): number => prompt.length - 1;

/** Tokens that two prompts begin with alike, up to `most`. */
function shared(a: readonly number[], b: readonly number[], most: number): number {
  let count = 0;
  while (count < most && a[count] === b[count]) count++;
  return count;
}

/** The state of a generator on the CPU; knows no GPU. */
export class Schedule {
  readonly live: Live[] = [];
  readonly #waiting: Omit<Live, 'slot'>[];
  readonly #free: number[];
  /** What the slots hold keys and values of: so many tokens of a prompt. */
  readonly #held: { prompt: readonly number[]; count: number }[];

  /** @throws {RangeError} when a prompt is empty or leaves no room, or no token is asked for */
  constructor(requests: readonly GenerationRequest[], { sequences, length, seed }: { readonly sequences: number; readonly length: number; readonly seed: number }) {
    for (const { prompt, maxNewTokens = 1 } of requests) {
      if (prompt.length === 0 || prompt.length >= length) throw new RangeError(`A prompt of ${prompt.length} tokens does not fit ${length} positions.`);
      if (maxNewTokens < 1) throw new RangeError(`An answer of ${maxNewTokens} tokens is none.`);
    }
    this.#waiting = requests.map(({ prompt, maxNewTokens = length, seed: own = seed, stream }, index) => ({
      index,
      prompt,
      seed: own,
      stream: stream ?? index,
      lastPosition: Math.min(length, prompt.length + maxNewTokens) - 1,
      read: 0,
      id: prompt.at(-1)!,
      position: prompt.length - 1,
    }));
    this.#free = Array.from({ length: sequences }, (_, slot) => slot);
    this.#held = this.#free.map(() => ({ prompt: [], count: 0 }));
  }

  get finished(): boolean {
    return this.live.length === 0 && this.#waiting.length === 0;
  }

  /** Sequences that have their prompts read. */
  get ready(): readonly Live[] {
    return this.live.filter((each) => each.read === goalOf(each));
  }

  /** Gives free slots to those who wait, each the one that holds most of its prompt already. */
  admit(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const request = this.#waiting.shift()!;
      const common = this.#free.map((slot) => this.#common(request.prompt, slot));
      const [slot] = this.#free.splice(common.indexOf(Math.max(...common)), 1);
      this.live.push({ ...request, slot: slot! });
    }
  }

  /** Takes a sequence out that has ended. */
  end(ended: Live): void {
    this.live.splice(this.live.indexOf(ended), 1);
    this.#free.push(ended.slot);
  }

  /**
   * What to do next about prompts; undefined when all are read.
   * @param room rows of a chunk
   * @param block rows that belong to one slot, as `chunkBlock`
   */
  nextChunk(room: number, block: number): Chunk | undefined {
    const pending = this.live.filter((each) => each.read < goalOf(each));
    if (pending.length === 0) return undefined;
    const copies: SlotCopy[] = [];
    const rows: { id: number; position: number; slot: number }[] = [];
    const taken: Live[] = [];
    let tokens = 0;
    for (const [at, one] of pending.entries()) {
      const goal = goalOf(one);
      const sources = this.#held.map((_, slot) => Math.min(goal, this.#common(one.prompt, slot)));
      const most = Math.max(...sources);
      const ahead = Math.max(0, ...pending.slice(0, at).map((other) => shared(one.prompt, other.prompt, Math.min(goal, goalOf(other)))));
      // Another of those before it is about to read more of the same: it is worth waiting for.
      if (ahead >= Math.max(one.read, most) + SHARED_TOKENS) continue;
      const own = sources[one.slot]!;
      const from = most >= own + SHARED_TOKENS ? sources.indexOf(most) : one.slot;
      const found = sources[from]!;
      if (found > one.read) {
        if (from !== one.slot) copies.push({ from, to: one.slot, positions: found });
        tokens += found - one.read;
        one.read = found;
        this.#held[one.slot] = { prompt: one.prompt, count: found };
      }
      const count = Math.min(goal - one.read, room - rows.length);
      if (count <= 0) continue;
      this.#held[one.slot] = { prompt: one.prompt, count: one.read };
      for (let position = one.read; position < one.read + count; position++) rows.push({ id: one.prompt[position]!, position, slot: one.slot });
      while (rows.length % block !== 0) rows.push(PADDING);
      one.read += count;
      tokens += count;
      taken.push(one);
    }
    // Only once the pass has run are they there to be copied.
    for (const one of taken) this.#held[one.slot] = { prompt: one.prompt, count: one.read };
    return { copies, rows, tokens };
  }

  #common(prompt: readonly number[], slot: number): number {
    const { prompt: held, count } = this.#held[slot]!;
    return shared(prompt, held, Math.min(count, prompt.length));
  }
}
