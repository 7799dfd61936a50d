/**
 * @file Files that a person opened, kept between visits: each once, under the SHA-256 of its bytes, and beside them a small index of what they are. A
 * file gets its name when it is whole and its hash is known, so that whoever dies on the way leaves nothing that looks like it.
 *
 * For the tab that keeps the runs (runStore.ts): two would delete what the other still wants.
 */
import type { Directory } from './directory.ts';
import { StorageFullError } from './directory.ts';

/** What is to be kept; a Blob will do. */
export interface Readable {
  readonly size: number;
  slice(start?: number, end?: number): Blob;
}

/** SHA-256 over a stream. */
export interface Hash {
  update(bytes: Uint8Array): unknown;
  /** 64 hexadecimal digits. */
  hex(): string;
}

export interface PutOptions {
  /** Of the bytes as they were read before. */
  readonly sha256?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onName?: (sha256: string) => void;
}

/** The file is not what it was when it was opened. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';
}

const PART = '.part';
/** The index is written to one of two files, and the one before stays until the next time: a tab may die in the middle. */
const INDEX = ['index.0', 'index.1'] as const;
const PIECE = 2 ** 22;

export class FileStore {
  #generation = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly directory: Directory,
    private readonly newHash: () => Hash,
  ) {}

  static async open(directory: Directory, newHash: () => Hash): Promise<FileStore> {
    for (const { name } of await directory.list()) if (name.endsWith(PART)) await directory.remove(name);
    return new FileStore(directory, newHash);
  }

  /** SHA-256 of all files that are here. */
  async list(): Promise<string[]> {
    return (await this.directory.list()).map(({ name }) => name).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  read(sha256: string): Promise<Blob | undefined> {
    return this.directory.read(sha256);
  }

  /** Bytes that the browser still gives this page, once room was looked for `wanted` of them. */
  async free(wanted: number): Promise<number> {
    await this.directory.makeRoom?.(wanted);
    const { usage, quota } = await this.directory.estimate();
    return Math.max(0, quota - usage);
  }

  /**
   * Keeps a file, a few megabytes in memory at a time, and returns its SHA-256, which `onName` is told before there is a file of that name. Does nothing
   * more where `sha256` says that it is here already.
   * @throws StorageFullError; FileChangedError where its bytes are not those of `sha256`; the signal's reason. Nothing is left of it then
   */
  async put(file: Readable, { sha256, signal, onName }: PutOptions = {}): Promise<string> {
    if (sha256 !== undefined) onName?.(sha256);
    if (sha256 !== undefined && (await this.directory.read(sha256))) return sha256;
    const free = await this.free(file.size);
    if (file.size > free) throw new StorageFullError(file.size, free);
    const part = crypto.randomUUID() + PART;
    const hash = this.newHash();
    const out = await this.directory.append(part);
    try {
      for (let at = 0; at < file.size; at += PIECE) {
        const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
        signal?.throwIfAborted();
        hash.update(piece);
        out.write(piece);
      }
    } catch (error) {
      out.close();
      await this.directory.remove(part);
      throw error;
    }
    out.close();
    const found = hash.hex();
    return this.#inTurn(async () => {
      if (sha256 !== undefined && found !== sha256) {
        await this.directory.remove(part);
        throw new FileChangedError('Its contents have changed since it was opened.');
      }
      onName?.(found);
      if (await this.directory.read(found)) await this.directory.remove(part);
      else await this.directory.rename(part, found);
      return found;
    });
  }

  remove(sha256: string): Promise<void> {
    return this.#inTurn(() => this.directory.remove(sha256));
  }

  /** What `writeIndex` wrote last; undefined where nothing was, or nothing of it can be read. */
  readIndex(): Promise<unknown> {
    return this.#inTurn(async () => {
      const read = await Promise.all(INDEX.map(async (name) => parseIndex(await (await this.directory.read(name))?.text())));
      const newest = read.reduce((best, one) => ((one?.generation ?? 0) > (best?.generation ?? 0) ? one : best), undefined);
      this.#generation = newest?.generation ?? 0;
      return newest?.index;
    });
  }

  /** To be called after `readIndex`. @throws StorageFullError; the index is as it was then */
  writeIndex(index: object): Promise<void> {
    return this.#inTurn(async () => {
      const generation = this.#generation + 1;
      const out = await this.directory.append(INDEX[generation % 2]!);
      try {
        out.restart();
        out.write(new TextEncoder().encode(JSON.stringify({ generation, index })));
      } finally {
        out.close();
      }
      this.#generation = generation;
    });
  }

  /** One after the other: a file has one writer. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function parseIndex(text: string | undefined): { readonly generation: number; readonly index: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null && 'generation' in value && typeof value.generation === 'number' && 'index' in value ? { generation: value.generation, index: value.index } : undefined;
  } catch {
    // Cut off when the tab died.
    return undefined;
  }
}
