/**
 * @file The step under the pointer, shared by all figures. Outside React on purpose: a moving pointer must not render anything; figures
 * subscribe and move an overlay line themselves.
 */

export interface Cursor {
  /** Optimizer step, or undefined when no figure is pointed at. */
  readonly step: number | undefined;
  /** The figure under the pointer, the only one that shows the tooltip. */
  readonly figure: string | undefined;
  /** A click keeps the cursor in place until Esc. */
  readonly pinned: boolean;
}

const nowhere: Cursor = { step: undefined, figure: undefined, pinned: false };
let current = nowhere;
const listeners = new Set<(cursor: Cursor) => void>();

function set(next: Cursor): void {
  if (next.step === current.step && next.figure === current.figure && next.pinned === current.pinned) return;
  current = next;
  for (const listener of listeners) listener(current);
}

export const cursor = {
  get: (): Cursor => current,
  /** Follows the pointer or the arrow keys; ignored while pinned. */
  move(step: number, figure: string): void {
    if (!current.pinned) set({ step, figure, pinned: false });
  },
  /** The pointer left the figure. */
  leave(): void {
    if (!current.pinned) set(nowhere);
  },
  /** Click: keeps the step, and releases it when it was kept. */
  togglePin(step: number, figure: string): void {
    set(current.pinned ? { step, figure, pinned: false } : { step, figure, pinned: true });
  },
  /** Esc. True when there was something to release. */
  release(): boolean {
    const was = current.pinned;
    set(nowhere);
    return was;
  },
  /** Returns the function that ends the subscription. */
  subscribe(listener: (cursor: Cursor) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
