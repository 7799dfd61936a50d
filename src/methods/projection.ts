/**
 * @file Gradient projection, what RPSFT's penalty becomes as λ grows without bound: G <- G - U Uᵀ G V Vᵀ before the norm is
 * taken, so that no gradient asks for a change of the top-k block.
 *
 * That is the whole truth for plain gradient descent. AdamW divides entry by entry, which leads a part of every step back
 * into the block, so the block stays small and not zero. No term is added to the loss, and λ has no effect.
 */
import type { Call, Slice } from '../gpu/kernel.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { blockCalls, spreadCalls } from '../spectral/block.ts';
import type { Directions } from '../spectral/decompose.ts';
import { Workspace } from '../spectral/workspace.ts';
import { negateCall, wholeRuns, type HeldDirections, type Penalty, type PenaltyTargets } from './penalty.ts';

/**
 * @param directions of the pretrained weights; matrices it calls degenerate get no gradient at all
 * @throws {RangeError} for adapters, whose two factors have no gradient of the product to project
 */
export function gradientProjection(targets: PenaltyTargets, { bases, degenerate }: HeldDirections): Penalty {
  const { weights, gradients, value } = targets;
  if (weights instanceof AdaptedWeights) throw new RangeError(PROJECTION_NEEDS_FULL);
  const workspace = new Workspace(targets.context);
  const room = (elements: (basis: Directions) => number, label: string): Slice => workspace.storage(Math.max(1, ...bases.map(elements)), label);
  const block = room(({ batch, k }) => batch.offsets.length * k * k, 'projected blocks');
  const narrow = room(({ batch, k }) => batch.offsets.length * Math.min(batch.rows, batch.columns) * k, 'projections');
  const frozen = wholeRuns(degenerate).flatMap(({ shard, offsets, size }) => offsets.map((offset) => ({ clear: gradients.range(shard, offset, size) })));
  return { calls: [...bases.flatMap((basis) => basisCalls(workspace, targets, basis, { block, narrow })), ...frozen], value };
}

export const PROJECTION_NEEDS_FULL =
  'Gradient projection takes the top-k block out of the gradient of a whole matrix; adapters have gradients of their two factors only, and their product moves in the block even when neither factor asks for it. Train all weights, or take RPSFT with a large lambda.';

/** As RPSFT's gradient, of G in place of W - W0, and taken away. */
function basisCalls(workspace: Workspace, { gradients }: PenaltyTargets, basis: Directions, rooms: Readonly<Record<'block' | 'narrow', Slice>>): Call[] {
  const { batch, k } = basis;
  const inShard = workspace.inShard(batch);
  const block = { ...rooms.block, size: 4 * batch.offsets.length * k * k };
  const { narrow } = rooms;
  return [
    ...blockCalls(workspace, { weights: gradients }, basis, inShard, { narrow, block }),
    negateCall(block),
    ...spreadCalls(workspace, gradients, basis, inShard, { narrow, block }),
  ];
}
