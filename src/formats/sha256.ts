/**
 * @file SHA-256 over a stream. WebCrypto hashes only whole buffers, and a 1 GB file should not have to be one.
 */

const ROUNDS = roundConstants();

/** FIPS 180-4, fed in pieces of any length. */
export class Sha256 {
  readonly #state = Int32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  readonly #block = new Uint8Array(64);
  readonly #schedule = new Int32Array(64);
  #filled = 0;
  #length = 0;

  update(bytes: Uint8Array): this {
    this.#length += bytes.length;
    let position = 0;
    if (this.#filled > 0) {
      position = Math.min(64 - this.#filled, bytes.length);
      this.#block.set(bytes.subarray(0, position), this.#filled);
      this.#filled += position;
      if (this.#filled < 64) return this;
      this.#compress(this.#block, 0);
    }
    for (; position + 64 <= bytes.length; position += 64) this.#compress(bytes, position);
    this.#block.set(bytes.subarray(position));
    this.#filled = bytes.length - position;
    return this;
  }

  /** 64 hexadecimal digits. Ends the hash: nothing may be added after it. */
  hex(): string {
    const bits = this.#length * 8;
    const padding = new Uint8Array(((this.#filled < 56 ? 56 : 120) - this.#filled) + 8);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(padding.length - 4, bits >>> 0);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /**
   * One block. Every sum is cut back to 32 bits at once and the state is read and written by index: that keeps the compiled loop in machine
   * integers, which makes it several times faster than the same lines with destructuring.
   */
  #compress(bytes: Uint8Array, start: number): void {
    const w = this.#schedule;
    for (let i = 0, at = start; i < 16; i++, at += 4) {
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (((w[i - 16]! + small0) | 0) + ((w[i - 7]! + small1) | 0)) | 0;
    }
    const state = this.#state;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const chosen = g ^ (e & (f ^ g));
      const first = (((((h + big1) | 0) + chosen) | 0) + ((ROUNDS[i]! + w[i]!) | 0)) | 0;
      const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const majority = (a & b) | (c & (a | b));
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (((first + big0) | 0) + majority) | 0;
    }
    state[0] = (state[0]! + a) | 0;
    state[1] = (state[1]! + b) | 0;
    state[2] = (state[2]! + c) | 0;
    state[3] = (state[3]! + d) | 0;
    state[4] = (state[4]! + e) | 0;
    state[5] = (state[5]! + f) | 0;
    state[6] = (state[6]! + g) | 0;
    state[7] = (state[7]! + h) | 0;
  }
}

/** Fractional bits of the cube roots of the first 64 primes. */
function roundConstants(): Int32Array {
  const constants = new Int32Array(64);
  for (let candidate = 2, count = 0; count < 64; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) isPrime &&= candidate % divisor !== 0;
    if (isPrime) constants[count++] = fractionalBitsOfCubeRoot(candidate);
  }
  return constants;
}

/** floor(cbrt(n) * 2^32) mod 2^32, in integers: a double has too few bits to be trusted with the last one. */
function fractionalBitsOfCubeRoot(n: number): number {
  const target = BigInt(n) << 96n;
  let root = 0n;
  for (let bit = 1n << 35n; bit > 0n; bit >>= 1n) {
    const trial = root | bit;
    if (trial * trial * trial <= target) root = trial;
  }
  return Number(BigInt.asIntN(32, root));
}
