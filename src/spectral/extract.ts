/**
 * @file A LoRA adapter from a full fine-tune: the best approximation of rank r of each change of weights W - W0 = U S Vᵀ,
 * as B = U_r sqrt(S_r) and A = sqrt(S_r) V_rᵀ with alpha = r, so that the scale is 1 (Eckart & Young).
 */
import type { LoraAdapter, LoraModule } from '../formats/lora.ts';
import { readFloats } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { initialA, targetLinears, type AdapterBase } from '../models/adapter.ts';
import type { LinearModule } from '../models/linears.ts';
import type { PlacedWeight } from '../models/parameters.ts';
import { toFile } from '../models/stored.ts';
import type { WeightSet } from '../models/weights.ts';
import { BatchDecomposition } from './decompose.ts';
import { denseRoom } from './dense.ts';
import type { Progress } from './workspace.ts';

export interface ExtractOptions {
  readonly rank: number;
  /** Short names of linear layers, such as `q_proj`. */
  readonly targets: readonly string[];
}

/** An adapter and how much of the change it holds. */
export interface Extraction {
  readonly adapter: LoraAdapter;
  /** ‖dW_r‖² / ‖dW‖² of each module; 1 where nothing changed. */
  readonly energy: readonly { readonly module: string; readonly retained: number }[];
  /** The same over all modules together. */
  readonly retained: number;
}

/**
 * Extracts an adapter from `weights` for the base they were trained from. Holds one matrix of each shape in f32, with the
 * room that its decomposition needs. An error thrown by `onProgress` ends the work and leaves nothing behind.
 * @throws {RangeError} for targets that select nothing, or a rank that is not below the smaller side of every target
 */
export async function extractAdapter(context: Context, weights: WeightSet, base: AdapterBase, { rank, targets }: ExtractOptions, onProgress: Progress = () => undefined): Promise<Extraction> {
  const linears = targetLinears(base.linears, targets);
  const narrowest = linears.reduce((a, b) => (Math.min(b.rows, b.columns) < Math.min(a.rows, a.columns) ? b : a));
  const short = Math.min(narrowest.rows, narrowest.columns);
  if (!Number.isInteger(rank) || rank < 1 || rank >= short) throw new RangeError(`An extracted adapter of ${narrowest.module} (${narrowest.rows} x ${narrowest.columns}) has a rank from 1 to ${short - 1}, not ${rank}.`);
  const own = childContext(context);
  const shapes = new Map<string, Promise<ShapeExtractor>>();
  const placed = new Map(weights.layout.weights.map((weight) => [weight.name, weight]));
  const modules: LoraModule[] = [];
  const energies: { module: string; kept: number; whole: number }[] = [];
  try {
    for (const linear of linears) {
      const key = `${linear.rows} ${linear.columns}`;
      const extractor = await (shapes.get(key) ?? ShapeExtractor.create(own, linear, rank));
      shapes.set(key, Promise.resolve(extractor));
      const weight = placed.get(`${linear.module}.weight`)!;
      const change = await changeOf(own, weights, base, weight);
      const whole = squaredNorm(change);
      // Nothing changed: an adapter that does nothing, and that can still be trained.
      const { a, b, kept } = whole > 0 ? await extractor.extract(change) : { a: initialA(linear, base.linears, rank, 0), b: new Float32Array(linear.rows * rank), kept: 0 };
      modules.push({ name: linear.module, a, b: toFile({ rows: linear.rows, columns: rank, ...(linear.fileRows ? { stored: { fileRows: linear.fileRows } } : {}) }, b) });
      energies.push({ module: linear.module, kept, whole });
      onProgress(modules.length, linears.length);
    }
  } finally {
    own.pool.destroyAll();
  }
  const share = (kept: number, whole: number): number => (whole > 0 ? kept / whole : 1);
  const sum = (of: 'kept' | 'whole'): number => energies.reduce((total, energy) => total + energy[of], 0);
  return {
    adapter: { settings: { r: rank, alpha: rank, rsLora: false }, modules },
    energy: energies.map(({ module, kept, whole }) => ({ module, retained: share(kept, whole) })),
    retained: share(sum('kept'), sum('whole')),
  };
}

/** Decomposes changes of one shape, one after the other in the same room. */
class ShapeExtractor {
  private constructor(
    private readonly context: Context,
    private readonly rank: number,
    private readonly room: ReturnType<typeof denseRoom>,
    private readonly decomposition: BatchDecomposition,
  ) {}

  static async create(context: Context, { rows, columns }: LinearModule, rank: number): Promise<ShapeExtractor> {
    const room = denseRoom(context, { names: ['change'], rows, columns });
    return new ShapeExtractor(context, rank, room, await BatchDecomposition.create(context, room.values, room.batch, { k: rank }));
  }

  /** A [rank, columns] and B [rows, rank] of a change [rows, columns], and the energy they hold. */
  async extract(change: Float32Array<ArrayBuffer>): Promise<{ a: Float32Array<ArrayBuffer>; b: Float32Array<ArrayBuffer>; kept: number }> {
    const { rank, room, decomposition } = this;
    const { device } = this.context.gpu;
    const { basis } = decomposition;
    const { rows, columns } = room.batch;
    room.values.write(device, room.values.layout.weights[0]!, change);
    await decomposition.run();
    const [u, v, sigma] = [await readFloats(device, basis.u), await readFloats(device, basis.v), await readFloats(device, basis.sigma)];
    const root = Array.from(sigma.subarray(0, rank), Math.sqrt);
    const a = new Float32Array(rank * columns);
    const b = new Float32Array(rows * rank);
    for (let q = 0; q < rank; q++) {
      for (let j = 0; j < columns; j++) a[q * columns + j] = root[q]! * v[j * rank + q]!;
      for (let i = 0; i < rows; i++) b[i * rank + q] = root[q]! * u[i * rank + q]!;
    }
    return { a, b, kept: sigma.subarray(0, rank).reduce((sum, value) => sum + value * value, 0) };
  }
}

/** W - W0 of one weight, rounded once. */
async function changeOf({ gpu: { device } }: Context, weights: WeightSet, base: AdapterBase, weight: PlacedWeight): Promise<Float32Array<ArrayBuffer>> {
  const [now, before] = [await weights.read(device, weight), await base.weights.read(device, weight)];
  return now.map((value, i) => value - before[i]!);
}

function squaredNorm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
