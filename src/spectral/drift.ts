/**
 * @file How far each weight matrix has turned since the pretrained model: its top singular triplets now against those
 * before. Everything of the size of a weight happens on the GPU; k x k products come back.
 *
 * RPSFT holds what happens inside the top-k block. The subspaces themselves may still turn against their complement,
 * which the principal angles show; both kinds are measured.
 */
import normsSource from '../../shaders/spectral-norms.wgsl?raw';
import residualSource from '../../shaders/spectral-residual.wgsl?raw';
import { readBack } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { kernel, linearGrid, type Call, type Kernel, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import { enableHalves, storedFloats, type FloatType } from '../gpu/storedFloats.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import { blockCalls } from './block.ts';
import { BatchDecomposition, type Basis } from './decompose.ts';
import { denseRoom, fillDense } from './dense.ts';
import { alignment, blockShares, placeOf, principalAngles } from './measures.ts';
import { Workspace } from './workspace.ts';

/** How far one weight matrix has turned; angles in degrees, smallest first. */
export interface MatrixDrift {
  readonly name: string;
  /** Undefined outside the layers. */
  readonly layer?: number;
  readonly module: string;
  readonly shape: readonly [number, number];
  readonly k: number;
  readonly leftAngles: readonly number[];
  readonly rightAngles: readonly number[];
  /** mean |<u_i, u'_i>| over left and right vectors. */
  readonly vectorAlignment: number;
  /** The same with each vector matched to its most similar one. */
  readonly matchedAlignment: number;
  /** Shares of ‖W - W0‖² in the top-k block, and the share expected by chance, k²/(mn). */
  readonly block: { readonly share: number; readonly diagonal: number; readonly offDiagonal: number; readonly chance: number };
  readonly sigma0: readonly number[];
  readonly sigma: readonly number[];
  /** ‖W - W0‖ / ‖W0‖. */
  readonly relativeChange: number;
}

/** One matrix looked at closely. */
export interface MatrixDriftDetail extends MatrixDrift {
  /** |<u_i, u'_j>| [k, k] row-major: u_i as pretrained, u'_j as now. */
  readonly leftAlignment: Float32Array<ArrayBuffer>;
  /** |<v_i, v'_j>| [k, k] */
  readonly rightAlignment: Float32Array<ArrayBuffer>;
}

/** The sources of one batch, whose matrices lie at the same places in both. */
interface PlainSources {
  readonly weights: ParameterBuffers;
  readonly pretrained: ParameterBuffers;
}

export interface DriftSources {
  /** Only read. They must not change during a measurement. */
  readonly weights: WeightSet;
  readonly pretrained: ParameterBuffers;
  /** Bases of the pretrained weights; matrices without one (degenerate ones) are left out. */
  readonly bases: readonly Basis[];
}

/**
 * Measures as often as asked, the matrices of one shape at a time in room that is freed again, so that a run holds nothing for it between measurements.
 * Adapted weights have no matrices to work on: theirs are merged into that room, two f32 copies of the matrices of a shape, before and after.
 */
export class DriftMeter {
  readonly #order: ReadonlyMap<string, number>;

  constructor(
    private readonly context: Context,
    private readonly sources: DriftSources,
  ) {
    this.#order = new Map(sources.weights.layout.weights.map(({ name }, i) => [name, i]));
  }

  /** The drift of every matrix that has a basis, in the order of the layout. */
  async measure(): Promise<MatrixDrift[]> {
    const drifts: MatrixDrift[] = [];
    for (const basis of this.sources.bases) drifts.push(...(await withMeter(this.context, this.sources, basis, (meter) => meter.measure())));
    return drifts.toSorted((a, b) => this.#order.get(a.name)! - this.#order.get(b.name)!);
  }
}

/** Measures the matrices of one basis in room that is freed again. */
async function withMeter<T>(parent: Context, { weights, pretrained }: DriftSources, basis: Basis, measure: (meter: BatchMeter) => Promise<T>): Promise<T> {
  const context = childContext(parent);
  try {
    if (weights.trained === weights) return await measure(await BatchMeter.create(context, { weights: weights.trained, pretrained }, basis));
    const { values: after, batch } = denseRoom(context, basis.batch);
    const { values: before } = denseRoom(context, basis.batch);
    await fillDense(context, before, pretrained);
    await fillDense(context, after, weights);
    return await measure(await BatchMeter.create(context, { weights: after, pretrained: before }, { ...basis, batch }));
  } finally {
    context.pool.destroyAll();
  }
}

/**
 * The drift of one matrix with its alignment, in room of its own that is freed again.
 * @throws {RangeError} for a matrix that has no basis
 */
export async function measureDriftDetail(parent: Context, sources: DriftSources, name: string): Promise<MatrixDriftDetail> {
  const basis = sources.bases.find(({ batch }) => batch.names.includes(name));
  if (!basis) throw new RangeError(`${name} has no singular basis: it was not decomposed, or its k reaches its smaller side. Decompose it with a smaller k.`);
  const context = childContext(parent);
  try {
    return await withMeter(context, sources, basisOfOne(context, basis, name), (meter) => meter.measureClosely());
  } finally {
    context.pool.destroyAll();
  }
}

/** A copy of the part of a basis that is one matrix's; where it lies in its batch it may not begin where buffers can be bound. */
function basisOfOne({ gpu: { device }, pool }: Context, { batch, k, u, v, sigma, quality }: Basis, name: string): Basis {
  const z = batch.names.indexOf(name);
  const encoder = device.createCommandEncoder({ label: 'basis of one matrix' });
  const copy = (from: Slice, elements: number, label: string): Slice => {
    const to = { ...pool.storage(4 * elements, 'bases', label), size: 4 * elements };
    encoder.copyBufferToBuffer(from.buffer, from.offset + 4 * z * elements, to.buffer, to.offset, to.size);
    return to;
  };
  const own = {
    batch: { ...batch, names: [name], offsets: [batch.offsets[z]!] },
    k,
    u: copy(u, batch.rows * k, 'left basis'),
    v: copy(v, batch.columns * k, 'right basis'),
    sigma: copy(sigma, k, 'singular values'),
    quality: quality.slice(z, z + 1),
  };
  device.queue.submit([encoder.finish()]);
  return own;
}

/** What comes back of a batch; matrices one after the other. */
interface Results {
  readonly leftCross: Slice;
  readonly leftOutside: Slice;
  readonly rightCross: Slice;
  readonly rightOutside: Slice;
  readonly block: Slice;
  /** [batch, n, 2], to be summed over n */
  readonly norms: Slice;
  readonly sigma0: Slice;
  readonly sigma: Slice;
}

class BatchMeter {
  private constructor(
    private readonly workspace: Workspace,
    private readonly basis: Basis,
    private readonly decomposition: BatchDecomposition,
    private readonly program: Program,
    private readonly results: Results,
  ) {}

  static async create(context: Context, sources: PlainSources, basis: Basis): Promise<BatchMeter> {
    const { batch, k } = basis;
    const { rows, columns } = batch;
    const workspace = new Workspace(context);
    const { weights, pretrained } = sources;
    const decomposition = await BatchDecomposition.create(context, weights, batch, { k });
    const now = decomposition.basis;
    const count = batch.offsets.length;
    const square = (label: string): Slice => workspace.storage(count * k * k, label);
    const room = workspace.storage(count * Math.max(rows, columns) * k, 'drift projections');
    const inShard = workspace.inShard(batch);
    const groups = Math.min(64, Math.ceil((rows * columns) / 4096));
    const results: Results = {
      leftCross: square('left products'),
      leftOutside: square('left residuals'),
      rightCross: square('right products'),
      rightOutside: square('right residuals'),
      block: square('drift block'),
      norms: workspace.storage(count * groups * 64 * 2, 'drift norms'),
      sigma0: basis.sigma,
      sigma: now.sigma,
    };

    /** cross = U0ᵀU and outside = RᵀR, for vectors [batch, length, k]. */
    const sideCalls = (length: number, before: Slice, after: Slice, cross: Slice, outside: Slice): Call[] => {
      const projection = { ...room, size: count * length * k * 4 };
      return [
        ...workspace.product({ layout: 'TN', m: k, n: k, k: length, batch: count }, { a: before, b: after, c: cross }),
        ...workspace.product({ layout: 'NN', m: length, n: k, k, batch: count }, { a: before, b: cross, c: projection }),
        { kernel: kernel('spectral residual', residualSource, ['read', 'write']), slices: [after, projection], grid: linearGrid(count * length * k, 64) },
        ...workspace.product({ layout: 'TN', m: k, n: k, k: length, batch: count }, { a: projection, b: projection, c: outside }),
      ];
    };
    const program = await workspace.record('drift', [
      ...sideCalls(rows, basis.u, now.u, results.leftCross, results.leftOutside),
      ...sideCalls(columns, basis.v, now.v, results.rightCross, results.rightOutside),
      // Transposed for tall matrices, which no measure of it sees.
      ...blockCalls(workspace, sources, basis, inShard, { narrow: room, block: results.block }),
      {
        kernel: normsKernel(context, weights.precision, pretrained.precision, { SIZE: rows * columns, GROUPS: groups }),
        slices: [weights.shards[batch.shard]!, pretrained.shards[batch.shard]!, inShard.table, results.norms],
        grid: [groups, 1, count],
      },
    ]);
    return new BatchMeter(workspace, basis, decomposition, program, results);
  }

  async measure(): Promise<MatrixDrift[]> {
    return this.#drifts(await this.#read());
  }

  /** Of a batch of one matrix. */
  async measureClosely(): Promise<MatrixDriftDetail> {
    const floats = await this.#read();
    const [drift] = this.#drifts(floats);
    return { ...drift!, leftAlignment: floats.leftCross.map(Math.abs), rightAlignment: floats.rightCross.map(Math.abs) };
  }

  async #read(): Promise<Record<keyof Results, Float32Array<ArrayBuffer>>> {
    await this.decomposition.run();
    this.program.replay();
    const entries = Object.entries(this.results) as [keyof Results, Slice][];
    const bytes = await readBack(this.workspace.context.gpu.device, entries.map(([, slice]) => slice));
    return Object.fromEntries(entries.map(([key], i) => [key, new Float32Array(bytes[i]!)])) as Record<keyof Results, Float32Array<ArrayBuffer>>;
  }

  #drifts(floats: Readonly<Record<keyof Results, Float32Array>>): MatrixDrift[] {
    const { names, rows, columns } = this.basis.batch;
    const { k } = this.basis;
    return names.map((name, z) => {
      const of = (key: keyof Results): Float32Array => floats[key].subarray((z * floats[key].length) / names.length, ((z + 1) * floats[key].length) / names.length);
      const left = alignment(of('leftCross'), k);
      const right = alignment(of('rightCross'), k);
      const norms = of('norms');
      const change = norms.reduce((sum, value, i) => (i % 2 === 0 ? sum + value : sum), 0);
      const size = norms.reduce((sum, value, i) => (i % 2 === 1 ? sum + value : sum), 0);
      return {
        name,
        ...placeOf(name),
        shape: [rows, columns],
        k,
        leftAngles: principalAngles(of('leftCross'), of('leftOutside'), k),
        rightAngles: principalAngles(of('rightCross'), of('rightOutside'), k),
        vectorAlignment: (left.same + right.same) / 2,
        matchedAlignment: (left.matched + right.matched) / 2,
        block: { ...blockShares(of('block'), k, change), chance: (k * k) / (rows * columns) },
        sigma0: [...of('sigma0')],
        sigma: [...of('sigma')],
        relativeChange: size > 0 ? Math.sqrt(change / size) : 0,
      };
    });
  }
}

function normsKernel({ gpu: { facts } }: Context, weights: FloatType, pretrained: FloatType, constants: Readonly<Record<string, number>>): Kernel {
  const source = storedFloats('values', 0, weights, facts) + storedFloats('pretrained', 1, pretrained, facts) + normsSource;
  return enableHalves(kernel('spectral norms', source, ['read', 'read', 'read', 'write'], constants), [weights, pretrained], facts);
}
