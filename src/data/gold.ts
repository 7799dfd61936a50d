/**
 * @file The final answer inside a worked solution. One rule for gold solutions and for what a model writes.
 */

/** Last balanced \boxed{}, else the text after the last ####, else the last number; undefined where there is none of them. */
export function extractAnswer(text: string): string | undefined {
  return lastBoxed(text) ?? afterHashes(text) ?? lastNumber(text);
}

/** Contents of the last \boxed{...} or \fbox{...} whose braces balance. A box that is cut off does not count, an earlier whole one does. */
export function lastBoxed(text: string): string | undefined {
  /** Where the contents of each brace that is open begin, -1 for one that opens no box. One pass, or a text of nothing but open boxes takes for ever. */
  const open: number[] = [];
  let box: readonly [start: number, end: number] = [-1, -1];
  for (const { index, 0: token } of text.matchAll(/\\{1,2}(?:boxed|fbox)\s*\{|\\.|[{}]/gsu)) {
    if (token.length > 2) open.push(index + token.length);
    else if (token === '{') open.push(-1);
    else if (token === '}') {
      const start = open.pop() ?? -1;
      if (start > box[0]) box = [start, index];
    }
  }
  return box[0] < 0 ? undefined : text.slice(...box).trim();
}

/** The rest of the line after the last ####, GSM8K's mark. */
export function afterHashes(text: string): string | undefined {
  const at = text.lastIndexOf('####');
  if (at < 0) return undefined;
  const answer = text.slice(at + 4).trimStart().split('\n', 1)[0]!.trim();
  return answer === '' ? undefined : answer;
}

/** Longer numbers lose their beginning. */
const LONGEST_NUMBER = 200;

/** The last number with its sign, thousands commas, decimals and a denominator: "so 1,234.5" -> "1,234.5", "is 3/4." -> "3/4". */
export function lastNumber(text: string): string | undefined {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  const ending = text.slice(Math.max(0, end - LONGEST_NUMBER), end);
  return ending.match(/(?<![\p{L}\p{N}_)])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\s?\/\s?\d+)?|\d+(?:\.\d+)?/gu)?.at(-1);
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
