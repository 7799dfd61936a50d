/** @file The runs whose measurements stand side by side, with their names. */
import type { MethodId } from '../../../worker/protocol.ts';

export interface ShownRun {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
}

export const shownRun = (runs: readonly ShownRun[], id: string): ShownRun => runs.find((run) => run.id === id)!;
