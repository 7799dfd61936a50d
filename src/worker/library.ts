/** @file The runs that this browser keeps: found again after a reload, annotated, removed with a way back. */
import { Sha256 } from '../formats/sha256.ts';
import type { Directory } from '../storage/directory.ts';
import { StorageFullError } from '../storage/directory.ts';
import { FileStore } from '../storage/fileStore.ts';
import { RunStore } from '../storage/runStore.ts';
import type { UnbundledRun } from './bundle.ts';
import type { LabEvent, RunId, RunNotes } from './protocol.ts';
import type { RunHead, RunLine, RunRecord } from './records.ts';
import { recordOf, reportEvent } from './records.ts';

export class Library {
  #store: Promise<RunStore> | undefined;
  #files: Promise<FileStore> | undefined;

  /** @param openDirectory opens a folder that stays between visits, by name */
  constructor(private readonly openDirectory: (name: 'runs' | 'files') => Promise<Directory>) {}

  /** Opens the disk, and deletes what a former visit left to be deleted. @throws where the browser stores nothing, or another tab keeps the runs */
  async store(): Promise<RunStore> {
    this.#store ??= this.#open();
    try {
      return await this.#store;
    } catch (error) {
      // The other tab may be closed by the next time.
      this.#store = undefined;
      throw error;
    }
  }

  /** The files that runs are made on. @throws as `store`, without which nobody may write there */
  async files(): Promise<FileStore> {
    await this.store();
    this.#files ??= this.openDirectory('files').then((directory) => FileStore.open(directory, () => new Sha256()));
    try {
      return await this.#files;
    } catch (error) {
      this.#files = undefined;
      throw error;
    }
  }

  /** Runs of a model, also hidden ones, the newest first; none where nothing can be stored. */
  async records(model: string): Promise<RunRecord[]> {
    const store = await this.store().catch(() => undefined);
    const records: RunRecord[] = [];
    for (const id of (await store?.ids()) ?? []) {
      const record = await this.record(id);
      if (record?.head.model === model) records.push(record);
    }
    return records.toSorted((a, b) => (a.head.summary.startedAt < b.head.summary.startedAt ? 1 : -1));
  }

  /** Undefined where the disk has nothing of the run. */
  async record(id: RunId): Promise<RunRecord | undefined> {
    const store = await this.store().catch(() => undefined);
    const kept = await store?.read(id);
    return kept && recordOf(kept);
  }

  /** @throws when the disk does not have the run, or is full */
  async annotate(id: RunId, notes: RunNotes): Promise<void> {
    await this.#append(id, { notes });
  }

  /** Adds to the log of a run, which may have ended. @throws as `annotate` */
  async log(id: RunId, event: LabEvent): Promise<void> {
    await this.#append(id, { event });
  }

  /** Hides a run; where the disk has no room to note that, it is deleted at once. */
  async hide(id: RunId): Promise<void> {
    try {
      await this.#append(id, { removed: true });
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
      await (await this.store()).remove(id);
    }
  }

  /** Shows a hidden run again. @throws as `annotate` */
  async restore(id: RunId): Promise<RunRecord> {
    await this.#append(id, { removed: false });
    return (await this.record(id))!;
  }

  /** Deletes a run at once. */
  async delete(id: RunId): Promise<void> {
    await (await this.store()).remove(id);
  }

  /** Keeps a run that was opened from files. @throws StorageFullError; nothing of it is kept then */
  async keep(head: RunHead, events: readonly LabEvent[], weights: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<void> {
    await writeRun(await this.store(), head, events.map((event): RunLine => ({ event })), weights);
  }

  /** Keeps runs of a bundle, under new ids where the disk has runs of theirs. @throws StorageFullError; those before it are kept then */
  async add(runs: readonly UnbundledRun[]): Promise<RunId[]> {
    const store = await this.store();
    const taken = new Set(await store.ids());
    const ids = new Map(runs.map(({ head: { summary: { id } } }) => [id, taken.has(id) ? crypto.randomUUID() : id]));
    for (const run of runs) await addRun(store, run, ids);
    return [...ids.values()];
  }

  /** Deletes the hidden runs. */
  async purge(): Promise<void> {
    const store = await this.store().catch(() => undefined);
    if (store) await deleteRemoved(store);
  }

  async #append(id: RunId, line: RunLine): Promise<void> {
    const store = await this.store();
    if (!(await store.ids()).includes(id)) throw new Error('This run is not kept on disk.');
    await store.append(id, line);
  }

  async #open(): Promise<RunStore> {
    const store = await RunStore.open(await this.openDirectory('runs'));
    await deleteRemoved(store);
    return store;
  }
}

/** Also those of which no more than a part of the first line was written. */
async function deleteRemoved(store: RunStore): Promise<void> {
  for (const id of await store.ids()) {
    const kept = await store.read(id);
    if (kept ? recordOf(kept)?.removed : true) await store.remove(id);
  }
}

/** @param ids what each run of the bundle is called here */
async function addRun(store: RunStore, { head, notes, events, weights }: UnbundledRun, ids: ReadonlyMap<RunId, RunId>): Promise<void> {
  const { startFrom, ...config } = head.summary.config;
  const id = ids.get(head.summary.id)!;
  const started = startFrom === undefined ? {} : { startFrom: ids.get(startFrom) ?? startFrom };
  const own = events.map((event): LabEvent => (event.type === 'report' ? reportEvent(id, event.report) : 'run' in event ? { ...event, run: id } : event));
  const renamed: RunHead = { ...head, summary: { ...head.summary, id, config: { ...config, ...started } } };
  await writeRun(store, renamed, [{ notes }, ...own.map((event): RunLine => ({ event }))], weights && pieces(weights));
}

/** Writes a run that has ended, or nothing of it. */
async function writeRun(store: RunStore, head: RunHead, lines: readonly RunLine[], weights: AsyncIterable<Uint8Array<ArrayBuffer>> | undefined): Promise<void> {
  const { id } = head.summary;
  try {
    await store.append(id, head, ...lines);
    if (weights) await store.writeWeights(id, weights);
  } catch (error) {
    await store.remove(id);
    throw error;
  }
}

const PIECE = 2 ** 22;

async function* pieces(blob: Blob): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (let at = 0; at < blob.size; at += PIECE) yield new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer());
}
