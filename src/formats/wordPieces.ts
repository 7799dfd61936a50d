/**
 * @file Where text can be cut so that the pieces tokenise on their own to the very tokens of the whole. Words repeat, so a cache answers nearly all
 * of them: 7,473 GSM8K rows take 4 s through the library alone.
 */
import type { AddedTokenJson } from './addedTokens.ts';
import type { NormalizerJson } from './normalizer.ts';
import type { PreTokenizerJson } from './preTokenizer.ts';

/** The fields of tokenizer.json that decide what becomes of a text. */
export interface TokenizerJson {
  readonly added_tokens?: readonly AddedTokenJson[];
  readonly normalizer: NormalizerJson | null;
  readonly pre_tokenizer: PreTokenizerJson | null;
  readonly post_processor: object | null;
  readonly decoder: object | null;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly byte_fallback?: boolean;
  };
}

/** `words` cuts where every known splitting pattern does, `▁` before that character and around line breaks; `none` knows no safe place. */
export type CutRule = 'words' | '▁' | 'none';

const METASPACE = '▁';

// Qwen2 and Llama 3. GPT-2's own is built into ByteLevel.
const SPLITTING_PATTERNS = new Set([
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

export function cutRuleOf({ normalizer, pre_tokenizer: preTokenizer, model }: TokenizerJson): CutRule {
  if (model.merges === undefined) return 'none';
  if (preTokenizer !== null) return (normalizer === null || normalizer.type === 'NFC') && splitsIntoWords(preTokenizer) ? 'words' : 'none';
  return model.byte_fallback === true && '<0x0A>' in model.vocab && noMergeEntersAWord(model.merges) ? METASPACE : 'none';
}

function splitsIntoWords(preTokenizer: PreTokenizerJson): boolean {
  const steps = preTokenizer.type === 'Sequence' ? (preTokenizer.pretokenizers ?? []) : [preTokenizer];
  const known = steps.every(({ type, pattern, behavior, invert, add_prefix_space: addPrefixSpace }) =>
    type === 'Digits' || (type === 'ByteLevel' && addPrefixSpace === false) || (type === 'Split' && behavior === 'Isolated' && invert !== true && SPLITTING_PATTERNS.has(pattern?.Regex ?? '')));
  // Without a splitting pattern the pieces are whole texts, and merges may cross spaces.
  const splits = steps.some(({ type, use_regex: useRegex }) => type === 'Split' || (type === 'ByteLevel' && useRegex !== false));
  return known && splits;
}

/** With no pre-tokenizer, words stay apart only if no merge joins the end of one to the ▁ that begins the next, and lines if none joins a line break. */
function noMergeEntersAWord(merges: readonly (string | readonly [string, string])[]): boolean {
  return merges.every((merge) => {
    const [left, right] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
    return left === undefined || right === undefined || (!left.includes('\n') && !right.includes('\n') && (left.endsWith(METASPACE) || !right.startsWith(METASPACE)));
  });
}

/** Normalised text -> pieces whose concatenation is the text. */
export function cutWords(text: string, rule: 'words' | '▁'): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let i = 1; i < text.length; i++) {
    if (!(rule === 'words' ? wordBegins(text, i) : wordOrLineBegins(text, i))) continue;
    pieces.push(text.slice(start, i));
    start = i;
  }
  if (start < text.length) pieces.push(text.slice(start));
  return pieces;
}

const wordOrLineBegins = (text: string, i: number): boolean =>
  (text[i] === METASPACE && text[i - 1] !== METASPACE) || text[i] === '\n' || text[i - 1] === '\n';

/**
 * True only where every pattern of SPLITTING_PATTERNS ends a piece, whatever stands further left or right: before a lone space, after a lone line
 * break, on both sides of a number, and after a word before punctuation. Runs of whitespace stay whole, their split depends on what follows.
 */
function wordBegins(text: string, i: number): boolean {
  const before = classOf(text.charCodeAt(i - 1));
  const here = classOf(text.charCodeAt(i));
  if (here === SPACE) return before >= INK && classOf(text.charCodeAt(i + 1)) >= INK;
  if (before === NEWLINE) return here >= INK && i > 1 && classOf(text.charCodeAt(i - 2)) >= INK;
  if (before <= INK || here <= INK || before === here) return false;
  return before === DIGIT || here === DIGIT || (before === LETTER && here === PUNCTUATION);
}

const [OTHER, SPACE, NEWLINE, INK, DIGIT, LETTER, PUNCTUATION] = [0, 1, 2, 3, 4, 5, 6];

const ASCII_CLASSES = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (character === ' ') return SPACE;
  if (character === '\n') return NEWLINE;
  if (/[0-9]/u.test(character)) return DIGIT;
  if (/[A-Za-z]/u.test(character)) return LETTER;
  return /[!-~]/u.test(character) ? PUNCTUATION : OTHER;
});

/** Beyond ASCII: INK is certainly not whitespace in any definition, nothing more is known. Past the end is OTHER. */
function classOf(code: number): number {
  if (code < 128) return ASCII_CLASSES[code]!;
  const mayBeSpace = code <= 0xa0 || code === 0x1680 || code === 0x180e || (code >= 0x2000 && code < 0x2070) || code === 0x3000 || code === 0xfeff;
  return mayBeSpace || Number.isNaN(code) ? OTHER : INK;
}
