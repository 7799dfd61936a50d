/**
 * @file One file from the Hub into the cache: goes on at the byte where the last try stopped, hashes while it streams, tries again after network
 * errors, and keeps the file only if its hash is right.
 *
 * A Range of the form `bytes=N-` needs no CORS preflight (Fetch standard, "CORS-safelisted request-header"), which the storage behind the Hub does not
 * answer; If-Range would need one. It is not missed: files are asked for by commit and checked by hash.
 */
import type { Appender } from '../storage/directory.ts';
import { StorageFullError } from '../storage/directory.ts';
import type { ModelCache, ModelFile } from '../storage/modelCache.ts';
import { FormatError } from './formatError.ts';
import { Sha256 } from './sha256.ts';

/** `waiting`: another tab downloads the same file. `verifying`: hashing what an earlier visit has stored. */
export type DownloadPhase = 'waiting' | 'reading cache' | 'verifying' | 'downloading';

interface Connection {
  readonly fetch: typeof globalThis.fetch;
  readonly signal?: AbortSignal;
}

export interface FileDownload {
  readonly url: string;
  readonly file: ModelFile;
  readonly source: Connection & { readonly cache: ModelCache };
  readonly onProgress: (phase: DownloadPhase, bytes: number) => void;
  /** The error for an answer that trying again does not change. */
  readonly refuse: (response: Response) => FormatError;
}

/** Pauses between tries, in milliseconds; a try that gets further than any before starts the row again. */
const PAUSES = [500, 1000, 2000, 4000, 8000];
/** A connection that brings nothing for so long counts as broken, in milliseconds. */
const STALL = 30_000;
/** Progress is told at most so often, in milliseconds. */
const TELL_EVERY = 100;

/** The network failed in a way that another try may mend. */
class Interruption extends Error {
  override readonly name = 'Interruption';
}

/**
 * The file from the cache, or downloaded into it.
 * @throws FormatError | StorageFullError | the signal's reason. What has arrived stays in the cache, unless it is wrong.
 */
export async function downloadFile(download: FileDownload): Promise<Blob> {
  const { file, source: { cache, signal }, onProgress } = download;
  const stored = await cache.file(file);
  if (stored) {
    onProgress('reading cache', file.bytes);
    return stored;
  }
  onProgress('waiting', 0);
  return cache.exclusively(file, signal, async () => {
    // Another tab may have finished it meanwhile.
    const finished = await cache.file(file);
    if (!finished) {
      await receiveAll(download);
      await cache.complete(file);
    }
    onProgress(finished ? 'reading cache' : 'downloading', file.bytes);
    return finished ?? (await cache.file(file))!;
  });
}

/** Leaves the part complete, closed and verified. */
async function receiveAll(download: FileDownload): Promise<void> {
  const { file, source: { cache, signal }, onProgress } = download;
  const digest = new Digest(file);
  const before = await cache.part(file);
  if (before && before.size <= file.bytes) await rehash(before, digest, onProgress, signal);
  const part = await cache.append(file);
  try {
    if (part.bytes !== digest.length) {
      part.restart();
      digest.restart();
    }
    let failures = 0;
    let furthest = part.bytes;
    while (part.bytes < file.bytes) {
      try {
        await receive(download, part, digest);
      } catch (error) {
        if (error instanceof StorageFullError) throw new StorageFullError(file.bytes - part.bytes, error.free);
        if (!(error instanceof Interruption)) throw error;
        failures = part.bytes > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, part.bytes);
        if (failures > PAUSES.length) {
          throw new FormatError(file.path, `byte ${part.bytes} of ${file.bytes}`, `the connection breaks (${error.message}). What has arrived is kept; try again, and the download goes on from there`);
        }
        await pause(PAUSES[failures - 1]!, signal);
      }
    }
  } finally {
    part.close();
  }
  const isRight = part.bytes === file.bytes && (await digest.matches(await cache.part(file)));
  if (isRight) return;
  await cache.discard(file);
  throw new FormatError(file.path, '', `its contents do not match their ${digest.kind}: the download was damaged on the way, or the file is not what the Hub lists. It was deleted; open the model again to download it afresh`);
}

async function rehash(part: Blob, digest: Digest, onProgress: FileDownload['onProgress'], signal: AbortSignal | undefined): Promise<void> {
  const tell = throttled(onProgress);
  for await (const piece of piecesOf(part.stream())) {
    signal?.throwIfAborted();
    digest.update(piece);
    tell('verifying', digest.length);
  }
}

/** One answer of the server, from where the part ends. @throws Interruption when it ends early */
async function receive({ url, file, source, onProgress, refuse }: FileDownload, part: Appender, digest: Digest): Promise<void> {
  const { signal } = source;
  onProgress('downloading', part.bytes);
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(), STALL);
  const either = signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal;
  try {
    const response = await request({ ...source, signal: either }, url, part.bytes > 0 ? { Range: `bytes=${part.bytes}-` } : {});
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/u.exec(response.headers.get('Content-Range') ?? '');
    // Not every server lets a page read Content-Range; the hash tells in the end.
    const continues = response.status === 206 && (range === null || (Number(range[1]) === part.bytes && (range[2] === '*' || Number(range[2]) === file.bytes)));
    if (!response.ok && response.status !== 416) throw refuse(response);
    if (!continues && part.bytes > 0) {
      part.restart();
      digest.restart();
      // Another part than the one asked for: the next try asks for all of it.
      if (response.status !== 200) throw new Interruption(`the server answered ${response.status} with another range`);
    }
    const tell = throttled(onProgress);
    for await (const piece of piecesOf(response.body!)) {
      clearTimeout(timer);
      if (part.bytes + piece.length > file.bytes) {
        part.restart();
        throw new FormatError(file.path, '', `is longer than the ${file.bytes} bytes that the Hub lists. It was deleted; try again later`);
      }
      part.write(piece);
      digest.update(piece);
      tell('downloading', part.bytes);
      timer = setTimeout(() => stalled.abort(), STALL);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (stalled.signal.aborted) throw new Interruption(`nothing came for ${STALL / 1000} s`);
    throw error;
  } finally {
    clearTimeout(timer);
    stalled.abort();
  }
  if (part.bytes < file.bytes) throw new Interruption(`the answer ended after ${part.bytes} bytes`);
}

/** Reads a stream; what breaks it is an interruption. */
async function* piecesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const reader = stream.getReader();
  const next = async (): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> => {
    try {
      return await reader.read();
    } catch (error) {
      throw asInterruption(error);
    }
  };
  try {
    for (let chunk = await next(); !chunk.done; chunk = await next()) yield chunk.value;
  } finally {
    // Lets the connection go where reading stopped early; after an error it would only repeat that error.
    reader.cancel().catch(() => {});
  }
}

/** @throws Interruption when there is no answer, or one that asks to come back later */
async function request({ fetch, signal }: Connection, url: string, headers: Record<string, string>): Promise<Response> {
  let response: Response;
  try {
    // The cache is ours; the browser's own would hold everything twice.
    response = await fetch(url, { headers, ...(signal ? { signal } : {}), referrerPolicy: 'no-referrer', credentials: 'omit', cache: 'no-store' });
  } catch (error) {
    throw asInterruption(error);
  }
  if (response.status === 408 || response.status === 429 || response.status >= 500) {
    response.body?.cancel().catch(() => {});
    throw new Interruption(`the server answered ${response.status}`);
  }
  return response;
}

/**
 * An answer that needs no resuming.
 * @throws Error when there is none after `tries` more tries; the signal's reason
 */
export async function requestWithRetries(connection: Connection, url: string, headers: Record<string, string>, tries = 2): Promise<Response> {
  for (let failures = 0; ; failures++) {
    try {
      return await request(connection, url, headers);
    } catch (error) {
      connection.signal?.throwIfAborted();
      if (failures >= tries) throw error;
      await pause(PAUSES[failures]!, connection.signal);
    }
  }
}

const asInterruption = (error: unknown): Interruption => new Interruption(error instanceof Error ? error.message : String(error), { cause: error });

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      fail(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      done();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function throttled(tell: FileDownload['onProgress']): FileDownload['onProgress'] {
  let last = 0;
  return (phase, bytes) => {
    const now = performance.now();
    if (now - last < TELL_EVERY) return;
    last = now;
    tell(phase, bytes);
  };
}

/** The hash of a file as the Hub lists it: SHA-256 while it streams for large files, the SHA-1 of a git blob at the end for small ones. */
class Digest {
  /** Bytes hashed. */
  length = 0;
  readonly kind: 'SHA-256' | 'git hash';
  readonly #expected: string;
  #sha256 = new Sha256();

  constructor({ digest }: ModelFile) {
    this.kind = digest.startsWith('sha256-') ? 'SHA-256' : 'git hash';
    this.#expected = digest.slice(digest.indexOf('-') + 1);
  }

  update(piece: Uint8Array): void {
    this.length += piece.length;
    if (this.kind === 'SHA-256') this.#sha256.update(piece);
  }

  restart(): void {
    this.length = 0;
    this.#sha256 = new Sha256();
  }

  async matches(contents: Blob | undefined): Promise<boolean> {
    if (this.kind === 'SHA-256') return this.#sha256.hex() === this.#expected;
    if (!contents) return false;
    const blob = await new Blob([`blob ${contents.size}\0`, contents]).arrayBuffer();
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-1', blob));
    return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('') === this.#expected;
  }
}
