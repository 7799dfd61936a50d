/** @file What all diagnostics take and tell: they go in slices beside a run, can be stopped, and say what they took. */
import type { Turn } from '../gpu/turn.ts';
import type { Progress } from './workspace.ts';

export interface Measuring {
  /** Runs each slice; at once when left out. */
  readonly turn?: Turn | undefined;
  /** Slices done, of all. */
  readonly onProgress?: Progress | undefined;
  /** Ends the work before its next slice; nothing is left on the GPU then. */
  readonly signal?: AbortSignal | undefined;
}

export interface Cost {
  /** Tokens that went forward through a model, each as often as it did; padding is left out. */
  readonly tokens: number;
  /** Those of them that also went backward. */
  readonly backwardTokens: number;
  /** Time in the work itself, without waiting for turns. */
  readonly seconds: number;
}

/** The slices of one diagnosis. */
export class Slices {
  #done = 0;
  #milliseconds = 0;

  constructor(
    private readonly measuring: Measuring,
    private readonly total: number,
  ) {}

  /** Runs one slice. @throws the signal's reason when it was stopped */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { turn = (now) => now() } = this.measuring;
    const result = await turn(() => this.#timed(work));
    this.#tell(this.#done + 1);
    return result;
  }

  /** Runs work that gives way by itself and says how many slices of it are done. @throws the signal's reason when it was stopped */
  runFree<T>(work: (onProgress: Progress) => Promise<T>): Promise<T> {
    const before = this.#done;
    return this.#timed(() =>
      work((done) => {
        this.#tell(before + done);
        this.measuring.signal?.throwIfAborted();
      }),
    );
  }

  get seconds(): number {
    return this.#milliseconds / 1000;
  }

  async #timed<T>(work: () => Promise<T>): Promise<T> {
    this.measuring.signal?.throwIfAborted();
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#milliseconds += performance.now() - start;
    }
  }

  #tell(done: number): void {
    this.#done = done;
    this.measuring.onProgress?.(done, this.total);
  }
}
