/**
 * @file Two-sided RPSFT, ours: λ Σ ‖Uᵀ dW‖² + ‖(I - U Uᵀ) dW V‖² with dW = W - W0. RPSFT's block leaves free what turns the
 * leading directions against the rest; this holds everything that a leading direction goes into or comes out of, which
 * is dW less (I - U Uᵀ) dW (I - V Vᵀ).
 *
 * With X = Uᵀ dW and Z = (I - U Uᵀ) dW V the gradient is 2λ (U X + Z Vᵀ): 8mnk + 4mk² operations a matrix, twice RPSFT's.
 * Z is formed as dW V - U (Uᵀ dW V), not from norms, whose difference would cancel.
 */
import type { Call, Slice } from '../gpu/kernel.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { Directions } from '../spectral/decompose.ts';
import { Workspace } from '../spectral/workspace.ts';
import { twoSidedOfAdapter } from './adapterPenalty.ts';
import { distanceCall, distancePartials, negateCall, partialCount, partialSums, squaresCall, SQUARES_CHUNK, wholeRuns, type DenseTargets, type HeldDirections, type Penalty, type PenaltyTargets } from './penalty.ts';

/** @param directions of the pretrained weights, all or some of the matrices; the others are left free */
export function twoSidedPenalty(targets: PenaltyTargets, directions: HeldDirections): Penalty {
  const { weights } = targets;
  return weights instanceof AdaptedWeights ? twoSidedOfAdapter({ ...targets, weights }, directions) : densePenalty({ ...targets, weights: weights.trained }, directions);
}

const elements = ({ batch, k }: Directions, side: 'rows' | 'columns'): number => batch.offsets.length * batch[side] * k;
const blockElements = ({ batch, k }: Directions): number => batch.offsets.length * k * k;

function densePenalty(targets: DenseTargets, { bases, degenerate }: HeldDirections): Penalty {
  const workspace = new Workspace(targets.context);
  const runs = wholeRuns(degenerate);
  const counts = bases.flatMap((basis) => [partialCount(elements(basis, 'columns'), SQUARES_CHUNK), partialCount(elements(basis, 'rows'), SQUARES_CHUNK)]);
  const { ranges, sum } = partialSums(workspace, targets, [...counts, ...runs.map(distancePartials)]);
  // One batch after the other, so that all share the room of the largest.
  const room = (of: (basis: Directions) => number, label: string): Slice => workspace.storage(Math.max(1, ...bases.map(of)), label);
  const rooms: Rooms = {
    left: room((basis) => elements(basis, 'columns'), 'penalty left projections'),
    right: room((basis) => elements(basis, 'rows'), 'penalty right projections'),
    block: room(blockElements, 'penalty blocks'),
  };
  const calls = [
    ...bases.flatMap((basis, i) => basisCalls(workspace, targets, basis, rooms, [ranges[2 * i]!, ranges[2 * i + 1]!])),
    ...runs.map((run, i) => distanceCall(workspace, targets, run, ranges[2 * bases.length + i]!)),
    sum,
  ];
  return { calls, value: targets.value };
}

/** left [batch, columns, k] = Xᵀ, right [batch, rows, k] = Z, block [batch, k, k] = Uᵀ dW V. */
type Rooms = Readonly<Record<'left' | 'right' | 'block', Slice>>;

function basisCalls(workspace: Workspace, targets: DenseTargets, basis: Directions, rooms: Rooms, [leftPartials, rightPartials]: readonly [Slice, Slice]): Call[] {
  const { weights, pretrained, gradients, lambda } = targets;
  const { batch, k, u, v } = basis;
  const { rows, columns, shard } = batch;
  const { shape, table } = workspace.inShard(batch);
  const left = { ...rooms.left, size: 4 * elements(basis, 'columns') };
  const right = { ...rooms.right, size: 4 * elements(basis, 'rows') };
  const block = { ...rooms.block, size: 4 * blockElements(basis) };
  const change = { ...shape, a: 'table', aMinus: true, aMinusType: pretrained.precision } as const;
  const operands = { a: weights.shards[shard]!, aMinus: pretrained.shards[shard]!, table };
  const onto = { ...shape, c: 'table', accumulate: true, layout: 'NT', m: rows, n: columns, k } as const;
  const into = { c: gradients.shards[shard]!, table };
  return [
    ...workspace.product({ ...change, layout: 'TN', m: columns, n: k, k: rows }, { ...operands, b: u, c: left }),
    ...workspace.product({ ...change, layout: 'NN', m: rows, n: k, k: columns }, { ...operands, b: v, c: right }),
    ...workspace.product({ batch: shape.batch, layout: 'TN', m: k, n: k, k: rows }, { a: u, b: right, c: block }),
    negateCall(block),
    ...workspace.product({ batch: shape.batch, layout: 'NN', m: rows, n: k, k, accumulate: true }, { a: u, b: block, c: right }),
    squaresCall(lambda, left, leftPartials),
    squaresCall(lambda, right, rightPartials),
    ...workspace.product(onto, { ...into, a: u, b: left }),
    ...workspace.product(onto, { ...into, a: right, b: v }),
  ];
}
