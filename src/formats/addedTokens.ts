/**
 * @file Added tokens (special ones, and others such as GPT-NeoX's runs of spaces) found in a text before anything else happens to it, as the
 * Rust library finds them: https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs
 */

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  /** Looked for in normalised text; where it is missing, special tokens are not. */
  readonly normalized?: boolean;
  /** It takes the whitespace before, after it along. */
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  /** Not found where it touches a letter, digit or underscore. */
  readonly single_word?: boolean;
}

/** A stretch of the text, and the id where it is an added token. */
export interface Section {
  readonly text: string;
  readonly id: number | undefined;
}

const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D]';
const BEGINS_WITH_WORD = new RegExp(`^${WORD}`, 'u');
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');
const SPACES_AT_END = /\p{White_Space}*$/u;
const SPACES_AT_START = /^\p{White_Space}*/u;

/** Splits text at added tokens: the first in the text, and of those that begin at one place the longest. No empty sections. */
export function sectionsOf(tokens: readonly AddedTokenJson[]): (text: string) => Section[] {
  const byContent = new Map(tokens.filter(({ content }) => content !== '').map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => (text === '' ? [] : [{ text, id: undefined }]);
  const alternatives = [...byContent.keys()].sort((a, b) => b.length - a.length).map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/gu, '\\$&'));
  const pattern = new RegExp(alternatives.join('|'), 'gu');

  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    for (const { 0: content, index } of text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      let start = index;
      let end = index + content.length;
      if (token.single_word === true && (ENDS_WITH_WORD.test(text.slice(0, start)) || BEGINS_WITH_WORD.test(text.slice(end)))) continue;
      if (token.lstrip === true) start -= SPACES_AT_END.exec(text.slice(0, start))![0].length;
      if (token.rstrip === true) end += SPACES_AT_START.exec(text.slice(end))![0].length;
      // The token before may have taken these spaces already.
      start = Math.max(start, done);
      if (start > done) sections.push({ text: text.slice(done, start), id: undefined });
      sections.push({ text: text.slice(start, end), id: token.id });
      done = end;
    }
    if (done < text.length) sections.push({ text: text.slice(done), id: undefined });
    return sections;
  };
}
