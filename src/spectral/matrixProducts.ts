/** @file Products with matrices of a batch where they lie in their shard, as [short, long] whichever way they are stored. */
import type { Call, Slice } from '../gpu/kernel.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import type { Workspace } from './workspace.ts';

export interface BatchProducts {
  /** u32 [together]: where the matrices begin that the products are about; to be written before they run. */
  readonly table: Slice;
  /** y [together, short, n] = A z, z [together, long, n] */
  readonly toShort: (z: Slice, n: number, y: Slice) => Call[];
  /** z [together, long, n] = Aᵀ y, y [together, short, n] */
  readonly toLong: (y: Slice, n: number, z: Slice) => Call[];
  /** gram [together, short, short] = A Aᵀ, on and above the diagonal */
  readonly shortGram: (gram: Slice) => Call[];
}

/** @param together matrices of the batch at a time */
export function matrixProducts(workspace: Workspace, { shards, precision }: ParameterBuffers, { rows, columns, offsets, shard }: MatrixBatch, together: number): BatchProducts {
  const short = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  const wide = rows <= columns;
  const table = workspace.upload(new Uint32Array(together), 'matrix offsets');
  const common = { batch: together, alignedTable: offsets.every((offset) => offset % 4 === 0), a: 'table', aType: precision } as const;
  const matrices = shards[shard]!;
  return {
    table,
    toShort: (z, n, y) => workspace.product({ ...common, layout: wide ? 'NN' : 'TN', m: short, n, k: long }, { a: matrices, b: z, c: y, table }),
    toLong: (y, n, z) => workspace.product({ ...common, layout: wide ? 'TN' : 'NN', m: long, n, k: short }, { a: matrices, b: y, c: z, table }),
    shortGram: (gram) =>
      workspace.product({ ...common, b: 'table', bType: precision, layout: wide ? 'NT' : 'TN', m: short, n: short, k: long, skip: 'below' }, { a: matrices, b: matrices, c: gram, table }),
  };
}
