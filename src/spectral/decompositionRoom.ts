/** @file The buffers in which some matrices of one shape are decomposed. */
import type { Slice } from '../gpu/kernel.ts';
import type { MatrixBatch } from '../models/parameters.ts';
import { paddedSize } from './tridiagonal.ts';
import type { Workspace } from './workspace.ts';

/** Buffers of the matrices that are solved together. */
export interface Room {
  /** Smaller side, that padded to whole panels, larger side. */
  readonly n: number;
  readonly size: number;
  readonly long: number;
  /** [together, n, n] */
  readonly gram: Slice;
  /** [together, size, k]: eigenvectors of the tridiagonal form, then of the matrix */
  readonly vectors: Slice;
  /** [together, n, k]: the same without padding; the two are one where there is none */
  readonly shortRaw: Slice;
  readonly shortFactor: Slice;
  /** [together, long, k] */
  readonly longRaw: Slice;
  readonly longFactor: Slice;
  /** [together, k, k] */
  readonly columnProducts: Slice;
  readonly columnFactors: Slice;
  /** [together, k] */
  readonly lengths: Slice;
  readonly sigma: Slice;
  readonly residuals: Slice;
  /** [together] */
  readonly seeds: Slice;
}

/** @param together matrices in the room at a time */
export function makeRoom(workspace: Workspace, { rows, columns }: MatrixBatch, k: number, together: number): Room {
  const n = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  const size = paddedSize(n);
  const room = (elements: number, label: string): Slice => workspace.storage(together * elements, label);
  const vectors = room(size * k, 'eigenvectors');
  return {
    n,
    size,
    long,
    gram: room(n * n, 'gram matrices'),
    vectors,
    shortRaw: size === n ? vectors : room(n * k, 'short factors to be'),
    shortFactor: room(n * k, 'short factors'),
    longRaw: room(long * k, 'long factors to be'),
    longFactor: room(long * k, 'long factors'),
    columnProducts: room(k * k, 'column products'),
    columnFactors: room(k * k, 'column factors'),
    lengths: room(k, 'column lengths'),
    sigma: room(k, 'singular values'),
    residuals: room(k, 'residuals'),
    seeds: workspace.upload(new Uint32Array(together), 'seeds'),
  };
}
