/** @file Runs that are to be made one after the other. What waits is on disk with every change, so that the queue goes on after a reload. */
import type { Library } from './library.ts';
import type { QueuedRun, QueueState, RunConfig, RunId } from './protocol.ts';
import type { UsedDatasets } from './records.ts';

/** A run to be made, with the model and the data it was asked for. */
export interface QueueItem {
  readonly id: RunId;
  readonly config: RunConfig;
  readonly model: string;
  readonly data: UsedDatasets;
}

interface SavedQueue {
  readonly format: 1;
  readonly items: readonly QueueItem[];
  readonly running: boolean;
}

export class RunQueue {
  #items: readonly QueueItem[] = [];
  #running = false;
  #current: RunId | undefined;
  #why: string | undefined;
  #restored: Promise<void> | undefined;

  /** @param changed told after every change */
  constructor(
    private readonly library: Library,
    private readonly changed: () => void,
  ) {}

  /** The queue of a model. */
  async state(model: string): Promise<QueueState> {
    await this.#restore();
    const items = this.#items.filter((item) => item.model === model);
    return {
      items: items.map(({ id, config, data }): QueuedRun => ({ id, config, dataset: data.train.name, state: id === this.#current ? 'running' : 'waiting' })),
      running: this.#running,
      ...(this.#why === undefined || items.length === 0 ? {} : { why: this.#why }),
    };
  }

  /** Every run that is to be made, of whatever model. */
  async items(): Promise<readonly QueueItem[]> {
    await this.#restore();
    return this.#items;
  }

  async enqueue(items: readonly QueueItem[]): Promise<void> {
    await this.#restore();
    await this.#change([...this.#items, ...items], this.#running);
  }

  /** Puts waiting runs into the order of `ids`, in the places that these have now. */
  async reorder(ids: readonly RunId[]): Promise<void> {
    await this.#restore();
    const waiting = new Map(this.#items.filter(({ id }) => id !== this.#current).map((item) => [item.id, item]));
    const order = [...new Set(ids)].filter((id) => waiting.has(id));
    const places = new Set(order);
    await this.#change(this.#items.map((item) => (places.has(item.id) ? waiting.get(order.shift()!)! : item)), this.#running);
  }

  /** Takes out waiting runs. */
  async dequeue(ids: readonly RunId[]): Promise<void> {
    await this.#restore();
    await this.#change(this.#items.filter(({ id }) => id === this.#current || !ids.includes(id)), this.#running);
  }

  /** @param why it is held, where nobody asked for that */
  async setRunning(running: boolean, why?: string): Promise<void> {
    await this.#restore();
    this.#why = why;
    await this.#change(this.#items, running);
  }

  /** The run of a model whose turn it is; undefined while the queue is held or has none. */
  async next(model: string): Promise<QueueItem | undefined> {
    await this.#restore();
    return this.#running ? this.#items.find((item) => item.model === model) : undefined;
  }

  /** This run is being made from now on. */
  begin(id: RunId): void {
    this.#current = id;
    this.changed();
  }

  /** It has ended, in whatever way. After the last one the queue is held, so that what comes next waits to be started. */
  async end(item: QueueItem): Promise<void> {
    this.#current = undefined;
    const items = this.#items.filter(({ id }) => id !== item.id);
    await this.#change(items, this.#running && items.some(({ model }) => model === item.model));
  }

  async #change(items: readonly QueueItem[], running: boolean): Promise<void> {
    this.#items = items;
    this.#running = running;
    this.changed();
    const store = await this.library.store().catch(() => undefined);
    // A full disk does not stop the queue; it is then lost with the page, as the runs tell.
    await store?.writeQueue({ format: 1, items, running } satisfies SavedQueue, items.length === 0).catch(() => undefined);
  }

  async #restore(): Promise<void> {
    const store = await this.library.store().catch(() => undefined);
    if (!store) return;
    await (this.#restored ??= (async () => {
      const saved = (await store.readQueue()) as SavedQueue | undefined;
      if (saved?.format !== 1) return;
      this.#items = [...saved.items, ...this.#items];
      this.#running ||= saved.running;
    })());
  }
}
