/** @file Breath for the thread: long work stops now and then so that a worker can answer other messages. */

/** Resolves in a task of its own; unlike setTimeout, a message is not held back 4 ms when repeated, nor slowed in a hidden tab. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Longest stretch of work between two pauses, in ms: two frames of a 60 Hz page. */
const STRETCH = 32;

/** Pauses where the last pause is longer ago than a stretch; called as often as is convenient. */
export class Pauses {
  #last = performance.now();

  async due(): Promise<void> {
    if (performance.now() - this.#last < STRETCH) return;
    await nextTask();
    this.#last = performance.now();
  }
}
