/**
 * @file Truncated singular value decompositions of all weight matrices of one shape at once: the eigenproblem of the smaller Gram matrix, in full.
 *
 * Spectra of language models are flat, so iterations on a sketch converge slowly: four power iterations left 1.3% of the energy of SmolLM2-135M's
 * down_proj outside, and a Chebyshev filter of degree 10 on the block takes, counted, four times the operations of tridiagonalising the whole matrix. So every matrix takes
 * one exact route: A Aᵀ, its tridiagonal form (tridiagonal.ts), the eigenvectors of that in f64 on the CPU (eigen.ts), and back. Only 2n + n k numbers
 * cross, and the CPU's part is a tenth of a second for ten matrices of 576, too little for helpers to be worth their start.
 *
 * What came out is measured (quality.ts). A Gram matrix squares the condition: where values reach further down than f32 then resolves, the directions
 * that stand are taken out of the matrix and the rest is decomposed again, until the contract holds.
 *
 * Orientation: `short` is the smaller side of the matrix, `long` the other; A stands for the matrix as [short, long].
 */
import { totalBytes } from '../gpu/buffers.ts';
import { countingContext, type Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { MatrixBatch, ParameterBuffers, ParameterLayout } from '../models/parameters.ts';
import { BatchSolver, matricesTogether, planSolver } from './batchSolver.ts';
import type { BasisQuality } from './quality.ts';
import { Workspace, type Progress } from './workspace.ts';

/** k directions on either side of each matrix [rows, columns] of a batch. */
export interface Directions {
  readonly batch: MatrixBatch;
  readonly k: number;
  /** [batch, rows, k], orthonormal columns */
  readonly u: Slice;
  /** [batch, columns, k], orthonormal columns */
  readonly v: Slice;
}

/** The top-k singular triplets of each matrix W [rows, columns] of a batch, largest first: W v_i = sigma_i u_i. */
export interface Basis extends Directions {
  /** [batch, k] */
  readonly sigma: Slice;
  /** What was measured of each matrix's basis, in the order of the batch; empty before it is made. */
  readonly quality: readonly BasisQuality[];
}

export interface DecomposeOptions {
  readonly k: number;
  /** Of the directions that stand where a matrix of a rank below k has none. */
  readonly seed?: number;
  /** The k smallest triplets instead, smallest first. */
  readonly smallest?: boolean;
}

/** Names how `decomposeAll` decomposes: kept bases that were made another way are made anew. */
export const ROUTE = 'tridiagonal';

/** From this smaller side on k is a whole number of fours. */
const FOURS_FROM = 32;

/**
 * k for a matrix: a fraction of its smaller side, at least 1. When it equals that side the matrix is degenerate: no basis
 * restricts it. k of all but small matrices is rounded to fours, with which every product loads four numbers at once;
 * one more or less in a hundred is no other method, and products of k = 115 run several times slower than of 116.
 */
export function effectiveRank({ rows, columns }: Pick<MatrixBatch, 'rows' | 'columns'>, rankFraction: number): number {
  const short = Math.min(rows, columns);
  const step = short >= FOURS_FROM ? 4 : 1;
  const rounded = step * Math.max(1, Math.round((rankFraction * short) / step));
  return rankFraction >= 1 ? short : Math.min(short, rounded);
}

/** A decomposition whose buffers and programs are made once and which may be run again as the weights change. */
export class BatchDecomposition {
  #quality: readonly BasisQuality[] = [];

  private constructor(
    private readonly context: Context,
    private readonly directions: Omit<Basis, 'quality'>,
    private readonly solver: BatchSolver,
  ) {}

  /**
   * @param values only read
   * @throws {RangeError} when k is not below the smaller side, where there is nothing to truncate
   */
  static async create(context: Context, values: ParameterBuffers, batch: MatrixBatch, { k, seed = 0, smallest = false }: DecomposeOptions): Promise<BatchDecomposition> {
    const { rows, columns } = batch;
    const short = Math.min(rows, columns);
    if (!Number.isInteger(k) || k < 1 || k >= short) throw new RangeError(`A truncated decomposition of ${rows} x ${columns} needs k from 1 to ${short - 1}, not ${k}.`);
    const solver = await BatchSolver.create(context, values, batch, { k, smallest, together: matricesTogether(context, batch, k), seeds: Uint32Array.from(batch.names, (name) => hashName(name) ^ seed) });
    try {
      return new BatchDecomposition(context, basisRoom(context, batch, k), solver);
    } catch (error) {
      solver.destroy();
      throw error;
    }
  }

  /** As it is after the last run. */
  get basis(): Basis {
    return { ...this.directions, quality: this.#quality };
  }

  /** Decomposes the matrices as they are now into `basis`. */
  async run(onMatrix: () => void = () => undefined): Promise<void> {
    const { batch, k, u, v, sigma } = this.directions;
    const { device } = this.context.gpu;
    const quality: BasisQuality[] = [];
    const { together } = this.solver;
    for (let first = 0; first < batch.names.length; first += together) {
      const count = Math.min(together, batch.names.length - first);
      const solved = await this.solver.solve(first, count, onMatrix);
      const encoder = device.createCommandEncoder({ label: 'keep bases' });
      const keep = (from: Slice, to: Slice, elements: number): void => encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset + 4 * first * elements, 4 * count * elements);
      keep(solved.u, u, batch.rows * k);
      keep(solved.v, v, batch.columns * k);
      keep(solved.sigma, sigma, k);
      device.queue.submit([encoder.finish()]);
      quality.push(...solved.quality);
    }
    await device.queue.onSubmittedWorkDone();
    this.#quality = quality;
  }

  /** Frees the working memory; the basis stays. */
  destroyScratch(): void {
    this.solver.destroy();
  }
}

/** Decomposes a batch once. An error thrown by `onMatrix` ends the work and leaves nothing behind. */
export async function decompose(context: Context, values: ParameterBuffers, batch: MatrixBatch, options: DecomposeOptions, onMatrix?: () => void): Promise<Basis> {
  const decomposition = await BatchDecomposition.create(context, values, batch, options);
  try {
    await decomposition.run(onMatrix);
    return decomposition.basis;
  } catch (error) {
    destroyBases(context, [decomposition.basis]);
    throw error;
  } finally {
    decomposition.destroyScratch();
  }
}

/** What RPSFT and the drift measurement need to know of the pretrained weights. */
export interface Decomposition {
  readonly bases: readonly Basis[];
  /** Matrices whose k reaches their smaller side: no basis, RPSFT penalises their whole difference. */
  readonly degenerate: readonly MatrixBatch[];
}

/** The weights to decompose: all 2-D ones, or those of these names. */
export function batchesNamed(layout: ParameterLayout, names?: ReadonlySet<string>): MatrixBatch[] {
  if (!names) return layout.matrixBatches();
  const chosen = layout.matrixBatches().map((batch) => {
    const at = [...batch.names.keys()].filter((i) => names.has(batch.names[i]!));
    return { ...batch, names: at.map((i) => batch.names[i]!), offsets: at.map((i) => batch.offsets[i]!) };
  });
  return chosen.filter((batch) => batch.names.length > 0);
}

/** The weights to hold, all 2-D ones or those of these names, with the k of each; those whose k reaches their smaller side apart. */
export function heldMatrices(layout: ParameterLayout, rankFraction: number, names?: ReadonlySet<string>): { readonly restricted: readonly Pick<Directions, 'batch' | 'k'>[]; readonly degenerate: readonly MatrixBatch[] } {
  const all = batchesNamed(layout, names).map((batch) => ({ batch, k: effectiveRank(batch, rankFraction) }));
  const isWhole = ({ batch, k }: (typeof all)[number]): boolean => k >= Math.min(batch.rows, batch.columns);
  return { restricted: all.filter((each) => !isWhole(each)), degenerate: all.filter(isWhole).map(({ batch }) => batch) };
}

/**
 * Decomposes every 2-D weight, or those of `names`, each with its own k = rankFraction of its smaller side.
 * An error thrown by `onProgress` ends the work and leaves nothing behind.
 */
export async function decomposeAll(
  context: Context,
  values: ParameterBuffers,
  { rankFraction, names, ...options }: Omit<DecomposeOptions, 'k'> & { readonly rankFraction: number; readonly names?: ReadonlySet<string> | undefined },
  onProgress: Progress = () => undefined,
): Promise<Decomposition> {
  const batches = batchesNamed(values.layout, names);
  const total = batches.reduce((sum, batch) => sum + batch.names.length, 0);
  const bases: Basis[] = [];
  const degenerate: MatrixBatch[] = [];
  let done = 0;
  const advance = (count: number): void => onProgress((done += count), total);
  try {
    for (const batch of batches) {
      const k = effectiveRank(batch, rankFraction);
      if (k < Math.min(batch.rows, batch.columns)) bases.push(await decompose(context, values, batch, { ...options, k }, () => advance(1)));
      else {
        degenerate.push(batch);
        advance(batch.names.length);
      }
    }
  } catch (error) {
    destroyBases(context, bases);
    throw error;
  }
  return { bases, degenerate };
}

/** The bases that `decomposeAll` would give, without numbers: for plans on a context that only counts. */
export function plannedDecomposition({ pool }: Pick<Context, 'pool'>, layout: ParameterLayout, rankFraction: number, chosen?: ReadonlySet<string>): Decomposition {
  const { restricted, degenerate } = heldMatrices(layout, rankFraction, chosen);
  const bases = restricted.map(({ batch, k }): Basis => ({ ...basisRoom({ pool }, batch, k), quality: [] }));
  return { bases, degenerate };
}

/**
 * Bytes that decomposing holds at most beside weights and bases: the room of the shape that takes most. A matrix of a spectrum beyond what f32 resolves
 * takes more, which is not in it.
 * @param values as `model.planned` gives them
 */
export function decompositionRoom(context: Context, values: ParameterBuffers, rankFraction: number, names?: ReadonlySet<string>): number {
  const rooms = heldMatrices(values.layout, rankFraction, names).restricted.map(({ batch, k }) => {
    const counting = countingContext(context);
    planSolver(new Workspace(counting), values, batch, { k, together: matricesTogether(context, batch, k) });
    return totalBytes(counting.pool.bytes);
  });
  return Math.max(0, ...rooms);
}

/** Frees bases of any kind. */
export function destroyBases({ pool }: Pick<Context, 'pool'>, bases: readonly (Directions & Partial<Basis>)[]): void {
  for (const { u, v, sigma } of bases) for (const slice of [u, v, ...(sigma ? [sigma] : [])]) pool.destroy(slice);
}

/** Zeroed room for a basis, sized to the element. */
export function basisRoom({ pool }: Pick<Context, 'pool'>, batch: MatrixBatch, k: number): Omit<Basis, 'quality'> {
  const room = (elements: number, label: string): Slice => ({ ...pool.storage(4 * batch.names.length * elements, 'bases', label), size: 4 * batch.names.length * elements });
  return { batch, k, u: room(batch.rows * k, 'left basis'), v: room(batch.columns * k, 'right basis'), sigma: room(k, 'singular values') };
}

/** FNV-1a: a name's own seed, whatever batch the matrix is in. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
