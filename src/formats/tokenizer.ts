/**
 * @file The tokenizer of a model folder: text to ids and back, the ids with a meaning, and tokens as text for the eye.
 */
import { BYTE_OF_STAND_IN } from './byteLevel.ts';
import { FormatError } from './formatError.ts';
import { encoderOf, readParts, specialTokensAround } from './tokenizerParts.ts';
import type { TokenizerJson } from './wordPieces.ts';

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
  /**
   * Text -> ids. Special tokens that stand in the text are recognised.
   * `addSpecialTokens` adds what tokenizer.json puts around a text; `continues` says that the text goes on from one encoded before, so that
   * no ▁ comes in front of it where the tokenizer begins texts with one.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean; continues?: boolean }): number[];
  /** Ids -> text. Bytes that are no UTF-8 become U+FFFD; spaces are left as they are. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** One token for display: its text, or its bytes as <0xE2> where they are part of a character only. */
  tokenText(id: number): string;
  isSpecial(id: number): boolean;
  tokenToId(token: string): number | undefined;
}

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
  try {
    return assemble(tokenizerJson, tokenizerConfig, generationConfig);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError('tokenizer.json', '', `it is of a kind that is not known, or broken (${error instanceof Error ? error.message : String(error)})`);
  }
}

function assemble(tokenizerJson: TokenizerJson, tokenizerConfig: Readonly<Record<string, unknown>>, generationConfig: Readonly<Record<string, unknown>>): Tokenizer {
  const parts = readParts(tokenizerJson);
  const { model, tokenOf, idOf } = parts;

  const addedTokens = new Map((tokenizerJson.added_tokens ?? []).map((token) => [token.id, token]));
  const idOfConfigured = (key: string): number | undefined => {
    const content = tokenContent(tokenizerConfig[key]);
    return content === undefined ? undefined : idOf(content);
  };
  const ownEos = idOfConfigured('eos_token');
  const stopIds = eosIds(generationConfig['eos_token_id']) ?? (ownEos === undefined ? [] : [ownEos]);
  const eosTokenIds = ownEos !== undefined && stopIds.includes(ownEos) ? [ownEos, ...stopIds.filter((id) => id !== ownEos)] : stopIds;
  const bosTokenId = idOfConfigured('bos_token');
  const encodeText = encoderOf(tokenizerJson, parts);
  const [before, after] = specialTokensAround(parts);
  const tokenBytes = byteReader(tokenizerJson);

  return {
    vocabSize: model.vocab.length,
    eosTokenIds,
    bosTokenId,
    addsBos: bosTokenId !== undefined && before[0] === bosTokenId,
    padTokenId: idOfConfigured('pad_token') ?? eosTokenIds[0] ?? 0,
    encode: (text, { addSpecialTokens = false, continues = false } = {}) =>
      addSpecialTokens ? [...before, ...encodeText(text, continues), ...after] : encodeText(text, continues),
    decode: (ids, { skipSpecialTokens = false } = {}) =>
      // An embedding has more rows than there are tokens; such ids are no text.
      parts.decode(Array.from(ids).flatMap((id) => (skipSpecialTokens && addedTokens.get(id)?.special === true ? [] : (parts.tokenInText(id) ?? [])))),
    tokenText: (id) => {
      const token = tokenOf(id);
      if (token === undefined) return `<${id}>`;
      return addedTokens.has(id) ? token : readableBytes(tokenBytes(token));
    },
    isSpecial: (id) => addedTokens.get(id)?.special ?? false,
    tokenToId: idOf,
  };
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
