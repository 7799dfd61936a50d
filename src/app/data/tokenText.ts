/** @file How the text of a token is shown: whitespace appears only where it would be ambiguous. */

export interface TokenText {
  /** An ordinary space stands before it. */
  readonly spaced: boolean;
  readonly shown: string;
  /** Line breaks after it. */
  readonly breaks: number;
}

/**
 * A single space before a word is shown as one. Spaces that lead the row or repeat are ␣, line breaks are ↵ and also break the line.
 * `first`: the token begins the row.
 */
export function tokenText(text: string, first: boolean): TokenText {
  const spaced = !first && /^ [^\s]/.test(text);
  const rest = spaced ? text.slice(1) : text;
  return {
    spaced,
    shown: rest.replace(/^ +| {2,}| +$/g, (spaces) => '␣'.repeat(spaces.length)).replace(/\r?\n/g, '↵').replaceAll('\t', '⇥'),
    breaks: text.split('\n').length - 1,
  };
}
