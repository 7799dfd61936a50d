/** @file Writes files in the form of GSM8K for tests: sums and differences of two digits, with a calculation and the answer after its mark. */
import { writeFileSync } from 'node:fs';
import { test } from '@playwright/test';

export interface Row {
  readonly question: string;
  readonly answer: string;
  readonly group?: string;
}

/** `count` different rows, the same in every call; `from` leaves out as many before them, so that two files share none. */
export function rows(count: number, from = 0): readonly Row[] {
  return Array.from({ length: count }, (_, index) => {
    const place = index + from;
    const [a, b] = [10 + (place % 83), 10 + (Math.floor(place / 83) % 89)];
    const total = a + b;
    return place % 2 === 0
      ? { question: `Ann has ${a} eggs and buys ${b} more. How many eggs?`, answer: `${a}+${b}=${total}.\n#### ${total}` }
      : { question: `Ben has ${total} pens. He gives ${a} away. How many pens?`, answer: `${total}-${a}=${b}.\n#### ${b}` };
  });
}

/** One JSON object a line. */
export const jsonLines = (objects: readonly object[]): string => objects.map((object) => `${JSON.stringify(object)}\n`).join('');

/** Writes a file of the running test and returns where it lies. */
export function writeFile(name: string, contents: string | Uint8Array): string {
  const path = test.info().outputPath(name);
  writeFileSync(path, contents);
  return path;
}
