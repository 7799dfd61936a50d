/**
 * @file Bytes of a dropped file as a stream: gzip undone within bounds, encodings other than UTF-8 refused; and as text, every line end turned into \n.
 */
import { DataProblem, formatCount } from './problem.ts';

/** What importing needs of a File; a Blob with a name will do. */
export interface DataFile {
  readonly name: string;
  readonly size: number;
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  slice(start?: number, end?: number): Blob;
}

/** Sees the raw bytes of the file, in order, as they are read. */
export type OnBytes = (bytes: Uint8Array) => void;

/** A row, an element of a JSON list, or a document of a text that grows past this many characters (bytes where rows are lines) is given up. */
export const MAX_ROW_LENGTH = 16 * 2 ** 20;

/** Text of UTF-8 bytes. Invalid bytes become U+FFFD; importing warns about rows that hold one. */
export async function* decodeText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8');
  let endedInReturn = false;
  for await (const bytes of chunks) {
    const text: string = (endedInReturn ? '\r' : '') + decoder.decode(bytes, { stream: true });
    // A \r at the end of a chunk may be the first half of \r\n.
    endedInReturn = text.endsWith('\r');
    yield (endedInReturn ? text.slice(0, -1) : text).replace(/\r\n?/gu, '\n');
  }
  yield (endedInReturn ? '\n' : '') + decoder.decode();
}

/** File name without .gz, in lower case: its ending names the container. */
export const containerName = (name: string): string => name.toLowerCase().replace(/\.gz$/u, '');

export const isCompressed = (name: string): boolean => name.toLowerCase().endsWith('.gz');

const PIECE_BYTES = 2 ** 16;

/** Bytes of the file, unpacked, in small pieces. @throws DataProblem for UTF-16, and for gzip that is damaged or unpacks to too much. */
export async function* readBytes(file: DataFile, onBytes: OnBytes): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const isPacked = isCompressed(file.name);
  const bound = new ExpansionBound(file.name);
  const raw = file.stream().pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (bytes, controller) => {
      onBytes(bytes);
      bound.packed += bytes.length;
      controller.enqueue(bytes);
    },
  }));
  const reader = (isPacked ? raw.pipeThrough(new DecompressionStream('gzip')) : raw).getReader();
  let isFirst = true;
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (isPacked) bound.add(chunk.value.length);
      if (isFirst) refuseUtf16(chunk.value, file.name);
      isFirst = false;
      // Some streams give megabytes at once, and all rows of a piece are held until the next.
      for (let at = 0; at < chunk.value.length; at += PIECE_BYTES) yield chunk.value.subarray(at, at + PIECE_BYTES);
    }
  } catch (error) {
    // A file that can no longer be read fails with a DOMException, with or without gzip.
    if (!isPacked || error instanceof DOMException || error instanceof DataProblem) throw error;
    throw new DataProblem({
      file: file.name, what: 'the gzip stream is damaged or cut short', stillHolds: 'Nothing was imported.', suggestion: 'Choose another file.',
    });
  } finally {
    // Lets the file go where reading stopped early; after an error it would only repeat that error.
    reader.cancel().catch(() => {});
  }
}

/** Deflate can reach 1,032 to 1; text that people write packs 3 to 20 times smaller, repetitive tables some 50. */
const MAX_RATIO = 200;
/** Below this many unpacked bytes no ratio harms. */
const HARMLESS = 16 * 2 ** 20;
const MAX_UNPACKED = 4 * 2 ** 30;

/** Watches what a gzip stream unpacks to, so that a small file cannot fill the disk. */
export class ExpansionBound {
  /** Bytes read from the file. The reader runs a little ahead of what is unpacked, which makes the ratio milder by less than a chunk. */
  packed = 0;
  #unpacked = 0;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws DataProblem where `bytes` more are too many. */
  add(bytes: number): void {
    this.#unpacked += bytes;
    const isBomb = this.#unpacked > HARMLESS && this.#unpacked > MAX_RATIO * this.packed;
    if (!isBomb && this.#unpacked <= MAX_UNPACKED) return;
    throw new DataProblem({
      file: this.#file,
      what: `the gzip stream unpacks to too much: ${formatCount(this.packed)} bytes gave ${formatCount(this.#unpacked)} so far; at most ${isBomb ? `${MAX_RATIO} times as many` : `${formatCount(MAX_UNPACKED)} bytes`} are read`,
      stillHolds: 'Nothing was imported.',
      suggestion: 'Unpack it, and choose a part of it.',
    });
  }
}

function refuseUtf16(bytes: Uint8Array, file: string): void {
  if (bytes.length < 2 || !((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))) return;
  throw new DataProblem({ file, what: 'the text is encoded as UTF-16', stillHolds: 'Nothing was imported.', suggestion: 'Save it as UTF-8 and choose it again.' });
}
