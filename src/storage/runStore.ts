/**
 * @file The runs of this browser on its disk. Each is a journal of JSON lines that only grows, and beside it the weights it ended with or, while it is
 * under way, its latest checkpoint. A journal is right up to its last whole line whenever the tab dies, and other files get their name when they are
 * whole, so nothing needs repair: what is half written is left out.
 *
 * One tab at a time keeps runs: two would write the same queue.
 */
import type { Appender, Directory } from './directory.ts';
import { FileInUseError } from './directory.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** What there is of a run. */
export interface KeptRun {
  readonly id: string;
  /** Whole lines in the order they were written; the first says what the run is. */
  readonly lines: readonly JsonObject[];
  readonly weights: Blob | undefined;
  readonly checkpoint: { readonly step: number; readonly file: Blob } | undefined;
  /** Bytes of all its files. */
  readonly bytes: number;
}

type Pieces = AsyncIterable<Uint8Array<ArrayBuffer>>;

const JOURNAL = '.jsonl';
const WEIGHTS = '.safetensors';
const CHECKPOINT = '.checkpoint';
const PART = '.part';
const QUEUE = 'queue';
/** Bytes in which the first line of a journal ends, as a rule. */
const HEAD = 2 ** 14;
/** Milliseconds in which a page that is being reloaded lets go. */
const PATIENCE = 1000;

export class RunStore {
  readonly #open = new Map<string, Appender>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly directory: Directory) {}

  /** @throws FileInUseError while another tab keeps runs */
  static async open(directory: Directory): Promise<RunStore> {
    await claim(directory);
    const store = new RunStore(directory);
    const names = (await directory.list()).map(({ name }) => name);
    const journals = new Set(names.filter((name) => name.endsWith(JOURNAL)));
    // Half written, or left by a run of which the journal was never begun.
    for (const name of names) if (name.endsWith(PART) || !journals.has(name.slice(0, name.indexOf('.')) + JOURNAL)) await directory.remove(name);
    return store;
  }

  /** Names of the runs that have a journal. */
  async ids(): Promise<string[]> {
    const names = (await this.directory.list()).map(({ name }) => name);
    return names.filter((name) => name.endsWith(JOURNAL) && name !== QUEUE + JOURNAL).map((name) => name.slice(0, -JOURNAL.length));
  }

  /** The first line of each journal, which says what a run is. */
  heads(): Promise<JsonObject[]> {
    return this.#inTurn(async () => {
      const heads: JsonObject[] = [];
      for (const id of await this.ids()) {
        const start = (await (await this.directory.read(id + JOURNAL))?.slice(0, HEAD).text()) ?? '';
        const head = start.includes('\n') ? parseLine(start.slice(0, start.indexOf('\n'))) : (await this.#lines(id))[0];
        if (head) heads.push(head);
      }
      return heads;
    });
  }

  /** Undefined where nothing whole was written of a run, or there is none. */
  read(id: string): Promise<KeptRun | undefined> {
    return this.#inTurn(async () => {
      const lines = await this.#lines(id);
      if (lines.length === 0) return undefined;
      const files = await this.#filesOf(id);
      const step = this.#steps(id, files).at(-1);
      const checkpoint = step === undefined ? undefined : await this.directory.read(checkpointName(id, step));
      return {
        id,
        lines,
        weights: await this.directory.read(id + WEIGHTS),
        checkpoint: step === undefined || !checkpoint ? undefined : { step, file: checkpoint },
        bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    });
  }

  /** Adds lines to the journal of a run, which is made if it is missing. @throws StorageFullError */
  append(id: string, ...lines: readonly object[]): Promise<void> {
    return this.#inTurn(() => this.#append(id, lines));
  }

  /** Keeps the journal of a run open, so that a line costs no more than its bytes. */
  hold(id: string): Promise<void> {
    return this.#inTurn(async () => void this.#open.set(id, await this.#appender(id)));
  }

  /** Closes a journal that was held. */
  letGo(id: string): Promise<void> {
    return this.#inTurn(async () => this.#close(id));
  }

  /** Writes the weights a run ended with. @throws StorageFullError; those from before are kept then */
  writeWeights(id: string, pieces: Pieces): Promise<void> {
    return this.#inTurn(() => this.#write(id + WEIGHTS, pieces));
  }

  /** Writes a checkpoint, in whose place those before it go. @throws StorageFullError; the one before is kept then */
  writeCheckpoint(id: string, step: number, pieces: Pieces): Promise<void> {
    return this.#inTurn(async () => {
      await this.#write(checkpointName(id, step), pieces);
      for (const older of this.#steps(id, await this.#filesOf(id))) if (older !== step) await this.directory.remove(checkpointName(id, older));
    });
  }

  dropCheckpoints(id: string): Promise<void> {
    return this.#inTurn(async () => {
      for (const step of this.#steps(id, await this.#filesOf(id))) await this.directory.remove(checkpointName(id, step));
    });
  }

  /** Deletes everything of a run. */
  remove(id: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#close(id);
      // The journal last: without it nobody would know whose the other files are.
      const files = (await this.#filesOf(id)).toSorted((a, b) => Number(a.name === id + JOURNAL) - Number(b.name === id + JOURNAL));
      for (const { name } of files) await this.directory.remove(name);
    });
  }

  /** What `writeQueue` wrote last. */
  readQueue(): Promise<JsonObject | undefined> {
    return this.#inTurn(async () => (await this.#lines(QUEUE)).at(-1));
  }

  /** @param isEmpty nothing of it would be missed if it got lost, so that what was written before can go */
  writeQueue(queue: object, isEmpty: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (isEmpty) await this.directory.remove(QUEUE + JOURNAL);
      await this.#append(QUEUE, [queue]);
    });
  }

  async #append(id: string, lines: readonly object[]): Promise<void> {
    const held = this.#open.get(id);
    const file = held ?? (await this.#appender(id));
    try {
      file.write(new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
    } finally {
      if (!held) file.close();
    }
  }

  /** The journal at the beginning of a line. */
  async #appender(id: string): Promise<Appender> {
    const name = id + JOURNAL;
    const before = await this.directory.read(name);
    const whole = !before || before.size === 0 || (await before.slice(-1).text()) === '\n';
    const file = await this.directory.append(name);
    if (whole) return file;
    try {
      file.write(new TextEncoder().encode('\n'));
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  #close(id: string): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }

  async #lines(id: string): Promise<JsonObject[]> {
    const text = (await (await this.directory.read(id + JOURNAL))?.text()) ?? '';
    const lines = text.split('\n').map(parseLine);
    // Without its first line nobody knows what the rest is about.
    return lines[0] ? lines.filter((line) => line !== undefined) : [];
  }

  /** Writes a file under another name first. Whoever dies on the way leaves the one from before, or none. */
  async #write(name: string, pieces: Pieces): Promise<void> {
    const part = name + PART;
    const file = await this.directory.append(part);
    try {
      file.restart();
      for await (const piece of pieces) {
        await this.directory.makeRoom?.(piece.length);
        file.write(piece);
      }
    } catch (error) {
      file.close();
      await this.directory.remove(part);
      throw error;
    }
    file.close();
    await this.directory.remove(name);
    await this.directory.rename(part, name);
  }

  async #filesOf(id: string): Promise<{ readonly name: string; readonly bytes: number }[]> {
    return (await this.directory.list()).filter(({ name }) => name.startsWith(`${id}.`));
  }

  /** Steps of the checkpoints, the latest last. */
  #steps(id: string, files: readonly { readonly name: string }[]): number[] {
    const steps = files.filter(({ name }) => name.endsWith(CHECKPOINT)).map(({ name }) => Number(name.slice(id.length + 1, -CHECKPOINT.length)));
    return steps.toSorted((a, b) => a - b);
  }

  /** One after the other: a file has one writer. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const checkpointName = (id: string, step: number): string => `${id}.${step}${CHECKPOINT}`;

/** JSON has no NaN: a number that was none is null there, and nothing else is. */
function parseLine(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line, line.includes('null') ? (_, item: unknown) => (item === null ? Number.NaN : item) : undefined);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    // Cut off when the tab died.
    return undefined;
  }
}

/** Held as long as the tab lives: the browser lets go of it when the tab dies. */
function claim(directory: Directory): Promise<void> {
  return new Promise((resolve, reject) => {
    const held = directory.exclusively('keeper', AbortSignal.timeout(PATIENCE), () => {
      resolve();
      return new Promise<never>(() => {});
    });
    held.catch((error: unknown) => reject(error instanceof DOMException ? new FileInUseError('Another tab of this page keeps the runs; close it to have them here.') : (error as Error)));
  });
}
