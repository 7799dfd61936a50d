/**
 * @file What JSON.parse lets through and a strict reader must not: a key given twice, and 1.0 or 1e3 where a whole number belongs.
 */

/**
 * Looks through JSON text that JSON.parse has accepted.
 * @returns what is wrong, or undefined.
 */
export function scanStrictJson(text: string): string | undefined {
  // Strings (with the colon that makes them keys), numbers, and the brackets that open and close objects.
  const tokens = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|[{}]/gu;
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(tokens)) {
    if (token === '{') {
      open.push(new Set());
    } else if (token === '}') {
      open.pop();
    } else if (string === undefined) {
      if (!/^-?\d+$/u.test(token)) return `${token} is not a whole number`;
    } else if (colon !== undefined) {
      const key = JSON.parse(string) as string;
      const keys = open.at(-1);
      if (keys?.has(key) === true) return `the key ${JSON.stringify(key)} is given twice`;
      keys?.add(key);
    }
  }
  return undefined;
}
