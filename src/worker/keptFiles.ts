/**
 * @file What a person opened here, kept in this browser so that the page and the queue go on after a reload: data and models from files, and what of it
 * was open. A file stays as long as what is open, a run of the queue or a kept run needs it.
 */
import type { ModelFiles } from '../engine.ts';
import type { FileStore, Readable } from '../storage/fileStore.ts';
import type { Library } from './library.ts';
import type { DatasetRole, KeptFile, Precision } from './protocol.ts';
import type { QueueItem } from './queue.ts';
import type { RunHead, UsedData, UsedDatasets } from './records.ts';
import { hashOf, ROLES } from './records.ts';

/** Where the model came from that was open. */
export type ModelSource =
  | { readonly source: 'built-in' }
  /** `key` of its files among those that are kept. */
  | { readonly source: 'files'; readonly key: string; readonly name: string }
  | { readonly source: 'hub'; readonly name: string; readonly revision: string };

/** What was open. */
export interface Selection {
  readonly model: ModelSource;
  readonly precision: Precision;
  readonly data: Readonly<Record<DatasetRole, UsedData & { readonly origin: 'demo' | 'file' }>>;
  /** Tokens that rows were cut to. */
  readonly maxLength: number;
}

interface KeptData {
  readonly sha256: string;
  readonly name: string;
  readonly bytes: number;
}

interface KeptModel {
  /** `modelKey` of its files. */
  readonly key: string;
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly sha256: string; readonly bytes: number }[];
}

interface Index {
  readonly format: 1;
  readonly selection?: Selection;
  /** Visits that began to open the selection again and did not come to the end of it. */
  readonly tries: number;
  readonly data: readonly KeptData[];
  readonly models: readonly KeptModel[];
}

/** What needs files: a run that is kept or queued, or what is open. */
interface User {
  readonly model: string | undefined;
  readonly data: UsedDatasets;
}

/** Bytes of a file of data, and of all files of a model, that are kept at most. */
const MOST_DATA = 256e6;
const MOST_MODEL = 2e9;
/** The part of the free room that one of them may take: runs and their checkpoints need room too. */
const SHARE = 0.5;

const EMPTY: Index = { format: 1, tries: 0, data: [], models: [] };

/** Files without which a model would not open as it did, or would be another one. */
const isOfModel = (path: string): boolean => /\.(safetensors|json|jinja|model|txt)$/.test(path);

export class KeptFiles {
  #index: Index | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Written just now, and not yet part of a selection. */
  readonly #fresh = new Set<string>();
  /** What is open from here, not from where the person has it. */
  readonly #lent = new Set<string>();

  /** @param queued runs that are to be made */
  constructor(
    private readonly library: Library,
    private readonly queued: () => Promise<readonly QueueItem[]>,
  ) {}

  /** Keeps a file of data. Returns why it is not kept, as a sentence; rejects only with the signal's reason. */
  async keepData(file: Readable & { readonly name: string }, sha256: string, signal?: AbortSignal): Promise<string | undefined> {
    const { name, size } = file;
    const after = `After a reload ${name} has to be dropped again before runs on it go on.`;
    const onName = (): void => void this.#fresh.add(sha256);
    try {
      const store = await this.library.files();
      const large = tooLarge(name, size, MOST_DATA, (await store.read(sha256)) ? Infinity : await store.free(size / SHARE));
      if (large !== undefined) return `${large} ${after}`;
      await store.put(file, { sha256, signal, onName });
      await this.#change(store, (index) => ({ ...index, data: [...index.data.filter((other) => other.sha256 !== sha256), { sha256, name, bytes: size }] }));
      return undefined;
    } catch (error) {
      signal?.throwIfAborted();
      this.#fresh.delete(sha256);
      return `${name} is not kept in this browser. ${sentenceOf(error)} ${after}`;
    }
  }

  /** Why the files of a model will not be kept, as a sentence; undefined where there is room. */
  async refusalOfModel(name: string, files: ModelFiles): Promise<string | undefined> {
    const bytes = [...files].reduce((sum, [path, { size }]) => sum + (isOfModel(path) ? size : 0), 0);
    const after = `After a reload ${name} has to be dropped again before runs on it go on.`;
    try {
      const large = tooLarge(name, bytes, MOST_MODEL, await (await this.library.files()).free(bytes / SHARE));
      return large && `${large} ${after}`;
    } catch (error) {
      return `${name} is not kept in this browser. ${sentenceOf(error)} ${after}`;
    }
  }

  /** Keeps the files of a model. Rejects where that fails, with nothing of the model among what is kept. */
  async keepModel(key: string, name: string, files: ModelFiles): Promise<void> {
    const store = await this.library.files();
    const kept = (await this.#read(store)).models.some((model) => model.key === key);
    if (kept) return;
    const written: KeptModel['files'][number][] = [];
    try {
      for (const [path, file] of files) {
        if (!isOfModel(path)) continue;
        const sha256 = await store.put(file, { onName: (named) => void this.#fresh.add(named) });
        written.push({ path, sha256, bytes: file.size });
      }
      await this.#change(store, (index) => ({ ...index, models: [...index.models, { key, name, files: written }] }));
    } catch (error) {
      for (const { sha256 } of written) this.#fresh.delete(sha256);
      await this.#sweep(store);
      throw error;
    }
  }

  /** Notes what is open, and deletes what nobody needs any more. Does nothing where this tab keeps nothing. */
  async select(selection: Selection): Promise<void> {
    await this.#ifKept(async (store) => {
      await this.#change(store, (index) => ({ ...index, selection, tries: 0 }));
      const chosen = ofSelection(selection);
      const files = this.#index!.models.flatMap((model) => (model.key === chosen.model ? model.files : []));
      for (const sha256 of [...hashesOf(chosen), ...files.map((file) => file.sha256)]) this.#fresh.delete(sha256);
      await this.collect();
    });
  }

  /** What was open when the page was left, and the visits that tried to open it again in vain. */
  async selection(): Promise<{ readonly selection: Selection | undefined; readonly tries: number }> {
    const index = await this.#ifKept((store) => this.#read(store));
    return { selection: index?.selection, tries: index?.tries ?? 0 };
  }

  /** Counts this visit among those that try to open the selection, until `select`. */
  async beginTry(): Promise<void> {
    await this.#ifKept((store) => this.#change(store, (index) => ({ ...index, tries: index.tries + 1 })));
  }

  /** A file of data; undefined where it is not kept. */
  async data(sha256: string): Promise<Blob | undefined> {
    const file = await this.#ifKept((store) => store.read(sha256));
    if (file) this.#lent.add(sha256);
    return file;
  }

  /** The files of a model; undefined where one of them is not kept. */
  async model(key: string): Promise<ModelFiles | undefined> {
    return this.#ifKept(async (store) => {
      const model = (await this.#read(store)).models.find((other) => other.key === key);
      const files = await Promise.all((model?.files ?? []).map(async ({ path, sha256 }) => [path, await store.read(sha256)] as const));
      if (files.length === 0 || files.some(([, file]) => !file)) return undefined;
      this.#lent.add(key);
      return new Map(files.map(([path, file]) => [path, file!]));
    });
  }

  /** All that is kept, with who needs it. */
  async list(): Promise<readonly KeptFile[]> {
    const list = await this.#ifKept(async (store) => {
      const { data, models, selection } = await this.#read(store);
      const runs = await this.#runs();
      const queued = (await this.queued()).map(userOf);
      const open = selection ? [ofSelection(selection)] : [];
      const facts = (needs: (user: User) => boolean): Pick<KeptFile, 'runs' | 'queued' | 'open'> => ({ runs: runs.filter(needs).length, queued: queued.filter(needs).length, open: open.some(needs) });
      return [
        ...data.map(({ sha256, name, bytes }): KeptFile => ({ key: sha256, kind: 'data', name, bytes, ...facts((user) => hashesOf(user).includes(sha256)) })),
        ...models.map(({ key, name, files }): KeptFile => ({ key, kind: 'model', name, bytes: files.reduce((sum, file) => sum + file.bytes, 0), ...facts(({ model }) => model === key) })),
      ];
    });
    return list ?? [];
  }

  /**
   * Deletes a file of data or a model, whoever needs it.
   * @param key as `list` has it
   * @throws while it is open from here
   */
  async forget(key: string): Promise<void> {
    const file = (await this.list()).find((other) => other.key === key);
    if (!file) return;
    if (file.open && this.#lent.has(key)) throw new Error(`${file.name} is open from here: it would be cut off. ${file.kind === 'data' ? 'Load other data' : 'Open another model'} first, then delete it.`);
    await this.#ifKept(async (store) => {
      await this.#change(store, (index) => ({ ...index, data: index.data.filter(({ sha256 }) => sha256 !== key), models: index.models.filter((model) => model.key !== key) }));
      this.#fresh.delete(key);
      await this.#sweep(store);
    });
  }

  /** Deletes what neither what is open nor a run of the queue nor a kept run needs. */
  async collect(): Promise<void> {
    await this.#ifKept(async (store) => {
      const { selection } = await this.#read(store);
      const users = [...(selection ? [ofSelection(selection)] : []), ...(await this.queued()).map(userOf), ...(await this.#runs())];
      const wanted = new Set([...users.flatMap(hashesOf), ...this.#fresh]);
      const models = new Set(users.map(({ model }) => model));
      await this.#change(store, (index) => {
        const data = index.data.filter(({ sha256 }) => wanted.has(sha256));
        const kept = index.models.filter(({ key, files }) => models.has(key) || files.some(({ sha256 }) => this.#fresh.has(sha256)));
        return data.length === index.data.length && kept.length === index.models.length ? index : { ...index, data, models: kept };
      });
      await this.#sweep(store);
    });
  }

  /** Deletes files that the index does not name. */
  #sweep(store: FileStore): Promise<void> {
    return this.#inTurn(async () => {
      const { data, models } = await this.#read(store);
      const named = new Set([...data, ...models.flatMap(({ files }) => files)].map(({ sha256 }) => sha256));
      for (const sha256 of await store.list()) if (!named.has(sha256) && !this.#fresh.has(sha256)) await store.remove(sha256);
    });
  }

  async #runs(): Promise<User[]> {
    const heads = (await (await this.library.store()).heads()) as unknown as readonly RunHead[];
    return heads.filter(({ format }) => format === 1).map(userOf);
  }

  async #read(store: FileStore): Promise<Index> {
    if (!this.#index) {
      const read = (await store.readIndex()) as Index | undefined;
      this.#index ??= read?.format === 1 ? read : EMPTY;
    }
    return this.#index;
  }

  #change(store: FileStore, change: (index: Index) => Index): Promise<void> {
    return this.#inTurn(async () => {
      const before = await this.#read(store);
      const after = change(before);
      if (after === before) return;
      await store.writeIndex(after);
      this.#index = after;
    });
  }

  /** Nothing is kept where the browser stores nothing, another tab keeps the runs, or the disk is full; the page works without. */
  async #ifKept<T>(work: (store: FileStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(await this.library.files());
    } catch {
      return undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const userOf = ({ model, data }: Pick<RunHead, 'model' | 'data'>): User => ({ model, data });
const ofSelection = ({ model, data }: Selection): User => ({ model: model.source === 'files' ? model.key : undefined, data });
/** A bundle from elsewhere may have keys of another form, which name no file. */
const hashesOf = ({ data }: User): string[] => ROLES.flatMap((role) => hashOf(data[role]) ?? []);

function tooLarge(name: string, bytes: number, most: number, free: number): string | undefined {
  if (bytes > most) return `${name} is not kept in this browser: it has ${megabytes(bytes)} MB, and at most ${megabytes(most)} MB are kept.`;
  if (bytes > free * SHARE) return `${name} is not kept in this browser: it has ${megabytes(bytes)} MB, and the browser gives this page ${megabytes(free)} MB more, of which runs need a part.`;
  return undefined;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);
const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
