/**
 * @file Random numbers that are a function of (seed, stream) alone, so that a shuffle or a resampling can be repeated without any saved state.
 */

/** sfc32 (Chris Doty-Humphrey, PractRand): 32-bit operations only, the same in every engine. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param stream tells apart what shares a seed: the number of the epoch, for one. */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    // A seed above 32 bits keeps its upper part.
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = stream | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in 0 ... bound - 1, without the bias of a remainder. */
  below(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % bound;
  }
}

/** A permutation of 0 ... count - 1 (Fisher and Yates). */
export function shuffledIndices(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
