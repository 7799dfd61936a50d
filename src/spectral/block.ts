/**
 * @file The top-k block of a change of weights, C = Uᵀ(W - W0)V: what RPSFT penalises, the drift measurement reports and
 * restoring takes out again; and that of a gradient, UᵀGV, for its share of the Fisher information.
 */
import type { Call, Slice } from '../gpu/kernel.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { Directions } from './decompose.ts';
import type { MatricesInShard, Workspace } from './workspace.ts';

/** A basis by the sides of its matrices: `near` [batch, short, k] of the smaller side, `far` [batch, long, k] of the other. */
export interface Sides {
  /** The smaller side is the rows. */
  readonly wide: boolean;
  readonly short: number;
  readonly long: number;
  readonly near: Slice;
  readonly far: Slice;
}

export function sidesOf({ batch: { rows, columns }, u, v }: Directions): Sides {
  return rows <= columns ? { wide: true, short: rows, long: columns, near: u, far: v } : { wide: false, short: columns, long: rows, near: v, far: u };
}

/**
 * block [batch, k, k] = nearᵀ narrow, narrow [batch, short, k] = dW far with dW = W - W0 (wide) or its transpose (tall),
 * so that the narrower of the two possible intermediates is formed; in the tall case the block is that of dWᵀ, VᵀdWᵀU.
 * Without `pretrained` the block is that of the weights themselves.
 */
export function blockCalls(
  workspace: Workspace,
  { weights, pretrained }: { readonly weights: ParameterBuffers; readonly pretrained?: ParameterBuffers },
  basis: Directions,
  { shape, table }: MatricesInShard,
  { narrow, block }: { readonly narrow: Slice; readonly block: Slice },
): Call[] {
  const { wide, short, long, near, far } = sidesOf(basis);
  const { shard } = basis.batch;
  const { k } = basis;
  return [
    ...workspace.product(
      { ...shape, a: 'table', aType: weights.precision, ...(pretrained && { aMinus: true, aMinusType: pretrained.precision }), layout: wide ? 'NN' : 'TN', m: short, n: k, k: long },
      { a: weights.shards[shard]!, ...(pretrained && { aMinus: pretrained.shards[shard]! }), b: far, c: narrow, table },
    ),
    ...workspace.product({ layout: 'TN', m: k, n: k, k: short, batch: shape.batch }, { a: near, b: narrow, c: block }),
  ];
}

/** onto += U C Vᵀ of every matrix, C in `block` as `blockCalls` leaves it; narrow [batch, short, k] <- near C on the way. */
export function spreadCalls(workspace: Workspace, onto: ParameterBuffers, basis: Directions, { shape, table }: MatricesInShard, { narrow, block }: { readonly narrow: Slice; readonly block: Slice }): Call[] {
  const { wide, short, near, far } = sidesOf(basis);
  const { batch, k } = basis;
  return [
    ...workspace.product({ layout: 'NN', m: short, n: k, k, batch: shape.batch }, { a: near, b: block, c: narrow }),
    ...workspace.product(
      { ...shape, c: 'table', accumulate: true, layout: 'NT', m: batch.rows, n: batch.columns, k },
      { a: wide ? narrow : far, b: wide ? far : narrow, c: onto.shards[batch.shard]!, table },
    ),
  ];
}
