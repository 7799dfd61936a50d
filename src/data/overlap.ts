/**
 * @file Rows that are there twice, and questions that stand in two data sets: an evaluation on training questions measures memory. Each example leaves two
 * hashes of 64 bits, so that texts need not be kept to be compared; near-duplicates are not found.
 */
import type { Example } from './examples.ts';
import { Growing } from './growing.ts';

/** What is kept of a data set to compare it: for each example a hash of its whole text, and of its question. */
export class Fingerprints {
  /** [examples * 2], low and high half of each; a question that is empty has 0 in both. */
  readonly #texts = new Growing(Uint32Array);
  readonly #questions = new Growing(Uint32Array);
  #asked: HashSet | undefined;

  get length(): number {
    return this.#texts.length / 2;
  }

  add(example: Example): void {
    hashInto(this.#texts, wholeText(example));
    const question = normaliseQuestion(example.question);
    if (question === '') this.#questions.push(0, 0);
    else hashInto(this.#questions, question);
    this.#asked = undefined;
  }

  /** Indices of examples whose whole text repeats that of an earlier one. */
  duplicates(): number[] {
    const seen = new HashSet(this.length);
    return this.#where(this.#texts, (low, high) => !seen.add(low, high));
  }

  /** Indices of examples whose question, apart from case and whitespace, is also asked in the other set. */
  alsoIn(other: Fingerprints): number[] {
    const asked = other.#questionSet();
    return this.#where(this.#questions, (low, high) => (low | high) !== 0 && asked.has(low, high));
  }

  #questionSet(): HashSet {
    if (this.#asked === undefined) {
      this.#asked = new HashSet(this.length);
      this.#where(this.#questions, (low, high) => (low | high) !== 0 && this.#asked!.add(low, high));
    }
    return this.#asked;
  }

  #where({ values }: Growing<Uint32Array>, holds: (low: number, high: number) => boolean): number[] {
    const indices: number[] = [];
    for (let i = 0; i < this.length; i++) if (holds(values[2 * i]!, values[2 * i + 1]!)) indices.push(i);
    return indices;
  }
}

export interface Repeats<Name extends string> {
  /** Examples that repeat an earlier one of the same set. */
  readonly duplicates: number;
  /** Examples whose question is also asked in the set of that name. */
  readonly overlap: Readonly<Partial<Record<Name, number>>>;
}

/** Repeats in and between all sets at once: where one set is replaced, the counts of the others change too. */
export function findRepeats<Name extends string>(sets: ReadonlyMap<Name, Fingerprints>): Map<Name, Repeats<Name>> {
  return new Map([...sets].map(([name, own]) => {
    const others = [...sets].filter(([other]) => other !== name);
    const overlap = Object.fromEntries(others.map(([other, fingerprints]) => [other, own.alsoIn(fingerprints).length])) as Partial<Record<Name, number>>;
    return [name, { duplicates: own.duplicates().length, overlap }];
  }));
}

/** The lengths keep "ab" + "c" apart from "a" + "bc". */
function wholeText({ segments, messages = [], choices }: Example): string {
  const parts = [...segments.map(({ text }) => text), ...messages.flatMap(({ role, content }) => [role, content]), ...(choices?.options ?? [])];
  return parts.map((text) => `${text.length}:${text}`).join('');
}

const normaliseQuestion = (question: string): string => question.toLowerCase().replace(/\s+/gu, ' ').trim();

/** For a million rows the chance that any two differ and still meet is below 1e-7. */
function hashInto(hashes: Growing<Uint32Array>, text: string): void {
  // Two rounds of multiply and rotate over the code units, as MurmurHash3 mixes its halves.
  let a = 0x9e3779b9 ^ text.length;
  let b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0xcc9e2d51);
    a = (a << 15) | (a >>> 17);
    b = Math.imul(b ^ code, 0x1b873593);
    b = ((b << 13) | (b >>> 19)) + a;
  }
  a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
  b = Math.imul(b ^ (b >>> 13) ^ a, 0xc2b2ae35);
  // 0 in both stands for no text.
  hashes.push((a | b) === 0 ? 1 : a, b);
}

/** Open addressing over pairs of 32-bit halves, at most half full; a Set of a million strings would be a hundred times as large. */
class HashSet {
  readonly #slots: Uint32Array;
  readonly #mask: number;

  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(2 * capacity + 2));
    this.#slots = new Uint32Array(2 * size);
    this.#mask = size - 1;
  }

  has(low: number, high: number): boolean {
    const slot = this.#find(low, high);
    return this.#slots[slot] === low && this.#slots[slot + 1] === high;
  }

  /** @returns whether it was new. */
  add(low: number, high: number): boolean {
    const slot = this.#find(low, high);
    if (this.#slots[slot] === low && this.#slots[slot + 1] === high) return false;
    this.#slots[slot] = low;
    this.#slots[slot + 1] = high;
    return true;
  }

  /** Where the pair is, or would be put. */
  #find(low: number, high: number): number {
    for (let i = low & this.#mask; ; i = (i + 1) & this.#mask) {
      const slot = 2 * i;
      const isFree = (this.#slots[slot]! | this.#slots[slot + 1]!) === 0;
      if (isFree || (this.#slots[slot] === low && this.#slots[slot + 1] === high)) return slot;
    }
  }
}
