/**
 * @file The steps of tokenizer.json in the order of the Rust library: added tokens, normalizer, pre-tokenizer, model; and back, the decoder.
 * Models, normalizers, decoders and post-processors are those of @huggingface/tokenizers; the order of steps is kept here, because a cache of
 * words stands in front of the model, and because version 0.2 knows neither single_word nor the spaces that lstrip and rstrip take along.
 */
import { ByteFallbackDecoder, MetaspaceDecoder, SequenceDecoder, Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { sectionsOf } from './addedTokens.ts';
import { FormatError } from './formatError.ts';
import { normalizerOf, withoutPrepend } from './normalizer.ts';
import type { Normalizer } from './normalizer.ts';
import { preTokenizerOf } from './preTokenizer.ts';
import type { PreTokenizer } from './preTokenizer.ts';
import { cutRuleOf, cutWords } from './wordPieces.ts';
import type { TokenizerJson } from './wordPieces.ts';

type Decoder = NonNullable<LibraryTokenizer['decoder']>;

export interface TokenizerParts {
  readonly model: NonNullable<LibraryTokenizer['model']>;
  readonly postProcessor: LibraryTokenizer['post_processor'];
  readonly preTokenizer: PreTokenizer | undefined;
  readonly normalize: Normalizer;
  /** As `normalize`, for text that goes on from other text: no ▁ in front. */
  readonly normalizeContinuing: Normalizer;
  readonly idOf: (token: string) => number | undefined;
  readonly tokenOf: (id: number) => string | undefined;
  /** What the decoder gets for an id. The Rust library keeps an added token that is normalised in that form: "▁<unk>". */
  readonly tokenInText: (id: number) => string | undefined;
  readonly decode: (tokens: string[]) => string;
}

/** @throws FormatError, or the library's error, with what is of a kind that is not known. */
export function readParts(json: TokenizerJson): TokenizerParts {
  // Files from before 2020 do not name the kind of their model.
  const model = json.model.type === undefined && json.model.merges !== undefined ? { ...json.model, type: 'BPE' } : json.model;
  const library = new LibraryTokenizer({ added_tokens: [], ...json, model, normalizer: null, pre_tokenizer: null }, {});
  if (library.model === null) throw new FormatError('tokenizer.json', 'model', 'it could not be read');
  const normalize = normalizerOf(json.normalizer);
  // Their special ones are skipped by `decode` all the same; the Rust library (0.23) leaves them in.
  const normalizedTokens = new Map(normalizedAddedTokens(json).map(({ id, content }) => [id, normalize(content)]));
  const decoder = library.decoder === null ? undefined : exactDecoder(library.decoder);
  return {
    model: library.model,
    postProcessor: library.post_processor,
    preTokenizer: json.pre_tokenizer === null ? undefined : preTokenizerOf(json.pre_tokenizer),
    normalize,
    normalizeContinuing: normalizerOf(withoutPrepend(json.normalizer)),
    idOf: (token) => library.token_to_id(token),
    tokenOf: (id) => library.id_to_token(id),
    tokenInText: (id) => normalizedTokens.get(id) ?? library.id_to_token(id),
    decode: (tokens) => (decoder === undefined ? tokens.join(' ') : decoder.decode(tokens)),
  };
}

const normalizedAddedTokens = (json: TokenizerJson): NonNullable<TokenizerJson['added_tokens']> =>
  (json.added_tokens ?? []).filter(({ normalized, special }) => normalized ?? special !== true);

const WORD_CACHE_SIZE = 200_000;
/** Longer pieces hardly come back. */
const CACHED_LENGTH = 64;

/** Text -> ids, without the special tokens around it. */
export function encoderOf(json: TokenizerJson, parts: TokenizerParts): (text: string, continues: boolean) => number[] {
  const { model, idOf, normalize, normalizeContinuing, preTokenizer } = parts;
  const rule = cutRuleOf(json);
  const later = new Set(normalizedAddedTokens(json));
  const rawSections = sectionsOf((json.added_tokens ?? []).filter((token) => !later.has(token)));
  const normalizedSections = sectionsOf([...later].map((token) => ({ ...token, content: normalize(token.content) })));

  // Without a token for what is unknown, BPE leaves out characters it has no token for before it merges the others (SmolLM2 lacks some bytes).
  const dropsUnknown = json.model.merges !== undefined && model.unk_token_id === undefined && json.model.byte_fallback !== true;
  const known = (piece: string): string => (dropsUnknown ? Array.from(piece).filter((character) => idOf(character) !== undefined).join('') : piece);
  const encodePiece = (piece: string): number[] => model([known(piece)]).flatMap((token) => idOf(token) ?? model.unk_token_id ?? []);
  const cache = new Map<string, number[]>();
  const cached = (piece: string, encode: (piece: string) => number[]): number[] => {
    if (piece.length > CACHED_LENGTH) return encode(piece);
    let ids = cache.get(piece);
    if (ids === undefined) {
      ids = encode(piece);
      if (cache.size >= WORD_CACHE_SIZE) cache.clear();
      cache.set(piece, ids);
    }
    return ids;
  };
  const encodeWord = preTokenizer === undefined ? encodePiece : (word: string): number[] => preTokenizer(word, false).flatMap(encodePiece);

  const encodeSection = (text: string, isFirst: boolean, ids: number[]): void => {
    const pieces = rule !== 'none' ? cutWords(text, rule) : preTokenizer === undefined ? [text] : preTokenizer(text, isFirst);
    const encode = rule !== 'none' ? encodeWord : encodePiece;
    for (const piece of pieces) for (const id of cached(piece, encode)) ids.push(id);
  };

  return (text, continues) => {
    const ids: number[] = [];
    for (const [i, section] of rawSections(text).entries()) {
      if (section.id !== undefined) {
        ids.push(section.id);
        continue;
      }
      const normalized = i === 0 && continues ? normalizeContinuing(section.text) : normalize(section.text);
      for (const [j, part] of normalizedSections(normalized).entries()) {
        if (part.id === undefined) encodeSection(part.text, i === 0 && j === 0 && !continues, ids);
        else ids.push(part.id);
      }
    }
    return ids;
  };
}

/** The ids that the post-processor puts before and after a text: it is given one token that no vocabulary has. */
export function specialTokensAround({ postProcessor, idOf }: TokenizerParts): [before: number[], after: number[]] {
  const text = '\0 text';
  const tokens = postProcessor === null ? [text] : postProcessor([text], null, true).tokens;
  const at = tokens.indexOf(text);
  const ids = (part: string[]): number[] => part.flatMap((token) => idOf(token) ?? []);
  return [ids(tokens.slice(0, at)), ids(tokens.slice(at + 1))];
}

/** Bytes that are no UTF-8 become one U+FFFD each, as in the Rust library; the one of version 0.2 also drops a U+FEFF at the start. */
class ExactByteFallback extends ByteFallbackDecoder {
  override decode_chain(tokens: string[]): string[] {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const decoded: string[] = [];
    let bytes: number[] = [];
    const flush = (): void => {
      if (bytes.length === 0) return;
      try {
        decoded.push(decoder.decode(Uint8Array.from(bytes)));
      } catch {
        decoded.push('\uFFFD'.repeat(bytes.length));
      }
      bytes = [];
    };
    for (const token of tokens) {
      const byte = /^<0x([0-9A-Fa-f]{2})>$/u.exec(token)?.[1];
      if (byte === undefined) {
        flush();
        decoded.push(token);
      } else {
        bytes.push(Number.parseInt(byte, 16));
      }
    }
    flush();
    return decoded;
  }
}

/** Every ▁ of the first token is one that was put in front, where any was; version 0.2 takes away one, and also where none was. */
class ExactMetaspace extends MetaspaceDecoder {
  override decode_chain(tokens: string[]): string[] {
    const prepends = !('prepend_scheme' in this.config) || this.config.prepend_scheme !== 'never';
    return tokens.map((token, i) => token.replaceAll(this.replacement, i === 0 && prepends ? '' : ' '));
  }
}

function exactDecoder(decoder: Decoder): Decoder {
  if (decoder instanceof ByteFallbackDecoder) return new ExactByteFallback({ type: 'ByteFallback' });
  if (decoder instanceof MetaspaceDecoder) return new ExactMetaspace(decoder.config as ConstructorParameters<typeof MetaspaceDecoder>[0]);
  if (decoder instanceof SequenceDecoder) decoder.decoders = decoder.decoders.map(exactDecoder);
  return decoder;
}
