/** @file A list of numbers in one typed array that doubles as it fills: eight bytes a number at most, outside the JavaScript heap. */

type NumberArray = Float64Array | Uint32Array | Uint8Array;

export class Growing<T extends NumberArray> {
  length = 0;
  #array: T;
  readonly #make: new (length: number) => T;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#array = new make(64);
  }

  push(...values: number[]): void {
    this.reserve(values.length);
    for (const value of values) this.#array[this.length++] = value;
  }

  /** Makes room for `count` more, and gives the array to write them in from `length` on; `length` is the caller's to raise. */
  reserve(count: number): T {
    if (this.length + count > this.#array.length) {
      const larger = new this.#make(Math.max(this.length + count, 2 * this.#array.length));
      larger.set(this.#array);
      this.#array = larger;
    }
    return this.#array;
  }

  /** The numbers so far, as a view that the next push may leave behind. */
  get values(): T {
    return this.#array.subarray(0, this.length) as T;
  }
}
