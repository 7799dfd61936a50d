/**
 * @file Bytes of a dropped file as a stream of text: gzip undone, byte-order mark removed, every line end turned into \n.
 */
import { DataProblem } from './problem.ts';

/** What importing needs of a File; a Blob with a name will do. */
export interface DataFile {
  readonly name: string;
  readonly size: number;
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Sees the raw bytes of the file, in order, as they are read. */
export type OnBytes = (bytes: Uint8Array) => void;

/** @throws DataProblem for another encoding or damaged gzip. */
export async function* readText(file: DataFile, onBytes: OnBytes): AsyncGenerator<string, void> {
  // Invalid UTF-8 becomes U+FFFD; importing warns about rows that hold one.
  const decoder = new TextDecoder('utf-8');
  let isFirst = true;
  let endedInReturn = false;
  for await (const bytes of readBytes(file, onBytes)) {
    if (isFirst && bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))) {
      throw new DataProblem({
        file: file.name, what: 'the text is encoded as UTF-16', stillHolds: 'Nothing was imported.', suggestion: 'Save it as UTF-8 and choose it again.',
      });
    }
    isFirst = false;
    const text: string = (endedInReturn ? '\r' : '') + decoder.decode(bytes, { stream: true });
    // A \r at the end of a chunk may be the first half of \r\n.
    endedInReturn = text.endsWith('\r');
    yield (endedInReturn ? text.slice(0, -1) : text).replace(/\r\n?/gu, '\n');
  }
  yield (endedInReturn ? '\n' : '') + decoder.decode();
}

/** File name without .gz, in lower case: its ending names the container. */
export const containerName = (name: string): string => name.toLowerCase().replace(/\.gz$/u, '');

async function* readBytes(file: DataFile, onBytes: OnBytes): AsyncGenerator<Uint8Array, void> {
  const raw = file.stream().pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (bytes, controller) => {
      onBytes(bytes);
      controller.enqueue(bytes);
    },
  }));
  const isCompressed = file.name.toLowerCase().endsWith('.gz');
  const reader = (isCompressed ? raw.pipeThrough(new DecompressionStream('gzip')) : raw).getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
  } catch (error) {
    // A file that can no longer be read fails with a DOMException, with or without gzip.
    if (!isCompressed || error instanceof DOMException) throw error;
    throw new DataProblem({
      file: file.name, what: 'the gzip stream is damaged or cut short', stillHolds: 'Nothing was imported.', suggestion: 'Choose another file.',
    });
  } finally {
    // Lets the file go where reading stopped early; after an error it would only repeat that error.
    reader.cancel().catch(() => {});
  }
}
