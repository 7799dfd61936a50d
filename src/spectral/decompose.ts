/**
 * @file Truncated singular value decompositions of all weight matrices of one shape at once.
 *
 * Two routes, both of which end in one small symmetric eigenproblem per matrix (eigen.ts, on the CPU in f64):
 * - `sketch`: randomized subspace iteration (Halko, Martinsson & Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1),
 *   orthonormal after every product. Spectra of language models are flat, so iterations matter more than oversampling.
 * - `gram`: the exact A Aᵀ of the smaller side, where a sketch would save nothing or one side is long (embeddings).
 *
 * Orientation: `short` is the smaller side of the matrix, `long` the other; A stands for the matrix as [short, long].
 */
import { readFloats } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import type { MatrixBatch, ParameterBuffers, ParameterLayout } from '../models/parameters.ts';
import { symmetricEigen } from './eigen.ts';
import { orthonormalCalls, orthonormalScratch, sketchCall } from './orthonormalize.ts';
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

/** How well a basis is known to hold, from what was measured of it. */
export interface BasisQuality {
  /** Energy ‖UᵀW‖² that the best block of k has and this one lacks, as a share of the former; an upper estimate. */
  readonly lostEnergy: number;
  /** Mean squared cosine between this subspace and the exact one, a lower estimate; directions as long as the k-th to 1e-3 may stand for each other. */
  readonly overlap: number;
  /** Rounds of deflation it took; 1 where the first held. */
  readonly rounds: number;
}

/** The top-k singular triplets of each matrix W [rows, columns] of a batch, largest first: W v_i = sigma_i u_i. */
export interface Basis extends Directions {
  /** [batch, k] */
  readonly sigma: Slice;
  /** One a matrix, in the batch's order. */
  readonly quality?: readonly BasisQuality[];
}

export interface DecomposeOptions {
  readonly k: number;
  readonly powerIterations?: number;
  /** Columns of the sketch beyond k. */
  readonly oversampling?: number;
  readonly seed?: number;
  /** Chosen by shape when left out. */
  readonly route?: 'sketch' | 'gram';
  /** The k smallest triplets instead, smallest first; always by the exact route, with an eigenproblem of the smaller side. */
  readonly smallest?: boolean;
}

/** Names how `decomposeAll` decomposes: kept bases that were made another way are made anew. */
export const ROUTE = 'gram or sketch';

const POWER_ITERATIONS = 4;
const OVERSAMPLING = 24;
/** Past this part of the smaller side a sketch costs more than the exact route. */
const LARGEST_SKETCH = 0.4;
/** A matrix this many times longer than wide is an embedding: its Gram matrix is small beside it. */
const TALL = 8;
/** Largest Gram matrix that is chosen for tallness alone; its eigenproblem takes seconds. */
const LARGEST_TALL_GRAM = 1024;
/** Below this ratio of eigenvalues (sigma below 1e-3) a direction is mostly the rounding of f32 products. */
const DEFICIENT = 1e-6;

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
  readonly basis: Basis;
  readonly #workspace: Workspace;
  readonly #size: number;
  readonly #smallest: boolean;
  readonly #gram: Slice;
  readonly #coefficients: Slice;
  readonly #beforeEigen: readonly Program[];
  readonly #afterEigen: Program;
  readonly #again: Program;

  private constructor(
    workspace: Workspace,
    basis: Basis,
    parts: { size: number; smallest: boolean; gram: Slice; coefficients: Slice; beforeEigen: readonly Program[]; afterEigen: Program; again: Program },
  ) {
    this.#workspace = workspace;
    this.basis = basis;
    this.#size = parts.size;
    this.#smallest = parts.smallest;
    this.#gram = parts.gram;
    this.#coefficients = parts.coefficients;
    this.#beforeEigen = parts.beforeEigen;
    this.#afterEigen = parts.afterEigen;
    this.#again = parts.again;
  }

  /**
   * @param values only read
   * @throws {RangeError} when k is not below the smaller side, where there is nothing to truncate
   */
  static async create(context: Context, values: ParameterBuffers, batch: MatrixBatch, options: DecomposeOptions): Promise<BatchDecomposition> {
    const workspace = new Workspace(context);
    try {
      return await BatchDecomposition.#build(workspace, values, batch, options);
    } catch (error) {
      workspace.destroy();
      throw error;
    }
  }

  static async #build(workspace: Workspace, values: ParameterBuffers, batch: MatrixBatch, options: DecomposeOptions): Promise<BatchDecomposition> {
    const { k, powerIterations = POWER_ITERATIONS, oversampling = OVERSAMPLING, seed = 0, smallest = false } = options;
    const { rows, columns } = batch;
    const count = batch.offsets.length;
    const short = Math.min(rows, columns);
    const long = Math.max(rows, columns);
    if (!Number.isInteger(k) || k < 1 || k >= short) throw new RangeError(`A truncated decomposition of ${rows} x ${columns} needs k from 1 to ${short - 1}, not ${k}.`);
    // Whole vec4s: the products are several times faster on some adapters.
    const sketched = Math.min(short, Math.ceil((k + oversampling) / 4) * 4);
    const tall = long > TALL * short && short <= LARGEST_TALL_GRAM;
    const route = smallest ? 'gram' : (options.route ?? (sketched > LARGEST_SKETCH * short || tall ? 'gram' : 'sketch'));
    const size = route === 'gram' ? short : sketched;

    const basis: Basis = {
      batch,
      k,
      u: workspace.storage(count * rows * k, 'left basis', 'bases'),
      v: workspace.storage(count * columns * k, 'right basis', 'bases'),
      sigma: workspace.storage(count * k, 'singular values', 'bases'),
    };
    const [shortFactor, longFactor] = rows <= columns ? [basis.u, basis.v] : [basis.v, basis.u];
    const seeds = workspace.upload(Uint32Array.from(batch.names, (name) => hashName(name) ^ seed), 'seeds');
    const gram = workspace.storage(count * size * size, 'eigenproblem');
    const products = matrixProducts(workspace, values, batch);

    const beforeEigen: Program[] = [];
    const finish: Call[] = [];
    let coefficients = shortFactor;
    if (route === 'gram') {
      beforeEigen.push(await workspace.record('gram matrices', products.shortGram(gram)));
      finish.push(...products.toLong(shortFactor, k, longFactor));
    } else {
      const y = workspace.storage(count * short * size, 'short sketch');
      const z = workspace.storage(count * long * size, 'long sketch');
      const scratch = orthonormalScratch(workspace, { batch: count, rows: long, columns: size });
      const orthonormalY = orthonormalCalls(workspace, { batch: count, rows: short, columns: size }, seeds, y, part(scratch, count * short * size));
      const orthonormalZ = orthonormalCalls(workspace, { batch: count, rows: long, columns: size }, seeds, z, scratch);
      const sketch = sketchCall({ batch: count, rows: long, columns: size }, seeds, z);
      const start = await workspace.record('sketch', [sketch, ...products.toShort(z, size, y), ...orthonormalY]);
      const iterate = await workspace.record('power iteration', [...products.toLong(y, size, z), ...orthonormalZ, ...products.toShort(z, size, y), ...orthonormalY]);
      // Orthonormal once more, for matrices of a rank below the sketch's; then zᵀz = (Qᵀ A)(Qᵀ A)ᵀ.
      const project = await workspace.record('project', [
        ...orthonormalY,
        ...products.toLong(y, size, z),
        ...workspace.product({ layout: 'TN', m: size, n: size, k: long, batch: count }, { a: z, b: z, c: gram }),
      ]);
      beforeEigen.push(start, ...Array.from({ length: powerIterations }, () => iterate), project);
      coefficients = workspace.storage(count * size * k, 'coefficients');
      finish.push(
        ...workspace.product({ layout: 'NN', m: short, n: k, k: size, batch: count }, { a: y, b: coefficients, c: shortFactor }),
        ...workspace.product({ layout: 'NN', m: long, n: k, k: size, batch: count }, { a: z, b: coefficients, c: longFactor }),
      );
    }
    // The long factor arrives as sigma_i times its vectors.
    const tallFactor = { batch: count, rows: long, columns: k };
    const scratch = orthonormalScratch(workspace, tallFactor);
    const afterEigen = await workspace.record('long factor', [...finish, ...orthonormalCalls(workspace, tallFactor, seeds, longFactor, scratch, basis.sigma)]);
    const again = await workspace.record('long factor again', orthonormalCalls(workspace, tallFactor, seeds, longFactor, scratch));
    for (const slice of [basis.u, basis.v, basis.sigma]) workspace.release(slice);
    return new BatchDecomposition(workspace, basis, { size, smallest, gram, coefficients, beforeEigen, afterEigen, again });
  }

  /** Decomposes the matrices as they are now into `basis`. */
  async run(onMatrix: () => void = () => undefined): Promise<void> {
    const { device } = this.#workspace.context.gpu;
    for (const program of this.#beforeEigen) {
      program.replay();
      await device.queue.onSubmittedWorkDone();
    }
    const size = this.#size;
    const { k, batch } = this.basis;
    const gram = await readFloats(device, this.#gram);
    const coefficients = new Float32Array(batch.offsets.length * size * k);
    // The columns that the smallest values leave of the long factor may be anything.
    let deficient = this.#smallest;
    let breath = performance.now();
    for (let matrix = 0; matrix < batch.offsets.length; matrix += 1) {
      const own = gram.subarray(matrix * size * size, (matrix + 1) * size * size);
      const { values, vectors } = symmetricEigen(this.#smallest ? own.map((value) => -value) : own, size, k);
      if (!(values[k - 1]! > DEFICIENT * values[0]!)) deficient = true;
      for (let i = 0; i < k; i += 1) {
        for (let j = 0; j < size; j += 1) coefficients[(matrix * size + j) * k + i] = vectors[i * size + j]!;
      }
      onMatrix();
      if (performance.now() - breath > 30) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        breath = performance.now();
      }
    }
    device.queue.writeBuffer(this.#coefficients.buffer, 0, coefficients);
    this.#afterEigen.replay();
    if (deficient) this.#again.replay();
    await device.queue.onSubmittedWorkDone();
  }

  /** Frees the working memory; the basis stays. */
  destroyScratch(): void {
    this.#workspace.destroy();
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
  const bases = restricted.map(({ batch, k }): Basis => {
    const room = (elements: number, label: string): Slice => pool.storage(4 * batch.names.length * elements, 'bases', label);
    return { batch, k, u: room(batch.rows * k, 'left basis'), v: room(batch.columns * k, 'right basis'), sigma: room(k, 'singular values') };
  });
  return { bases, degenerate };
}

/** Frees bases of any kind. */
export function destroyBases({ pool }: Pick<Context, 'pool'>, bases: readonly (Directions & Partial<Basis>)[]): void {
  for (const { u, v, sigma } of bases) for (const slice of [u, v, ...(sigma ? [sigma] : [])]) pool.destroy(slice);
}

/** Products with the matrices of a batch where they lie in their shard, as [short, long] whichever way they are stored. */
function matrixProducts(workspace: Workspace, { shards, precision }: ParameterBuffers, batch: MatrixBatch) {
  const { rows, columns } = batch;
  const short = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  const wide = rows <= columns;
  const { shape, table } = workspace.inShard(batch);
  const common = { ...shape, a: 'table', aType: precision } as const;
  const shard = shards[batch.shard]!;
  return {
    /** y [batch, short, n] = A z, z [batch, long, n] */
    toShort: (z: Slice, n: number, y: Slice): Call[] =>
      workspace.product({ ...common, layout: wide ? 'NN' : 'TN', m: short, n, k: long }, { a: shard, b: z, c: y, table }),
    /** z [batch, long, n] = Aᵀ y, y [batch, short, n] */
    toLong: (y: Slice, n: number, z: Slice): Call[] =>
      workspace.product({ ...common, layout: wide ? 'TN' : 'NN', m: long, n, k: short }, { a: shard, b: y, c: z, table }),
    /** gram [batch, short, short] = A Aᵀ */
    shortGram: (gram: Slice): Call[] =>
      workspace.product({ ...common, b: 'table', bType: precision, layout: wide ? 'NT' : 'TN', m: short, n: short, k: long }, { a: shard, b: shard, c: gram, table }),
  };
}

/** The same scratch for shorter matrices of the same width. */
const part = <T extends { readonly other: Slice }>(scratch: T, elements: number): T => ({ ...scratch, other: { ...scratch.other, size: elements * 4 } });

/** FNV-1a: a name's own seed, whatever batch the matrix is in. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
