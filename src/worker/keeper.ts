/**
 * @file Keeps one run on disk while it is made: its log as it grows, checkpoints, and the weights it ends with. Whatever the disk says, the run goes
 * on; what could not be kept is told once.
 */
import type { RunStore } from '../storage/runStore.ts';
import type { LabEvent } from './protocol.ts';
import type { RunHead, RunLine } from './records.ts';

type Pieces = AsyncIterable<Uint8Array<ArrayBuffer>>;

/** Milliseconds after which a checkpoint is due, wherever the run is. */
const EVERY = 20_000;
/** The part of its time that a run may spend on checkpoints. */
const SHARE = 0.05;

export class RunKeeper {
  /** Step of the latest checkpoint. */
  checkpoint: number | undefined;
  /** When the latest checkpoint was written, at first when steps began: to prepare a run may take long. */
  #writtenAt: number | undefined;
  #cost = 0;
  /** The disk had room for the latest checkpoint. */
  #hasRoom = true;
  #store: RunStore | undefined;

  private constructor(
    store: RunStore | undefined,
    private readonly id: string,
    private readonly tell: (message: string) => void,
  ) {
    this.#store = store;
  }

  /** @param tell what a person should know of what is not kept */
  static async begin(store: RunStore | undefined, id: string, head: RunHead, tell: (message: string) => void): Promise<RunKeeper> {
    const keeper = new RunKeeper(store, id, tell);
    await keeper.#keep('This run is not kept on disk', async (disk) => {
      await disk.append(id, head);
      await disk.hold(id);
    });
    return keeper;
  }

  /** Goes on with a run that has a checkpoint. */
  static async resume(store: RunStore, id: string, step: number, tell: (message: string) => void): Promise<RunKeeper> {
    const keeper = new RunKeeper(store, id, tell);
    keeper.checkpoint = step;
    await keeper.#keep('This run is not kept on disk from here on', async (disk) => {
      await disk.append(id, { resumedFrom: step } satisfies RunLine);
      await disk.hold(id);
    });
    return keeper;
  }

  /** Whether the disk has the log so far. */
  get keeps(): boolean {
    return this.#store !== undefined;
  }

  log(event: LabEvent): void {
    void this.#keep('The log of this run is not kept on disk from here on', (disk) => disk.append(this.id, { event } satisfies RunLine));
  }

  /** Whether a checkpoint is to be written after `step`: at evaluations and by time, as long as they cost little of the run. */
  isDue(step: number, evaluateEvery: number): boolean {
    const now = performance.now();
    const since = now - (this.#writtenAt ??= now);
    return (step % evaluateEvery === 0 || since >= EVERY) && since >= this.#cost / SHARE;
  }

  /** Writes a checkpoint; the one before goes. @param seconds the run has taken up to it @throws what reading `pieces` throws */
  async writeCheckpoint(step: number, pieces: Pieces, seconds: number): Promise<void> {
    if (!this.#store || !this.#hasRoom || this.checkpoint === step) return;
    const started = performance.now();
    const source = new Source(pieces);
    try {
      await this.#store.writeCheckpoint(this.id, step, source);
      this.checkpoint = step;
      await this.#store.append(this.id, { seconds } satisfies RunLine);
    } catch (error) {
      if (source.failed) throw error;
      // The log and the weights, which are a third of a checkpoint, may yet find room.
      this.#hasRoom = false;
      const from = this.checkpoint === undefined ? 'has to be started again' : `goes on from step ${this.checkpoint}`;
      this.tell(`From here on this run is not kept on disk: if the page is left, it ${from}. ${sentenceOf(error)}`);
    }
    this.#writtenAt = performance.now();
    this.#cost = this.#writtenAt - started;
  }

  /** Writes the weights that the run ends with. @throws what reading `pieces` throws */
  async writeWeights(pieces: Pieces): Promise<void> {
    const source = new Source(pieces);
    await this.#keep('The weights of this run are not kept on disk: export them before you leave the page', (disk) => disk.writeWeights(this.id, source), source);
  }

  /** The run is over. @param finished it goes on from no checkpoint */
  async end(finished: boolean): Promise<void> {
    await this.#keep('The end of this run is not kept on disk', async (disk) => {
      if (finished) await disk.dropCheckpoints(this.id);
      await disk.letGo(this.id);
    });
  }

  /** Nothing of the run is to be left. */
  async discard(): Promise<void> {
    await this.#keep('Files of this run are left on disk', (disk) => disk.remove(this.id));
  }

  async #keep(consequence: string, work: (disk: RunStore) => Promise<void>, source?: Source): Promise<void> {
    const store = this.#store;
    if (!store) return;
    try {
      await work(store);
    } catch (error) {
      if (source?.failed) throw error;
      // Whatever was asked for after it failed too, for the same reason.
      if (this.#store === undefined) return;
      this.#store = undefined;
      this.tell(`${consequence}. ${sentenceOf(error)}`);
      await store.letGo(this.id);
    }
  }
}

/** Pieces read from the device; `failed` when it was that, and not the disk. */
class Source {
  failed = false;

  constructor(private readonly pieces: Pieces) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    try {
      yield* this.pieces;
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
