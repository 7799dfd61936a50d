/**
 * @file The singular triplets of some matrices of a batch at a time, in room that is made once; decompose.ts says why this way. Long factors are Aᵀ U,
 * orthonormal columns once their lengths, the singular values, are taken out.
 */
import residualsSource from '../../shaders/spectral-residuals.wgsl?raw';
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { kernel, type Slice } from '../gpu/kernel.ts';
import type { Command, Program } from '../gpu/program.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import { Deflation } from './deflation.ts';
import { tridiagonalEigen, type Eigen } from './eigen.ts';
import { makeRoom, type Room } from './decompositionRoom.ts';
import { matrixProducts, type BatchProducts } from './matrixProducts.ts';
import { newtonCalls, orthonormalCalls, orthonormalScratch, type NewtonScratch } from './orthonormalize.ts';
import { estimateQuality, holds, type BasisQuality } from './quality.ts';
import { backCalls, paddedSize, planTridiagonalisation, Tridiagonalisation, type TridiagonalPlan } from './tridiagonal.ts';
import { Workspace } from './workspace.ts';

/** What `solve` leaves in its own room until the next time, matrices one after the other. */
export interface Solved {
  /** [count, rows, k] */
  readonly u: Slice;
  /** [count, columns, k] */
  readonly v: Slice;
  /** [count, k] */
  readonly sigma: Slice;
  /** One a matrix; empty for the smallest triplets, which no contract is about. */
  readonly quality: readonly BasisQuality[];
}

interface SolverOptions {
  readonly k: number;
  readonly smallest: boolean;
  /** Matrices solved at a time. */
  readonly together: number;
  /** One a matrix of the batch. */
  readonly seeds: Uint32Array<ArrayBuffer>;
}

/** Bytes that a buffer of matrices solved together should have: on the CPU what its caches hold, on a GPU enough to keep it busy. */
const TOGETHER = { software: 16 * 2 ** 20, gpu: 48 * 2 ** 20 };

/** Eigenvalues down to this part of the largest leave long factors that one Newton step makes orthonormal to f32, and down to the second two. */
const ONE_STEP = 1e-3;
const TWO_STEPS = 1e-5;

/** In one round, singular values down to this part of the largest are resolved; the rest is decomposed again without them. */
const RESOLVED = 0.03;
const MOST_ROUNDS = 6;

/** How many matrices of a batch are solved at a time, evenly. */
export function matricesTogether({ gpu: { facts }, pool }: Context, { rows, columns, names }: MatrixBatch, k: number): number {
  const short = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  const largest = 4 * Math.max(paddedSize(short) ** 2, long * k);
  const bytes = Math.min(facts.software ? TOGETHER.software : TOGETHER.gpu, pool.largest);
  const most = Math.max(1, Math.floor(bytes / largest));
  return Math.ceil(names.length / Math.ceil(names.length / most));
}

/** Room and programs for some matrices of one shape, and what is done with them. */
export class BatchSolver {
  #deflation: Deflation | undefined;
  /** Recorded when first needed: most matrices never need them, and compiling takes its time. */
  readonly #rare = new Map<keyof Rare, Promise<Program>>();

  private constructor(
    private readonly workspace: Workspace,
    private readonly values: ParameterBuffers,
    private readonly batch: MatrixBatch,
    private readonly options: SolverOptions,
    private readonly products: BatchProducts,
    private readonly room: Room,
    private readonly tridiagonalisation: Tridiagonalisation,
    private readonly programs: Programs,
  ) {}

  /** @param values only read */
  static async create(context: Context, values: ParameterBuffers, batch: MatrixBatch, options: SolverOptions): Promise<BatchSolver> {
    const workspace = new Workspace(context);
    try {
      const { products, room, reduction, commands } = planSolver(workspace, values, batch, options);
      const tridiagonalisation = await Tridiagonalisation.record(workspace, reduction);
      const programs = {
        gram: await workspace.record('gram matrices', commands.gram),
        back: await workspace.record('eigenvectors', commands.back),
        short: await workspace.record('short factors', commands.short),
        long: await workspace.record('long factors', commands.long),
        one: await workspace.record('orthonormal long factors', commands.one),
        residuals: await workspace.record('residuals', commands.residuals),
      };
      return new BatchSolver(workspace, values, batch, options, products, room, tridiagonalisation, programs);
    } catch (error) {
      workspace.destroy();
      throw error;
    }
  }

  get together(): number {
    return this.options.together;
  }

  /** Solves `count` matrices of the batch from `first` on, as they are now. */
  async solve(first: number, count: number, onMatrix: () => void): Promise<Solved> {
    const { k, together, smallest, seeds } = this.options;
    const { rows, columns, offsets } = this.batch;
    const { queue } = this.workspace.context.gpu.device;
    // The last ones may be fewer; the first of them fills the rest.
    const members = Array.from({ length: together }, (_, i) => first + (i < count ? i : 0));
    queue.writeBuffer(this.products.table.buffer, this.products.table.offset, Uint32Array.from(members, (member) => offsets[member]!));
    queue.writeBuffer(this.room.seeds.buffer, this.room.seeds.offset, Uint32Array.from(members, (member) => seeds[member]!));
    this.programs.gram.replay();
    let eigen = await this.#eigen(members.map(() => 0), count, onMatrix);
    this.programs.back.replay();
    await this.#factors(eigen);
    const quality = smallest ? [] : await this.#measured(eigen, count, 1);
    for (let round = 2, kept = members.map(() => 0); quality.some((each) => !holds(each)) && round <= MOST_ROUNDS; round += 1) {
      const sigma = (await this.#read(this.room.sigma)).subarray(0, count * k);
      const before = kept;
      kept = members.map((_, i) => (i < count && !holds(quality[i]!) ? resolved(sigma.subarray(i * k, (i + 1) * k), before[i]!) : k));
      if (kept.every((columnsKept, i) => columnsKept === before[i] || columnsKept === k)) break;
      this.#deflation ??= await Deflation.create(this.workspace, this.values, this.batch, { together, k, products: this.products, room: this.room });
      await this.#deflation.replay(members, kept);
      eigen = await this.#eigen(kept, count, () => undefined);
      this.programs.back.replay();
      this.#deflation.merge();
      await this.#factors(eigen, true);
      for (const [i, again] of (await this.#measured(eigen, count, round, kept)).entries()) if (kept[i]! < k) quality[i] = again;
    }
    const [u, v] = rows <= columns ? [this.room.shortFactor, this.room.longFactor] : [this.room.longFactor, this.room.shortFactor];
    return { u, v, sigma: this.room.sigma, quality };
  }

  /** Reduces what `gram` holds and hands the eigenvectors of the tridiagonal forms to the GPU: column `kept[z]` is the first that is wanted of matrix z. */
  async #eigen(kept: readonly number[], count: number, onMatrix: () => void): Promise<EigenOfMatrix[]> {
    const { k, smallest } = this.options;
    const { n, size, vectors } = this.room;
    this.tridiagonalisation.replay();
    const forms = await this.tridiagonalisation.read();
    const coefficients = new Float32Array(forms.length * size * k);
    const results: EigenOfMatrix[] = [];
    let breath = performance.now();
    for (const [z, { diagonal, offDiagonal, trace }] of forms.slice(0, count).entries()) {
      const first = kept[z]!;
      const eigen = tridiagonalEigen(diagonal, offDiagonal, k - first, { smallest });
      for (let i = first; i < k; i += 1) {
        const from = (i - first) * n;
        for (let j = 0; j < n; j += 1) coefficients[(z * size + j) * k + i] = eigen.vectors[from + j]!;
      }
      results.push({ values: eigen.values, trace });
      onMatrix();
      if (performance.now() - breath > 30) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        breath = performance.now();
      }
    }
    this.workspace.context.gpu.device.queue.writeBuffer(vectors.buffer, vectors.offset, coefficients);
    return results;
  }

  /** Short factors from the eigenvectors, then long ones, orthonormal as far down as the values go. */
  async #factors(eigen: readonly EigenOfMatrix[], isDeflated = false): Promise<void> {
    const { k, smallest } = this.options;
    const { short, long, one } = this.programs;
    short.replay();
    long.replay();
    const share = isDeflated || smallest ? 0 : Math.min(...eigen.map(({ values }) => (values[0]! > 0 ? values[k - 1]! / values[0]! : 0)));
    if (share < TWO_STEPS) (await this.#rareProgram('deficient')).replay();
    else one.replay();
    if (share >= TWO_STEPS && share < ONE_STEP) (await this.#rareProgram('again')).replay();
  }

  #rareProgram(which: keyof Rare): Promise<Program> {
    const known = this.#rare.get(which);
    if (known) return known;
    const { workspace, room } = this;
    const tall = { batch: this.together, rows: room.long, columns: this.options.k };
    const calls: Rare = {
      again: () => [{ copy: { from: room.longFactor, to: room.longRaw } }, ...newtonCalls(workspace, tall, room.longRaw, room.longFactor, newtonScratch(room), room.lengths)],
      // The columns that values of nothing leave may be anything, and stand only after a second time.
      deficient: () => {
        const scratch = orthonormalScratch(workspace, tall, room.longRaw);
        return [
          { copy: { from: room.longRaw, to: room.longFactor } },
          ...orthonormalCalls(workspace, tall, room.seeds, room.longFactor, scratch, room.sigma),
          ...orthonormalCalls(workspace, tall, room.seeds, room.longFactor, scratch),
        ];
      },
    };
    const program = workspace.record(`long factors, ${which}`, calls[which]());
    this.#rare.set(which, program);
    return program;
  }

  async #measured(eigen: readonly EigenOfMatrix[], count: number, rounds: number, kept?: readonly number[]): Promise<BasisQuality[]> {
    const { k } = this.options;
    this.programs.residuals.replay();
    const [sigma, residuals] = [await this.#read(this.room.sigma), await this.#read(this.room.residuals)];
    return Array.from({ length: count }, (_, z) => {
      const { values, trace } = eigen[z]!;
      const beyond = Array.from(values.subarray(k - (kept?.[z] ?? 0)), (value) => Math.sqrt(Math.max(0, value) * trace));
      return { ...estimateQuality(sigma.subarray(z * k, (z + 1) * k), residuals.subarray(z * k, (z + 1) * k), beyond), rounds };
    });
  }

  async #read(slice: Slice): Promise<Float32Array> {
    const [bytes] = await readBack(this.workspace.context.gpu.device, [slice]);
    return new Float32Array(bytes!);
  }

  destroy(): void {
    this.workspace.destroy();
  }
}

/** Eigenvalues of one matrix over its trace, largest first. */
interface EigenOfMatrix {
  readonly values: Eigen['values'];
  readonly trace: number;
}

/** Columns that stand after a round that `before` columns were taken out for: those whose values f32 resolved. */
function resolved(sigma: Float32Array, before: number): number {
  let columns = before;
  while (columns < sigma.length && sigma[columns]! >= RESOLVED * sigma[before]!) columns += 1;
  return columns;
}

type Step = 'gram' | 'back' | 'short' | 'long' | 'one' | 'residuals';
type Programs = Readonly<Record<Step, Program>>;

/** What a solver holds, and its commands before they are recorded. Rare matrices need more, which is made when they come. */
interface SolverPlan {
  readonly products: BatchProducts;
  readonly room: Room;
  readonly reduction: TridiagonalPlan;
  readonly commands: Readonly<Record<Step, readonly Command[]>>;
}

/** Allocates everything in the pool of the workspace's context; on one that only counts, that is the memory of a decomposition. */
export function planSolver(workspace: Workspace, values: ParameterBuffers, batch: MatrixBatch, { k, together }: Pick<SolverOptions, 'k' | 'together'>): SolverPlan {
  const products = matrixProducts(workspace, values, batch, together);
  const room = makeRoom(workspace, batch, k, together);
  const { n, size, long } = room;
  const reduction = planTridiagonalisation(workspace, { batch: together, n }, room.gram);
  const newton = newtonScratch(room);
  const unpadded = size === n ? [] : Array.from({ length: together }, (_, z) => ({ copy: { from: within(room.vectors, z * size * k, n * k), to: within(room.shortRaw, z * n * k, n * k) } }));
  const commands = {
    gram: products.shortGram(room.gram),
    back: [...backCalls(workspace, reduction, room.vectors, k), ...unpadded],
    short: newtonCalls(workspace, { batch: together, rows: n, columns: k }, room.shortRaw, room.shortFactor, newton, room.lengths),
    long: products.toLong(room.shortFactor, k, room.longRaw),
    one: newtonCalls(workspace, { batch: together, rows: long, columns: k }, room.longRaw, room.longFactor, newton, room.sigma),
    residuals: [
      ...products.toShort(room.longFactor, k, room.shortRaw),
      {
        kernel: kernel('spectral residuals', residualsSource, ['read', 'read', 'read', 'write'], { ROWS: n, COLUMNS: k }),
        slices: [room.shortRaw, room.shortFactor, room.sigma, room.residuals],
        grid: [Math.ceil(k / 64), together, 1] as const,
      },
    ],
  };
  return { products, room, reduction, commands };
}

/** Programs for long factors that one Newton step does not make orthonormal. */
type Rare = Readonly<Record<'again' | 'deficient', () => Command[]>>;

const newtonScratch = ({ columnProducts, columnFactors }: Room): NewtonScratch => ({ gram: columnProducts, step: columnFactors });

/** A range of a slice, in elements. */
const within = ({ buffer, offset }: Slice, from: number, elements: number): Slice => ({ buffer, offset: offset + 4 * from, size: 4 * elements });
