/** @file A run as the Spectrum view takes it. */
import type { DecompositionSummary, Drift, MatrixDrift, MethodId } from '../../worker/protocol.ts';
import type { Emphasis } from '../charts/series.ts';

export interface SpectrumRun {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
  /** Adapters were trained: only the matrices that have one were measured, all others stand as they were. */
  readonly adapted: boolean;
  readonly drifts: readonly Drift[];
  /** Of the bases that it was measured in, where that was noted. */
  readonly decomposition?: DecompositionSummary;
}

/** One matrix of one run at one step. */
export interface RunMatrix {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
  readonly emphasis: Emphasis;
  readonly matrix: MatrixDrift;
}
