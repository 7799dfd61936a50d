/**
 * @file Normalizers of tokenizer.json: text -> the text that is cut and merged. @huggingface/tokenizers 0.2 has them; those done here differ in
 * it from the Rust library: Lowercase takes characters one by one (no final sigma), Strip takes Unicode's spaces, Replace puts in no "$&".
 */
import { SequenceNormalizer } from '@huggingface/tokenizers';
import { patternOf } from './preTokenizer.ts';

export interface NormalizerJson {
  readonly type: string;
  readonly normalizers?: readonly NormalizerJson[];
  readonly prepend?: string;
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly content?: string;
  readonly strip_left?: boolean;
  readonly strip_right?: boolean;
}

export type Normalizer = (text: string) => string;

/** @throws FormatError or the library's error, naming a type that is not known. */
export function normalizerOf(json: NormalizerJson | null): Normalizer {
  switch (json?.type) {
    case undefined:
      return (text) => text;
    case 'Sequence': {
      const steps = (json?.normalizers ?? []).map(normalizerOf);
      return (text) => steps.reduce((normalized, step) => step(normalized), text);
    }
    case 'Prepend':
      return (text) => (text === '' ? '' : (json?.prepend ?? '') + text);
    case 'Lowercase':
      return (text) => Array.from(text, (character) => character.toLowerCase()).join('');
    case 'Strip': {
      const left = json?.strip_left === true ? /^\p{White_Space}+/u : /^/u;
      const right = json?.strip_right === true ? /\p{White_Space}+$/u : /$/u;
      return (text) => text.replace(left, '').replace(right, '');
    }
    case 'Replace': {
      const pattern = patternOf(json?.pattern ?? {}, 'normalizer');
      const content = json?.content ?? '';
      return (text) => text.replaceAll(pattern, () => content);
    }
    default: {
      const normalizer = new SequenceNormalizer({ type: 'Sequence', normalizers: [json as never] });
      return (text) => normalizer.normalize(text);
    }
  }
}

/** The same, for text that goes on from other text: nothing is put in front of it. */
export function withoutPrepend(json: NormalizerJson | null): NormalizerJson | null {
  if (json === null || json.type === 'Prepend') return null;
  return json.normalizers === undefined ? json : { ...json, normalizers: json.normalizers.flatMap((step) => withoutPrepend(step) ?? []) };
}
