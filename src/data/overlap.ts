/**
 * @file Rows that are there twice, and questions that stand in two data sets: an evaluation on training questions measures memory.
 */
import type { Example } from './examples.ts';

/** Indices of examples whose whole text repeats that of an earlier one. */
export function findDuplicates(examples: readonly Example[]): number[] {
  const seen = new Set<string>();
  return indicesWhere(examples, ({ segments }) => {
    // The lengths keep "ab" + "c" apart from "a" + "bc".
    const key = hashText(segments.map(({ text }) => `${text.length}:${text}`).join(''));
    if (seen.has(key)) return true;
    seen.add(key);
    return false;
  });
}

/** Indices of examples whose question, apart from case and whitespace, is also asked in the other set. */
export function findOverlap(examples: readonly Example[], others: readonly Example[]): number[] {
  const asked = new Set(others.map(({ question }) => hashText(normaliseQuestion(question))));
  return indicesWhere(examples, ({ question }) => question !== '' && asked.has(hashText(normaliseQuestion(question))));
}

const normaliseQuestion = (question: string): string => question.toLowerCase().replace(/\s+/gu, ' ').trim();

function indicesWhere(examples: readonly Example[], holds: (example: Example) => boolean): number[] {
  const indices: number[] = [];
  examples.forEach((example, i) => {
    if (holds(example)) indices.push(i);
  });
  return indices;
}

/** 64 bits of hash beside the length: for a million rows the chance that any two differ and still meet is below 1e-7. */
function hashText(text: string): string {
  // Two rounds of multiply and rotate over the code units, as MurmurHash3 mixes its halves.
  let a = 0x9e3779b9;
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
  return `${text.length}.${(a >>> 0).toString(36)}.${(b >>> 0).toString(36)}`;
}
