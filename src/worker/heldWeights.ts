/** @file Weights of ended runs on the device: brought there when they are asked for, and the longest unused freed again. */
import type { WeightSet } from '../engine.ts';
import type { RunId } from './protocol.ts';

interface Held {
  readonly weights: Promise<WeightSet>;
  users: number;
  /** The disk has them too. */
  readonly onDisk: boolean;
}

/** Sets that stay on the device though nobody uses them now. */
const UNUSED = 2;

export class HeldWeights {
  /** The longest unused first. */
  readonly #held = new Map<RunId, Held>();

  /**
   * @param load brings the weights of a run to the device. @throws a sentence where it has none
   * @param release frees them once nothing works on them any more
   */
  constructor(
    private readonly load: (run: RunId) => Promise<WeightSet>,
    private readonly release: (weights: WeightSet) => Promise<void>,
  ) {}

  /** Weights that are on the device already. Those that the disk does not have stay there. */
  put(run: RunId, weights: WeightSet, onDisk: boolean): void {
    this.#held.set(run, { weights: Promise.resolve(weights), users: 0, onDisk });
    this.#trim();
  }

  /** Runs `work` on the weights of runs, which stay until it has ended. */
  async use<T>(runs: readonly RunId[], work: (weights: readonly WeightSet[]) => Promise<T>): Promise<T> {
    const used = runs.map((run) => this.#take(run));
    try {
      return await work(await Promise.all(used.map(({ weights }) => weights)));
    } finally {
      for (const held of used) held.users -= 1;
      this.#trim();
    }
  }

  /** Frees the weights of a run; whoever uses them now must have been told. */
  async drop(run: RunId): Promise<void> {
    const held = this.#held.get(run);
    this.#held.delete(run);
    if (held) await this.#free(held);
  }

  /** Forgets everything. @param isLost the device is gone and with it what was held */
  clear(isLost: boolean): void {
    const held = [...this.#held.values()];
    this.#held.clear();
    if (!isLost) for (const each of held) void this.#free(each);
  }

  #take(run: RunId): Held {
    const held = this.#held.get(run) ?? { weights: this.load(run), users: 0, onDisk: true };
    held.weights.catch(() => this.#held.get(run) === held && this.#held.delete(run));
    this.#held.delete(run);
    this.#held.set(run, held);
    held.users += 1;
    return held;
  }

  #trim(): void {
    const unused = [...this.#held].filter(([, { users, onDisk }]) => users === 0 && onDisk);
    for (const [run, held] of unused.slice(0, -UNUSED)) {
      this.#held.delete(run);
      void this.#free(held);
    }
  }

  async #free({ weights }: Held): Promise<void> {
    const loaded = await weights.catch(() => undefined);
    if (loaded) await this.release(loaded);
  }
}
