/**
 * @file What JSON.parse lets through and a strict reader must not: a key given twice, half a surrogate pair, and 1.0, 1e3 or -0 where a whole
 * number belongs.
 */

/**
 * Looks through JSON text that JSON.parse has accepted.
 * @returns what is wrong, or undefined.
 */
export function scanStrictJson(text: string): string | undefined {
  // Strings (with the colon that makes them keys), numbers, and the brackets that open and close objects.
  const tokens = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|-?\d[\d.eE+-]*|[{}]/gu;
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(tokens)) {
    if (token === '{') {
      open.push(new Set());
    } else if (token === '}') {
      open.pop();
    } else if (string === undefined) {
      if (!/^-?\d+$/u.test(token) || token === '-0') return `${token} is not a whole number`;
    } else {
      const key = JSON.parse(string) as string;
      if (!key.isWellFormed()) return `${string} holds half a surrogate pair`;
      if (colon === undefined) continue;
      const keys = open.at(-1);
      if (keys?.has(key) === true) return `the key ${JSON.stringify(key)} is given twice`;
      keys?.add(key);
    }
  }
  return undefined;
}
