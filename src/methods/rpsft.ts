/**
 * @file RPSFT (arXiv 2605.10973): λ Σ ‖Uᵀ(W - W0)V‖², U and V the top-k singular vectors of the pretrained W0, holds
 * what W does between its leading directions and leaves everything else to the task.
 *
 * The gradient is 2λ U (Uᵀ(W - W0)V) Vᵀ, 4mnk + 4sk² operations a matrix with s = min(m, n), for all matrices of a
 * shape at once. The difference W - W0 is formed in f32 before anything is multiplied: subtracting two projections
 * instead, as the authors' fp16 code does, leaves a penalty above zero at the start and mostly noise as its gradient.
 * At λ = 0 zeros are added: every bit of the gradient stays, except that a -0 becomes 0, which AdamW does not see.
 */
import type { Call, Slice } from '../gpu/kernel.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { blockCalls, spreadCalls } from '../spectral/block.ts';
import type { Directions } from '../spectral/decompose.ts';
import { Workspace } from '../spectral/workspace.ts';
import { rpsftOfAdapter } from './adapterPenalty.ts';
import { distanceCall, distancePartials, partialCount, partialSums, squaresCall, SQUARES_CHUNK, wholeRuns, type DenseTargets, type HeldDirections, type Penalty, type PenaltyTargets } from './penalty.ts';

/** @param directions of the pretrained weights, all or some of the matrices; the others are left free */
export function rpsftPenalty(targets: PenaltyTargets, directions: HeldDirections): Penalty {
  const { weights } = targets;
  return weights instanceof AdaptedWeights ? rpsftOfAdapter({ ...targets, weights }, directions) : densePenalty({ ...targets, weights: weights.trained }, directions);
}

function densePenalty(targets: DenseTargets, { bases, degenerate }: HeldDirections): Penalty {
  const workspace = new Workspace(targets.context);
  const runs = wholeRuns(degenerate);
  const { ranges, sum } = partialSums(workspace, targets, [...bases.map((basis) => partialCount(blockElements(basis), SQUARES_CHUNK)), ...runs.map(distancePartials)]);
  // One batch after the other, so that all share the room of the largest.
  const room = (elements: (basis: Directions) => number, label: string): Slice => workspace.storage(Math.max(1, ...bases.map(elements)), label);
  const blocks = room(blockElements, 'penalty blocks');
  const narrow = room(narrowElements, 'penalty projections');
  const calls = [
    ...bases.flatMap((basis, i) => basisCalls(workspace, targets, basis, ranges[i]!, blocks, narrow)),
    ...runs.map((run, i) => distanceCall(workspace, targets, run, ranges[bases.length + i]!)),
    sum,
  ];
  return { calls, value: targets.value };
}

const blockElements = ({ batch, k }: Directions): number => batch.offsets.length * k * k;
const narrowElements = ({ batch, k }: Directions): number => batch.offsets.length * Math.min(batch.rows, batch.columns) * k;

/** C <- 2λC between the products that make the block and those that spread it. */
function basisCalls(workspace: Workspace, targets: DenseTargets, basis: Directions, partials: Slice, blockRoom: Slice, narrow: Slice): Call[] {
  const inShard = workspace.inShard(basis.batch);
  const block = { ...blockRoom, size: blockElements(basis) * 4 };
  return [
    ...blockCalls(workspace, targets, basis, inShard, { narrow, block }),
    squaresCall(targets.lambda, block, partials),
    ...spreadCalls(workspace, targets.gradients, basis, inShard, { narrow, block }),
  ];
}
