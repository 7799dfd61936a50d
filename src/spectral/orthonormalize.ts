/**
 * @file Orthonormal columns for a batch of tall matrices by CholeskyQR2 (Fukaya et al. 2014): two passes of
 * G = YᵀY, a small triangular factor, Y <- Y X. Nearly everything is matrix products, which is what GPUs do best.
 */
import choleskySource from '../../shaders/spectral-cholesky.wgsl?raw';
import gaussianSource from '../../shaders/spectral-gaussian.wgsl?raw';
import newtonSource from '../../shaders/spectral-newton.wgsl?raw';
import { kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Workspace } from './workspace.ts';

const ROWS_PER_GROUP = 256;
/** Which numbers of a matrix's seed: the first sketch, or columns put in later. */
const SKETCH_STREAM = 0;
const REPLACEMENT_STREAM = 1;
/** After one pass a column that stood on its own has a pivot near 1. */
const SECOND_PASS_REPLACE_BELOW = 0.01;

interface Tall {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

/** y [batch, rows, columns] <- standard normal numbers. */
export function sketchCall({ batch, rows, columns }: Tall, seeds: Slice, y: Slice): Call {
  return {
    kernel: gaussianKernel(rows, columns, SKETCH_STREAM, false),
    slices: [seeds, y],
    grid: [Math.ceil(columns / 64), Math.ceil(rows / ROWS_PER_GROUP), batch],
  };
}

/** Buffers that any number of orthonormalisations of at most this size share. */
export interface OrthonormalScratch {
  /** [batch, rows, columns] */
  readonly other: Slice;
  /** [batch, columns, columns] each */
  readonly gram: Slice;
  readonly inverse: Slice;
  /** [batch, columns] each */
  readonly norms: Slice;
  readonly replaced: Slice;
}

export const orthonormalScratch = (workspace: Workspace, { batch, rows, columns }: Tall, other = workspace.storage(batch * rows * columns, 'orthonormalisation')): OrthonormalScratch => ({
  other,
  gram: workspace.storage(batch * columns * columns, 'column products'),
  inverse: workspace.storage(batch * columns * columns, 'triangular factors'),
  norms: workspace.storage(batch * columns, 'column norms'),
  replaced: workspace.storage(batch * columns, 'replaced columns'),
});

/**
 * Makes the columns of y [batch, rows, columns] orthonormal in place, each spanning the same as before with those to
 * its left. Zero and dependent columns become other directions; a batch with such columns needs the calls twice.
 * @param norms [batch, columns], set to the lengths the columns had
 */
export function orthonormalCalls(workspace: Workspace, size: Tall, seeds: Slice, y: Slice, scratch: OrthonormalScratch, norms: Slice = scratch.norms): Call[] {
  return [
    ...passCalls(workspace, size, seeds, { from: y, to: scratch.other, norms, replaceBelow: 0 }, scratch),
    ...passCalls(workspace, size, seeds, { from: scratch.other, to: y, norms: scratch.norms, replaceBelow: SECOND_PASS_REPLACE_BELOW }, scratch),
  ];
}

/**
 * One Newton-Schulz step: `to` gets the columns of `from` [batch, rows, columns] with their lengths made 1 and what they share taken out evenly. Products
 * of neighbours of size d become about columns d², so one step is enough for columns that rounding alone has put out of square.
 * @param lengths [batch, columns], set to the lengths the columns had
 */
export function newtonCalls(workspace: Workspace, { batch, rows, columns }: Tall, from: Slice, to: Slice, { gram, step }: NewtonScratch, lengths: Slice): Call[] {
  return [
    ...workspace.product({ layout: 'TN', m: columns, n: columns, k: rows, batch, skip: 'below' }, { a: from, b: from, c: gram }),
    { kernel: kernel('spectral newton', newtonSource, ['read', 'write', 'write'], { COLUMNS: columns }), slices: [gram, step, lengths], grid: [Math.ceil(columns / 64), columns, batch] },
    ...workspace.product({ layout: 'NN', m: rows, n: columns, k: columns, batch }, { a: from, b: step, c: to }),
  ];
}

/** [batch, columns, columns] each. */
export interface NewtonScratch {
  readonly gram: Slice;
  readonly step: Slice;
}

function passCalls(
  workspace: Workspace,
  { batch, rows, columns }: Tall,
  seeds: Slice,
  { from, to, norms, replaceBelow }: { readonly from: Slice; readonly to: Slice; readonly norms: Slice; readonly replaceBelow: number },
  { gram, inverse, replaced }: OrthonormalScratch,
): Call[] {
  const setting = new ArrayBuffer(8);
  new Uint32Array(setting)[0] = columns;
  new Float32Array(setting)[1] = replaceBelow;
  return [
    ...workspace.product({ layout: 'TN', m: columns, n: columns, k: rows, batch }, { a: from, b: from, c: gram }),
    {
      kernel: kernel('spectral cholesky', choleskySource, ['uniform', 'write', 'write', 'write', 'write'], { LANES: columns > 128 ? 256 : 64 }),
      slices: [workspace.uniform(setting, 'cholesky setting'), gram, inverse, norms, replaced],
      grid: [batch, 1, 1],
    },
    ...workspace.product({ layout: 'NN', m: rows, n: columns, k: columns, batch }, { a: from, b: inverse, c: to }),
    {
      kernel: gaussianKernel(rows, columns, REPLACEMENT_STREAM, true),
      slices: [seeds, to, replaced],
      grid: [Math.ceil(columns / 64), Math.ceil(rows / ROWS_PER_GROUP), batch],
    },
  ];
}

const gaussianKernel = (rows: number, columns: number, stream: number, onlyReplaced: boolean): Call['kernel'] =>
  kernel('spectral gaussian', gaussianSource, onlyReplaced ? ['read', 'write', 'read'] : ['read', 'write'], {
    ROWS: rows,
    COLUMNS: columns,
    STREAM: stream,
    ROWS_PER_GROUP,
    ONLY_REPLACED: onlyReplaced,
  });
