/**
 * @file What the methods that add a term on the weights have in common: they add its gradient to complete gradients,
 * before these are clipped, and write its value.
 */
import blockSource from '../../shaders/penalty-block.wgsl?raw';
import distanceSource from '../../shaders/penalty-distance.wgsl?raw';
import negateSource from '../../shaders/penalty-negate.wgsl?raw';
import sumSource from '../../shaders/penalty-sum.wgsl?raw';
import type { Context } from '../gpu/context.ts';
import { kernel, linearGrid, type Call, type Slice } from '../gpu/kernel.ts';
import type { Command } from '../gpu/program.ts';
import { enableHalves, storedFloats } from '../gpu/storedFloats.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Directions } from '../spectral/decompose.ts';
import type { Workspace } from '../spectral/workspace.ts';

/** The directions that a penalty holds: a `Decomposition`, or other ones of the same k in its place (spectral/controls.ts). */
export interface HeldDirections {
  readonly bases: readonly Directions[];
  /** Matrices whose k reaches their smaller side: their whole difference is penalised. */
  readonly degenerate: readonly MatrixBatch[];
}

/** What a penalty acts on; only the pretrained weights may be in halves. */
export interface PenaltyTargets {
  /** Scratch is made in this context's pool, for as long as the calls are used. */
  readonly context: Context;
  readonly weights: WeightSet;
  readonly pretrained: ParameterBuffers;
  /** Receives the penalty's gradient on top of what it holds; in the layout of `weights.trained`. */
  readonly gradients: ParameterBuffers;
  /** Uniform buffer that begins with λ as f32; it may be rewritten between replays, nothing of it is baked. */
  readonly lambda: Slice;
  /** Storage whose first f32 receives the penalty's value, λ included. */
  readonly value: Slice;
}

/** Targets that are trained in full; all `ParameterBuffers` have one layout. */
export interface DenseTargets extends PenaltyTargets {
  readonly weights: ParameterBuffers;
}

/** A recordable penalty. */
export interface Penalty {
  readonly calls: readonly Command[];
  readonly value: Slice;
}

/** Invocations that write a partial sum each, per workgroup; 64 floats keep ranges of partial sums bindable. */
const LANES = 64;

/** Ranges of one buffer for `counts` partial sums (multiples of 64), and the call that adds them all into the value. */
export function partialSums(workspace: Workspace, { lambda, value }: Pick<PenaltyTargets, 'lambda' | 'value'>, counts: readonly number[]): { readonly ranges: readonly Slice[]; readonly sum: Call } {
  const all = workspace.storage(counts.reduce((sum, count) => sum + count, 0), 'penalty partial sums');
  let offset = 0;
  const ranges = counts.map((count) => {
    const range = { buffer: all.buffer, offset, size: count * 4 };
    offset += range.size;
    return range;
  });
  return { ranges, sum: { kernel: kernel('penalty sum', sumSource, ['uniform', 'read', 'write']), slices: [lambda, all, value], grid: [1, 1, 1] } };
}

/** Partial sums of `elements` numbers when a workgroup takes `chunk` of them. */
export const partialCount = (elements: number, chunk: number): number => Math.ceil(elements / chunk) * LANES;

/** Runs of `size` numbers in one shard. */
export interface Runs {
  readonly shard: number;
  readonly offsets: readonly number[];
  readonly size: number;
}

const DISTANCE_CHUNK = 16384;

export const distancePartials = ({ offsets, size }: Runs): number => offsets.length * partialCount(size, DISTANCE_CHUNK);

/** gradients += 2λ(W - W0) on the runs, partials <- sums of (W - W0)². */
export function distanceCall(workspace: Workspace, { weights, pretrained, gradients, lambda }: DenseTargets, { shard, offsets, size }: Runs, partials: Slice): Call {
  const chunks = Math.ceil(size / DISTANCE_CHUNK);
  const [x, y] = linearGrid(chunks, 1);
  const { facts } = workspace.context.gpu;
  const source = storedFloats('pretrained', 2, pretrained.precision, facts) + distanceSource;
  const distance = kernel('penalty distance', source, ['uniform', 'read', 'read', 'write', 'read', 'write'], { SIZE: size, CHUNK: DISTANCE_CHUNK, CHUNKS: chunks });
  return {
    kernel: enableHalves(distance, [pretrained.precision], facts),
    slices: [lambda, weights.shards[shard]!, pretrained.shards[shard]!, gradients.shards[shard]!, workspace.upload(Uint32Array.from(offsets), 'starts'), partials],
    grid: [x, y, offsets.length],
  };
}

/** The whole of matrices as runs of numbers. */
export const wholeRuns = (batches: readonly MatrixBatch[]): Runs[] => batches.map(({ shard, offsets, rows, columns }) => ({ shard, offsets, size: rows * columns }));

/** Numbers that one workgroup of `squaresCall` takes. */
export const SQUARES_CHUNK = 4096;

/** partials <- sums of values², and values <- 2λ values, what the gradient of λ Σ values² is. */
export function squaresCall(lambda: Slice, values: Slice, partials: Slice): Call {
  const [x, y] = linearGrid(Math.ceil(values.size / 4 / SQUARES_CHUNK), 1);
  return { kernel: kernel('penalty block', blockSource, ['uniform', 'write', 'write'], { CHUNK: SQUARES_CHUNK }), slices: [lambda, values, partials], grid: [x, y, 1] };
}

/** values <- -values. */
export const negateCall = (values: Slice): Call => ({ kernel: kernel('penalty negate', negateSource, ['write']), slices: [values], grid: linearGrid(values.size / 4, 64) });
