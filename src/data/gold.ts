/**
 * @file The final answer inside a worked solution. One rule for gold solutions and for what a model writes.
 */

/** Last balanced \boxed{}, else the text after the last ####, else the last number; undefined where there is none of them. */
export function extractAnswer(text: string): string | undefined {
  return lastBoxed(text) ?? afterHashes(text) ?? lastNumber(text);
}

/** Contents of the last \boxed{...} or \fbox{...} whose braces balance. A box that is cut off does not count, an earlier whole one does. */
export function lastBoxed(text: string): string | undefined {
  for (const { index, 0: opening } of [...text.matchAll(/\\(?:boxed|fbox)\s*\{/gu)].reverse()) {
    const start = index + opening.length;
    let depth = 1;
    for (let i = start; i < text.length; i++) {
      const character = text[i];
      if (character === '\\') i++;
      else if (character === '{') depth++;
      else if (character === '}' && --depth === 0) return text.slice(start, i).trim();
    }
  }
  return undefined;
}

/** The rest of the line after the last ####, GSM8K's mark. */
export function afterHashes(text: string): string | undefined {
  const at = text.lastIndexOf('####');
  if (at < 0) return undefined;
  const answer = text.slice(at + 4).trimStart().split('\n', 1)[0]!.trim();
  return answer === '' ? undefined : answer;
}

/** The last number with its sign, thousands commas, decimals and a denominator: "so 1,234.5" -> "1,234.5", "is 3/4." -> "3/4". */
export function lastNumber(text: string): string | undefined {
  return text.match(/(?<![\p{L}\p{N}_)])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\s?\/\s?\d+)?|\d+(?:\.\d+)?/gu)?.at(-1);
}
