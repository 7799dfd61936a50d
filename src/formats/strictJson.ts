/**
 * @file What JSON.parse lets through and a strict reader must not: a key given twice, half a surrogate pair, and 1.0, 1e3 or -0 where a whole
 * number belongs. A header may hold 100 MB of whatever someone put there, so the scan neither recurses nor backtracks.
 */

import { show } from './formatError.ts';

/**
 * Looks through JSON text that JSON.parse has accepted.
 * @returns what is wrong, or undefined.
 */
export function scanStrictJson(text: string): string | undefined {
  const number = /-?\d[\d.eE+-]*/uy;
  const colon = /[ \t\r\n]*:/uy;
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '{') {
      open.push(new Set());
    } else if (character === '}') {
      open.pop();
    } else if (character === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      const string = JSON.parse(text.slice(start, i + 1)) as string;
      if (!string.isWellFormed()) return `${show(string)} holds half a surrogate pair`;
      // A string is a key when a colon follows; nothing else in JSON has one.
      colon.lastIndex = i + 1;
      if (!colon.test(text)) continue;
      const keys = open.at(-1);
      if (keys?.has(string) === true) return `the key ${show(string)} is given twice`;
      keys?.add(string);
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      number.lastIndex = i;
      const digits = number.exec(text)![0];
      if (!/^-?\d+$/u.test(digits) || digits === '-0') return `${digits.slice(0, 60)} is not a whole number`;
      i += digits.length - 1;
    }
  }
  return undefined;
}
