/** @file Makes the runs of the queue one after the other. What becomes of one does not stop the next. */
import type { Library } from './library.ts';
import type { RunId } from './protocol.ts';
import type { QueueItem, RunQueue } from './queue.ts';
import type { RunRecord } from './records.ts';
import type { Run } from './runs.ts';

/** What makes runs. */
export interface Maker {
  /** `modelKey` of the open model; undefined before one is open. */
  model(): string | undefined;
  /** Resolves when no run is under way. */
  idle(): Promise<void>;
  /** Why a run cannot be made now, though the queue is not held. */
  obstacle(item: QueueItem): Promise<string | undefined>;
  /** Starts a run, or takes it up from its checkpoint. */
  begin(item: QueueItem, record?: RunRecord): Promise<Run>;
  /** The device was lost and is not back yet. */
  isLost(): boolean;
  /** A run could not even be started. */
  fail(id: RunId, error: unknown): void;
}

export class QueueMaker {
  #isMaking = false;

  constructor(
    private readonly queue: RunQueue,
    private readonly library: Library,
    private readonly maker: Maker,
  ) {}

  /** Starts the queue. @throws the sentence why its next run cannot be made; it is held then */
  async start(): Promise<void> {
    await this.queue.setRunning(true);
    const item = await this.#next();
    const obstacle = item && (await this.maker.obstacle(item));
    if (obstacle !== undefined) {
      await this.queue.setRunning(false);
      throw new Error(obstacle);
    }
    void this.makeAll();
  }

  /** Makes runs until the queue is held or empty, or one cannot be made. Does nothing while it is doing that. */
  async makeAll(): Promise<void> {
    if (this.#isMaking) return;
    this.#isMaking = true;
    try {
      for (;;) {
        await this.maker.idle();
        const item = await this.#next();
        if (!item) return;
        const obstacle = await this.maker.obstacle(item);
        if (obstacle === undefined) {
          await this.#make(item);
          await this.queue.end(item);
        } else await this.queue.setRunning(false, obstacle);
      }
    } finally {
      this.#isMaking = false;
    }
  }

  async #next(): Promise<QueueItem | undefined> {
    const model = this.maker.model();
    return model === undefined ? undefined : this.queue.next(model);
  }

  /** Makes one run; goes on with it after a reload, and after a lost device as long as that gets it further. */
  async #make(item: QueueItem): Promise<void> {
    const { id } = item;
    for (let reached = -1; ; ) {
      const record = await this.library.record(id);
      const state = record?.stored.summary.state;
      const step = record?.stored.resumableFrom ?? 0;
      if (state === 'finished' || state === 'stopped' || step <= reached) return;
      reached = step;
      try {
        if (record && step === 0) await this.library.delete(id);
        const run = await this.maker.begin(item, step > 0 ? record : undefined);
        this.queue.begin(id);
        await this.maker.idle();
        if (run.state !== 'failed' || !this.maker.isLost()) return;
      } catch (error) {
        this.maker.fail(id, error);
        return;
      }
    }
  }
}
