/**
 * @file Large files that can be made again, kept as long as nothing else wants their room: each beside a record of what it is, the hash of its bytes
 * and when it was used last. They may fill a part of the room there is; whatever else is written comes first, and they go for it, least lately used
 * first (Directory.makeRoom).
 *
 * Tabs share the folder. What one deletes another finds missing, which is no more than having to make it again.
 */
import type { Directory } from './directory.ts';
import { FileInUseError } from './directory.ts';
import type { Hash } from './fileStore.ts';

/** A file that is kept. */
export interface CachedFile<About> {
  readonly id: string;
  readonly about: About;
  readonly bytes: number;
  /** Of its bytes as they were written. */
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly lastUse: number;
}

type Pieces = AsyncIterable<Uint8Array<ArrayBuffer>>;

/** The part of the room beside everything else that these files may take: they save time, and runs, data and models need the room for what cannot be made again. */
const SHARE = 0.2;
/** Bytes that are left free when room is made: journals and indexes are written without asking. */
const MARGIN = 2 ** 24;
/** Bytes that may be written before the browser is asked again how many are left. */
const CREDIT = 2 ** 26;
const RECORD = '.json';
const PART = '.part';

export class CacheStore<About> {
  /** Bytes that may be written elsewhere before room has to be looked for again. */
  #credit = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly directory: Directory,
    private readonly newHash: () => Hash,
    private readonly now: () => number,
  ) {}

  /** Opens the folder, and deletes what a tab that died left half written. */
  static async open<About>(directory: Directory, newHash: () => Hash, now: () => number = Date.now): Promise<CacheStore<About>> {
    const store = new CacheStore<About>(directory, newHash, now);
    const whole = new Set((await store.list()).flatMap(({ id }) => [id, id + RECORD]));
    // What another tab is writing now is in use.
    for (const { name } of await directory.list()) if (!whole.has(name)) await store.#removeUnlessInUse(name);
    return store;
  }

  /** All files, the last used first. */
  async list(): Promise<CachedFile<About>[]> {
    const sizes = new Map((await this.directory.list()).map(({ name, bytes }) => [name, bytes]));
    const files: CachedFile<About>[] = [];
    for (const name of sizes.keys()) {
      const record = name.endsWith(RECORD) ? await this.#record(name) : undefined;
      if (record && sizes.has(record.id)) files.push(record);
    }
    return files.toSorted((a, b) => b.lastUse - a.lastUse);
  }

  /** The contents, read from disk when they are asked for; used now. Undefined where the file is not there any more. */
  async use({ id }: Pick<CachedFile<About>, 'id'>): Promise<Blob | undefined> {
    const record = await this.#record(id + RECORD);
    const file = record && (await this.directory.read(id));
    if (file) await this.#inTurn(() => this.#write(id + RECORD, { ...record, lastUse: this.now() }));
    return file;
  }

  /** Bytes that a file may have to be kept. */
  async most(): Promise<number> {
    const { usage, quota } = await this.directory.estimate();
    const own = (await this.list()).reduce((sum, { bytes }) => sum + bytes, 0);
    return SHARE * Math.max(0, quota - usage + own);
  }

  /**
   * Keeps a file in place of one of the same id; others go for it where they would take too much room together.
   * @param bytes it will have, about
   * @returns whether it is kept: not where it is too large for the room there is
   * @throws what reading `pieces` throws, StorageFullError, FileInUseError; nothing is left of it then
   */
  async keep(id: string, about: About, bytes: number, pieces: Pieces): Promise<boolean> {
    const most = await this.most();
    if (bytes > most) return false;
    await this.remove(id);
    let own = bytes;
    for (const file of await this.list()) {
      own += file.bytes;
      if (own > most) await this.remove(file.id);
    }
    const part = id + PART;
    const hash = this.newHash();
    const out = await this.directory.append(part);
    let size = 0;
    try {
      out.restart();
      for await (const piece of pieces) {
        hash.update(piece);
        out.write(piece);
      }
      size = out.bytes;
    } catch (error) {
      out.close();
      await this.directory.remove(part);
      throw error;
    }
    out.close();
    this.#credit = 0;
    await this.#inTurn(async () => {
      await this.directory.rename(part, id);
      await this.#write(id + RECORD, { id, about, bytes: size, sha256: hash.hex(), lastUse: this.now() });
    });
    return true;
  }

  /** Deletes a file; whoever reads it finds the rest missing. */
  async remove(id: string): Promise<void> {
    await this.#removeUnlessInUse(id + RECORD);
    await this.#removeUnlessInUse(id);
  }

  /** Deletes files, the least lately used first, until `bytes` can be written elsewhere; none where all of them would not be enough. */
  async makeRoom(bytes: number): Promise<void> {
    if (bytes <= this.#credit) {
      this.#credit -= bytes;
      return;
    }
    const files = (await this.list()).toReversed();
    const { usage, quota } = await this.directory.estimate();
    let free = quota - usage - MARGIN;
    const enough = free + files.reduce((sum, file) => sum + file.bytes, 0) >= bytes;
    for (const file of enough ? files : []) {
      if (free >= bytes) break;
      await this.remove(file.id);
      free += file.bytes;
    }
    this.#credit = Math.max(0, Math.min(CREDIT, free - bytes));
  }

  async #record(name: string): Promise<CachedFile<About> | undefined> {
    try {
      return JSON.parse(await (await this.directory.read(name))!.text()) as CachedFile<About>;
    } catch {
      // Not there, or half written when the tab died: then nobody knows what the file is.
      return undefined;
    }
  }

  async #write(name: string, record: CachedFile<About>): Promise<void> {
    const out = await this.directory.append(name);
    try {
      out.restart();
      out.write(new TextEncoder().encode(JSON.stringify(record)));
    } finally {
      out.close();
    }
  }

  async #removeUnlessInUse(name: string): Promise<void> {
    try {
      await this.directory.remove(name);
    } catch (error) {
      if (!(error instanceof FileInUseError)) throw error;
    }
  }

  /** One after the other: a record has one writer. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
