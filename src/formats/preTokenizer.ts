/**
 * @file Pre-tokenizers of tokenizer.json: text -> the pieces within which tokens are merged. @huggingface/tokenizers 0.2 translates the patterns,
 * which are Oniguruma's; the cuts are made here, because it departs from the Rust library in some: JavaScript's \s (U+FEFF is in it, U+0085 is not)
 * in ByteLevel, decimal digits only in Digits, ASCII only in Whitespace, runs in Punctuation, no cut in Metaspace, and the behaviours of Split.
 */
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { STAND_IN_OF_BYTE } from './byteLevel.ts';
import { FormatError } from './formatError.ts';

export interface PreTokenizerJson {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizerJson[];
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly individual_digits?: boolean;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly replacement?: string;
  readonly prepend_scheme?: string;
  readonly split?: boolean;
  readonly delimiter?: string;
  readonly length?: number;
}

/** `isFirst`: the piece stands at the very beginning of the text, where Metaspace may put its ▁ in front. */
export type PreTokenizer = (text: string, isFirst: boolean) => string[];

/** https://github.com/openai/gpt-2/blob/master/src/encoder.py, built into ByteLevel. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const PUNCTUATION = '[!-/:-@\\[-`{-~\\p{P}]';

/** @throws FormatError naming a type that is not known. */
export function preTokenizerOf(json: PreTokenizerJson): PreTokenizer {
  switch (json.type) {
    case 'Sequence': {
      const steps = (json.pretokenizers ?? []).map(preTokenizerOf);
      return (text, isFirst) => steps.reduce((pieces, step) => pieces.flatMap((piece, i) => step(piece, isFirst && i === 0)), [text]);
    }
    case 'Split':
      return split(json.pattern ?? {}, json.behavior ?? 'Removed', json.invert === true);
    case 'ByteLevel':
      return byteLevel(json);
    case 'Metaspace':
      return metaspace(json);
    case 'Digits':
      return split({ Regex: json.individual_digits === true ? '\\p{N}' : '\\p{N}+' }, 'Isolated');
    case 'Punctuation':
      return split({ Regex: PUNCTUATION }, json.behavior ?? 'Isolated');
    case 'Whitespace':
      return split({ Regex: '\\w+|[^\\w\\s]+' }, 'Removed', true);
    case 'WhitespaceSplit':
      return split({ Regex: '\\s' }, 'Removed');
    case 'BertPreTokenizer':
      return preTokenizerOf({ type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Punctuation' }] });
    case 'CharDelimiterSplit':
      return split({ String: json.delimiter ?? '' }, 'Removed');
    case 'FixedLength':
      return split({ Regex: `[\\s\\S]{${json.length ?? 1}}` }, 'Isolated');
    default:
      throw new FormatError('tokenizer.json', 'pre_tokenizer', `its type ${JSON.stringify(json.type)} is not known`);
  }
}

function byteLevel({ add_prefix_space: addPrefixSpace = true, use_regex: useRegex = true }: PreTokenizerJson): PreTokenizer {
  const encoder = new TextEncoder();
  const cut = useRegex ? split({ Regex: GPT2_PATTERN }, 'Isolated') : (text: string): string[] => [text];
  return (text, isFirst) => {
    const begun = addPrefixSpace && !text.startsWith(' ') ? ` ${text}` : text;
    return cut(begun, isFirst).map((piece) => Array.from(encoder.encode(piece), (byte) => STAND_IN_OF_BYTE[byte]!).join(''));
  };
}

function metaspace({ replacement = '▁', prepend_scheme: scheme, add_prefix_space: addPrefixSpace, split: cuts = true }: PreTokenizerJson): PreTokenizer {
  // Files from before prepend_scheme say the same with add_prefix_space.
  const prepends = scheme ?? (addPrefixSpace === false ? 'never' : 'always');
  const cut = cuts ? split({ String: replacement }, 'MergedWithNext') : (text: string): string[] => [text];
  return (text, isFirst) => {
    const replaced = text.replaceAll(' ', replacement);
    const begins = prepends === 'always' || (prepends === 'first' && isFirst);
    return cut(begins && !replaced.startsWith(replacement) ? replacement + replaced : replaced, isFirst);
  };
}

/**
 * Cuts at the matches of a pattern, and then: `Removed` drops them, `Isolated` keeps them as pieces, `MergedWithPrevious` and `MergedWithNext` join
 * them to what stands before or after, `Contiguous` joins those that touch. `invert` exchanges matches and what is between them.
 */
function split(pattern: { readonly Regex?: string; readonly String?: string }, behavior: string, invert = false): PreTokenizer {
  const expression = patternOf(pattern, 'pre_tokenizer');
  return (text) => {
    const pieces: string[] = [];
    let previousIsMatch = false;
    let mayJoin = false;
    const add = (piece: string, inPattern: boolean): void => {
      if (piece === '') return;
      const isMatch = inPattern !== invert;
      const joins =
        mayJoin &&
        ((behavior === 'MergedWithPrevious' && isMatch && !previousIsMatch) ||
          (behavior === 'MergedWithNext' && !isMatch && previousIsMatch) ||
          (behavior === 'Contiguous' && isMatch === previousIsMatch));
      if (joins) pieces[pieces.length - 1] += piece;
      else if (behavior !== 'Removed' || !isMatch) pieces.push(piece);
      previousIsMatch = isMatch;
      mayJoin = true;
    };
    let end = 0;
    for (const { 0: match, index } of text.matchAll(expression)) {
      add(text.slice(end, index), false);
      add(match, true);
      end = index + match.length;
    }
    add(text.slice(end), false);
    return pieces;
  };
}

/** Oniguruma's pattern, or a text to be found as it is. @throws FormatError, or the library's error where JavaScript has no such pattern. */
export function patternOf(pattern: { readonly Regex?: string; readonly String?: string }, field: string): RegExp {
  const isOne = typeof pattern.Regex === 'string' || typeof pattern.String === 'string';
  const expression = isOne ? new SplitPreTokenizer({ type: 'Split', pattern, behavior: 'Isolated', invert: true }).pattern : null;
  if (expression === null) throw new FormatError('tokenizer.json', field, 'a pattern is missing');
  return expression;
}
