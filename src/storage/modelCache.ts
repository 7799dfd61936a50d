/**
 * @file Models from the Hub, kept between visits: each file once, under the hash of its contents, and beside them one small list per model of what
 * belongs to it. A file gets its final name only after its hash was right; until then it is a part that the next download goes on from.
 */
import type { Appender, Directory } from './directory.ts';
import { FileInUseError, StorageFullError } from './directory.ts';

export interface ModelFile {
  /** Inside the repository. */
  readonly path: string;
  readonly bytes: number;
  /** `sha256-` or `git-` (SHA-1 of the git blob), then hexadecimal digits. */
  readonly digest: string;
}

/** A repository at a commit. */
export interface ModelRecord {
  readonly repo: string;
  /** The branch, tag or commit that was asked for. */
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly ModelFile[];
}

export interface StoredModel extends ModelRecord {
  /** Milliseconds since 1970. */
  readonly lastUse: number;
  /** Bytes of all its files, and of those that are here, parts included. */
  readonly bytes: number;
  readonly storedBytes: number;
  /** Whether every file is here. */
  readonly complete: boolean;
}

export interface Space {
  readonly usage: number;
  readonly quota: number;
  readonly free: number;
}

const PART = '.part';
const RECORD = '.json';

export class ModelCache {
  constructor(
    private readonly directory: Directory,
    private readonly now: () => number = Date.now,
  ) {}

  /** All models, the last used first. */
  async list(): Promise<StoredModel[]> {
    const sizes = new Map((await this.directory.list()).map(({ name, bytes }) => [name, bytes]));
    const models: StoredModel[] = [];
    for (const name of sizes.keys()) {
      const record = name.endsWith(RECORD) ? await this.#readRecord(name) : undefined;
      if (!record) continue;
      const stored = (file: ModelFile): number => sizes.get(file.digest) ?? sizes.get(file.digest + PART) ?? 0;
      models.push({
        ...record,
        bytes: sum(record.files, ({ bytes }) => bytes),
        storedBytes: sum(record.files, stored),
        complete: record.files.every(({ digest }) => sizes.has(digest)),
      });
    }
    return models.sort((a, b) => b.lastUse - a.lastUse);
  }

  /** What is known of a repository at a branch, tag or commit since it was last listed. */
  async find(repo: string, revision: string): Promise<StoredModel | undefined> {
    return (await this.list()).find((model) => model.repo === repo && (model.revision === revision || model.commit === revision));
  }

  /** Notes that a model is used now. To be called before its files are downloaded: a file without a record is nobody's. */
  async record({ repo, revision, commit, files }: ModelRecord): Promise<void> {
    await this.#replace(recordName(repo, commit), JSON.stringify({ repo, revision, commit, files, lastUse: this.now() }));
  }

  /** A complete file. */
  async file({ digest, bytes }: ModelFile): Promise<Blob | undefined> {
    const blob = await this.directory.read(digest);
    return blob?.size === bytes ? blob : undefined;
  }

  /** What there is of a file that is not complete. */
  part({ digest }: ModelFile): Promise<Blob | undefined> {
    return this.directory.read(digest + PART);
  }

  /** Goes on writing the part. */
  append({ digest }: ModelFile): Promise<Appender> {
    return this.directory.append(digest + PART);
  }

  /** Makes a closed part whose hash is right the file. */
  complete({ digest }: ModelFile): Promise<void> {
    return this.directory.rename(digest + PART, digest);
  }

  discard({ digest }: ModelFile): Promise<void> {
    return this.directory.remove(digest + PART);
  }

  /** One tab at a time downloads a file; the others wait and find it done. */
  exclusively<T>({ digest }: ModelFile, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.directory.exclusively(digest, signal, work);
  }

  /**
   * Deletes a model; files that other models have too stay.
   * @throws FileInUseError while it is being downloaded; nothing is deleted then but files that were complete
   */
  async delete({ repo, commit }: Pick<ModelRecord, 'repo' | 'commit'>): Promise<void> {
    const models = await this.list();
    const isIt = (model: ModelRecord): boolean => model.repo === repo && model.commit === commit;
    const others = new Set(models.filter((model) => !isIt(model)).flatMap(({ files }) => files.map(({ digest }) => digest)));
    for (const { digest } of models.find(isIt)?.files ?? []) {
      if (others.has(digest)) continue;
      await this.#remove(digest + PART, repo);
      await this.#remove(digest, repo);
    }
    await this.directory.remove(recordName(repo, commit));
  }

  /** Deletes everything, files that no record names included. */
  async deleteAll(): Promise<void> {
    for (const { name } of await this.directory.list()) await this.#remove(name, 'A model');
  }

  /** To be shown before a download. `quota` is the browser's promise, not the free space of the disk. */
  async space(): Promise<Space> {
    const { usage, quota } = await this.directory.estimate();
    return { usage, quota, free: Math.max(0, quota - usage) };
  }

  /** @throws StorageFullError when `needed` more bytes have no room */
  async assertRoom(needed: number): Promise<void> {
    await this.directory.makeRoom?.(needed);
    const { free } = await this.space();
    if (needed > free) throw new StorageFullError(needed, free);
  }

  async #readRecord(name: string): Promise<(ModelRecord & { lastUse: number }) | undefined> {
    try {
      return JSON.parse(await (await this.directory.read(name))!.text()) as ModelRecord & { lastUse: number };
    } catch {
      // Half written when the tab died: the model is listed again when it is opened again.
      return undefined;
    }
  }

  async #replace(name: string, text: string): Promise<void> {
    await this.directory.exclusively(name, undefined, async () => {
      const file = await this.directory.append(name);
      try {
        file.restart();
        file.write(new TextEncoder().encode(text));
      } finally {
        file.close();
      }
    });
  }

  async #remove(name: string, model: string): Promise<void> {
    try {
      await this.directory.remove(name);
    } catch (error) {
      throw error instanceof FileInUseError ? new FileInUseError(`${model} is being downloaded, perhaps in another tab; stop that first.`) : error;
    }
  }
}

const recordName = (repo: string, commit: string): string => `${encodeURIComponent(repo)}@${commit}${RECORD}`;
const sum = <T>(items: readonly T[], value: (item: T) => number): number => items.reduce((total, item) => total + value(item), 0);
