/** @file One thing at a time on the GPU: a run takes the lock for a few steps, the playground for a few tokens. */

/** A fair mutex: whoever asked first goes first. */
export class Lock {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` after everything that was asked for before, and passes its result or error on. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
