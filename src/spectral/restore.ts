/**
 * @file Causal restore: puts what the pretrained weights had in their top-k block back into tuned ones, to see whether
 * that is where an ability went. With U, V the top-k singular vectors of the pretrained W0, sigma its singular values and
 * C = Uᵀ(W - W0)V the change of the block,
 *
 * - `block`: W - U C Vᵀ, whose block UᵀWV is diag(sigma) again, as U Uᵀ W0 V Vᵀ has it;
 * - `values`: W - U diag(C) Vᵀ, which undoes the diagonal: to first order d sigma_i = C_ii;
 * - `rotation`: W - U (C - diag(C)) Vᵀ, which undoes what is off the diagonal: to first order the turning of the leading
 *   vectors into each other, C_ij = (Omega_U)_ij sigma_j - sigma_i (Omega_V)_ij.
 *
 * The last two add up to the first. Everything outside the block stays as it was tuned, the turning of the subspaces
 * against their complement included.
 */
import restoreSource from '../../shaders/restore-block.wgsl?raw';
import type { Context } from '../gpu/context.ts';
import { kernel, linearGrid } from '../gpu/kernel.ts';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import { blockCalls, spreadCalls } from './block.ts';
import type { Basis, Decomposition } from './decompose.ts';
import { Slices, type Cost, type Measuring } from './measuring.ts';
import { Workspace } from './workspace.ts';

export type RestoredPart = 'block' | 'values' | 'rotation';

export interface Restored {
  /** All weights as plain ones in f32, adapters merged; free them with `destroy`. */
  readonly weights: ParameterBuffers;
  /** The matrices that got their part back; the others, and all vectors, are as tuned. */
  readonly names: readonly string[];
  readonly cost: Cost;
}

/**
 * A copy of `weights` with a part of the pretrained block put back: as much memory as the model takes in f32, and the
 * projections of the matrices of one shape. Of a matrix whose k reaches its smaller side the block is the whole matrix.
 * @throws {RangeError} for `values` or `rotation` of such a matrix, which has no basis to tell them by
 */
export async function restorePart(context: Context, weights: WeightSet, pretrained: ParameterBuffers, { bases, degenerate }: Decomposition, part: RestoredPart, measuring: Measuring = {}): Promise<Restored> {
  const [whole] = degenerate;
  if (whole && part !== 'block') {
    throw new RangeError(`k reaches the smaller side of ${whole.names[0]} (${whole.rows} x ${whole.columns}), so its ${part} cannot be told from the rest. Decompose with a smaller k, or restore the block, which is then the whole matrix.`);
  }
  const slices = new Slices(measuring, 1 + bases.length + degenerate.length);
  const restored = await slices.run(async () => (weights instanceof AdaptedWeights ? merge(context, weights) : weights.trained.copy(context)));
  try {
    for (const basis of bases) await slices.run(() => restoreBasis(context, restored, pretrained, basis, part));
    for (const batch of degenerate) await slices.run(() => restoreWhole(context, restored, pretrained, batch));
  } catch (error) {
    restored.destroy(context.pool);
    throw error;
  }
  const names = [...bases.map(({ batch }) => batch), ...degenerate].flatMap((batch) => batch.names);
  return { weights: restored, names, cost: { tokens: 0, backwardTokens: 0, seconds: slices.seconds } };
}

async function restoreBasis(context: Context, weights: ParameterBuffers, pretrained: ParameterBuffers, basis: Basis, part: RestoredPart): Promise<void> {
  const workspace = new Workspace(context);
  try {
    const { batch, k } = basis;
    const count = batch.offsets.length;
    const inShard = workspace.inShard(batch);
    const rooms = {
      narrow: workspace.storage(count * Math.min(batch.rows, batch.columns) * k, 'restored projections'),
      block: workspace.storage(count * k * k, 'restored blocks'),
    };
    const keep = kernel('restore block', restoreSource, ['write'], { K: k, VALUES: part !== 'rotation', ROTATION: part !== 'values' });
    const program = await workspace.record('restore', [
      ...blockCalls(workspace, { weights, pretrained }, basis, inShard, rooms),
      { kernel: keep, slices: [rooms.block], grid: linearGrid(count * k * k, 64) },
      ...spreadCalls(workspace, weights, basis, inShard, rooms),
    ]);
    program.replay();
    await context.gpu.device.queue.onSubmittedWorkDone();
    context.gpu.assertHealthy();
  } finally {
    workspace.destroy();
  }
}

async function restoreWhole({ gpu: { device } }: Context, weights: ParameterBuffers, pretrained: ParameterBuffers, { names }: MatrixBatch): Promise<void> {
  const placed = new Map(pretrained.layout.weights.map((weight) => [weight.name, weight]));
  for (const name of names) weights.write(device, placed.get(name)!, await pretrained.read(device, placed.get(name)!));
}
