/**
 * @file The tokenizer of a model folder: @huggingface/tokenizers, a cache of words in front of it, and tokens as text for the eye.
 */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { FormatError } from './formatError.ts';
import { cutRuleOf, cutWords } from './wordPieces.ts';
import type { PreTokenizerJson, TokenizerJson } from './wordPieces.ts';

export interface Tokenizer {
  /** Number of ids, special and added tokens included; the embedding may have more rows. */
  readonly vocabSize: number;
  /** Any of these ends a generation. The first one ends a training example: the tokenizer's own, where generations stop at it. */
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | undefined;
  /** Whether the model was trained on texts that begin with bosTokenId, as tokenizer.json says. */
  readonly addsBos: boolean;
  /** Fills the unused end of a batch row; never trained, whatever it is. */
  readonly padTokenId: number;
  /** Text -> ids. Special tokens that stand in the text are recognised. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** Ids -> text. Bytes that are no UTF-8 become U+FFFD; spaces are left as they are. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** One token for display: its text, or its bytes as <0xE2> where they are part of a character only. */
  tokenText(id: number): string;
  isSpecial(id: number): boolean;
  tokenToId(token: string): number | undefined;
}

const WORD_CACHE_SIZE = 200_000;

/**
 * @param tokenizerJson parsed tokenizer.json.
 * @param tokenizerConfig parsed tokenizer_config.json, `{}` without one.
 * @param generationConfig parsed generation_config.json: its eos_token_id (a number or a list) decides when to stop.
 * @throws FormatError when tokenizer.json is not one, or is of a kind the library does not know.
 */
export function loadTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: Readonly<Record<string, unknown>> = {},
  generationConfig: Readonly<Record<string, unknown>> = {},
): Tokenizer {
  if (!isTokenizerJson(tokenizerJson)) throw new FormatError('tokenizer.json', 'model', 'there is no model with a vocabulary in it');
  let library: LibraryTokenizer;
  try {
    library = new LibraryTokenizer({ ...tokenizerJson, pre_tokenizer: withAllDigits(tokenizerJson.pre_tokenizer) }, tokenizerConfig);
  } catch (error) {
    throw new FormatError('tokenizer.json', '', error instanceof Error ? error.message : String(error));
  }
  const { model } = library;
  if (model === null) throw new FormatError('tokenizer.json', 'model', 'it could not be read');

  const addedTokens = library.get_added_tokens_decoder();
  const idOfConfigured = (key: string): number | undefined => {
    const content = tokenContent(tokenizerConfig[key]);
    return content === undefined ? undefined : library.token_to_id(content);
  };
  const ownEos = idOfConfigured('eos_token');
  const stopIds = eosIds(generationConfig['eos_token_id']) ?? (ownEos === undefined ? [] : [ownEos]);
  const eosTokenIds = ownEos !== undefined && stopIds.includes(ownEos) ? [ownEos, ...stopIds.filter((id) => id !== ownEos)] : stopIds;
  const bosTokenId = idOfConfigured('bos_token');
  const encodeText = wordCachedEncoder(library, tokenizerJson, tokenizerConfig);
  const tokenBytes = byteReader(tokenizerJson);

  return {
    vocabSize: model.vocab.length,
    eosTokenIds,
    bosTokenId,
    addsBos: bosTokenId !== undefined && library.encode('', { add_special_tokens: true }).ids[0] === bosTokenId,
    padTokenId: idOfConfigured('pad_token') ?? eosTokenIds[0] ?? 0,
    encode: (text, { addSpecialTokens = false } = {}) =>
      addSpecialTokens ? library.encode(text, { add_special_tokens: true }).ids : encodeText(text),
    decode: (ids, { skipSpecialTokens = false } = {}) =>
      // The library refuses an empty list, and by default deletes the space before punctuation.
      ids.length === 0 ? '' : library.decode(Array.from(ids), { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false }),
    tokenText: (id) => {
      const token = library.id_to_token(id);
      if (token === undefined) return `<${id}>`;
      return addedTokens.has(id) ? token : readableBytes(tokenBytes(token));
    },
    isSpecial: (id) => addedTokens.get(id)?.special ?? false,
    tokenToId: (token) => library.token_to_id(token),
  };
}

/**
 * The Rust library's Digits splits at every numeric character, @huggingface/tokenizers 0.2 at decimal digits only: SmolLM2 would get other tokens
 * for " ¾" and "x²". The same split, spelled as a pattern, agrees.
 */
function withAllDigits(preTokenizer: PreTokenizerJson | null): PreTokenizerJson | null {
  if (preTokenizer?.type === 'Digits') {
    return { type: 'Split', pattern: { Regex: preTokenizer.individual_digits === true ? '\\p{N}' : '\\p{N}+' }, behavior: 'Isolated', invert: false };
  }
  const steps = preTokenizer?.pretokenizers;
  return preTokenizer === null || steps === undefined ? preTokenizer : { ...preTokenizer, pretokenizers: steps.map((step) => withAllDigits(step)!) };
}

function wordCachedEncoder(library: LibraryTokenizer, json: TokenizerJson, config: Readonly<Record<string, unknown>>): (text: string) => number[] {
  const rule = cutRuleOf(json, config);
  const { model, normalizer, pre_tokenizer: preTokenizer } = library;
  if (rule === 'none' || model === null) return (text) => library.encode(text, { add_special_tokens: false }).ids;

  const encodeWord = (word: string): number[] => {
    const pieces = preTokenizer === null ? [word] : preTokenizer(word);
    return model(pieces).map((token) => library.token_to_id(token)).filter((id) => id !== undefined);
  };
  const cache = new Map<string, number[]>();
  const addedTokens = new Map((json.added_tokens ?? []).filter(({ content }) => content !== '').map(({ content, id }) => [content, id]));
  const sections = splitterOf([...addedTokens.keys()]);

  return (text) => {
    const ids: number[] = [];
    for (const section of sections(text)) {
      const added = addedTokens.get(section);
      if (added !== undefined) {
        ids.push(added);
        continue;
      }
      const normalized = normalizer === null ? section : normalizer(section);
      for (const word of cutWords(normalized, rule)) {
        let wordIds = cache.get(word);
        if (wordIds === undefined) {
          wordIds = encodeWord(word);
          if (cache.size >= WORD_CACHE_SIZE) cache.clear();
          cache.set(word, wordIds);
        }
        for (const id of wordIds) ids.push(id);
      }
    }
    return ids;
  };
}

/** Splits text at the added tokens, the longest first where two begin at one place; no empty sections. */
function splitterOf(contents: string[]): (text: string) => string[] {
  if (contents.length === 0) return (text) => (text === '' ? [] : [text]);
  const alternatives = contents.sort((a, b) => b.length - a.length).map((content) => content.replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&'));
  const pattern = new RegExp(`(${alternatives.join('|')})`, 'u');
  return (text) => text.split(pattern).filter((section) => section !== '');
}

/** The two spellings of bytes in a vocabulary: GPT-2's printable stand-ins, and SentencePiece's ▁ and <0x0A>. */
function byteReader(json: TokenizerJson): (token: string) => Uint8Array {
  const encoder = new TextEncoder();
  if (JSON.stringify(json.decoder).includes('"ByteLevel"')) {
    return (token) => Uint8Array.from([...token].flatMap((character) => BYTE_OF_STAND_IN.get(character) ?? [...encoder.encode(character)]));
  }
  return (token) => {
    const byte = /^<0x([0-9A-F]{2})>$/u.exec(token)?.[1];
    return byte === undefined ? encoder.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16));
  };
}

/** GPT-2's table: printable Latin-1 bytes stand for themselves, the other 68 are shifted up to U+0100 and on. */
const BYTE_OF_STAND_IN = new Map<string, number>();
for (let byte = 0, shifted = 0x100; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  BYTE_OF_STAND_IN.set(String.fromCharCode(printable ? byte : shifted++), byte);
}

function readableBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
  }
}

function eosIds(value: unknown): number[] | undefined {
  const ids = (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id));
  return ids.length === 0 ? undefined : ids;
}

/** A token of tokenizer_config.json: a string, or an object with `content`. */
function tokenContent(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content = typeof value === 'object' && value !== null && 'content' in value ? value.content : undefined;
  return typeof content === 'string' ? content : undefined;
}

function isTokenizerJson(value: unknown): value is TokenizerJson {
  if (typeof value !== 'object' || value === null || !('model' in value)) return false;
  const { model } = value;
  return typeof model === 'object' && model !== null && 'vocab' in model;
}
