/**
 * @file Where the weights live: a few large buffers ("shards") that hold every parameter one after the other.
 *
 * Gradients, Adam moments and the pretrained copy use buffers of the same layout, so the optimizer, the gradient norm
 * and the penalty run over whole shards or over all matrices of one shape in one dispatch, whatever the model.
 */
import type { BufferCategory, BufferPool } from '../gpu/buffers.ts';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../formats/floats.ts';
import { ALIGNMENT, readBack } from '../gpu/buffers.ts';
import { GpuMemoryError } from '../gpu/device.ts';
import type { Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import { floatBytes, type FloatType } from '../gpu/storedFloats.ts';
import type { Graph, Shape, Tensor } from '../graph/graph.ts';
import { elementCount } from '../graph/graph.ts';
import { linear } from '../graph/ops/matmul.ts';
import type { StoredLayout } from './stored.ts';
import type { GraphWeights, WeightSet } from './weights.ts';
import { copyWidened } from './widen.ts';

/** A weight as it stands in a file: some rows of a parameter. Row-major [rows, columns], or [rows] for a vector. */
export interface WeightPart {
  /** Hugging Face name. */
  readonly name: string;
  readonly rows: number;
  /** Where the file has it in another layout. */
  readonly stored?: StoredLayout;
}

/** A parameter as the graph sees it; several weights that are multiplied together (q, k, v) are one, stacked by rows. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly parts: readonly WeightPart[];
}

/** A parameter with its place: `offset` in elements within shard `shard`. */
export interface PlacedParameter extends ParameterSpec {
  readonly shard: number;
  readonly offset: number;
}

/** A weight with its place; `columns` is 1 for vectors. */
export interface PlacedWeight {
  readonly name: string;
  readonly shape: Shape;
  readonly rows: number;
  readonly columns: number;
  readonly shard: number;
  readonly offset: number;
  readonly stored?: StoredLayout;
}

/** All 2-D weights of one shape in one shard: what the spectral kernels work on in one dispatch. */
export interface MatrixBatch {
  readonly shard: number;
  readonly rows: number;
  readonly columns: number;
  readonly names: readonly string[];
  /** First element of each matrix in the shard. */
  readonly offsets: readonly number[];
}

/** Halves begin at aligned offsets as well. */
const ALIGN_ELEMENTS = ALIGNMENT / 2;

/** The places of all parameters; matrices come first in each shard, so that weight decay is a matter of one boundary. */
export class ParameterLayout {
  readonly parameters: readonly PlacedParameter[];
  readonly weights: readonly PlacedWeight[];
  /** Elements of each shard, padding included. */
  readonly shardSizes: readonly number[];
  /** In each shard, elements before this one belong to matrices (decayed), the rest to vectors (not decayed). */
  readonly matrixElements: readonly number[];
  /** Number of weights without padding. */
  readonly count: number;

  /**
   * @param maxBytes the largest buffer the adapter binds; a parameter that is larger in f32 gets a shard of its own, which
   *   halves may still fit
   */
  constructor(specs: readonly ParameterSpec[], maxBytes: number) {
    const matrices = specs.filter(({ shape }) => shape.length > 1);
    const vectors = specs.filter(({ shape }) => shape.length === 1);
    const placed: PlacedParameter[] = [];
    const sizes: number[] = [];
    const boundaries: number[] = [];
    for (const spec of [...matrices, ...vectors]) {
      const size = Math.ceil(elementCount(spec.shape) / ALIGN_ELEMENTS) * ALIGN_ELEMENTS;
      if (sizes.length === 0 || (sizes.at(-1)! + size) * 4 > maxBytes) {
        sizes.push(0);
        boundaries.push(0);
      }
      const shard = sizes.length - 1;
      placed.push({ ...spec, shard, offset: sizes[shard]! });
      sizes[shard]! += size;
      if (spec.shape.length > 1) boundaries[shard] = sizes[shard]!;
    }
    this.parameters = placed;
    this.shardSizes = sizes;
    this.matrixElements = boundaries;
    this.weights = placed.flatMap(weightsOf);
    this.count = specs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  }

  /** All 2-D weights, by shape and shard. */
  matrixBatches(): MatrixBatch[] {
    const batches = new Map<string, { shard: number; rows: number; columns: number; names: string[]; offsets: number[] }>();
    for (const { name, shape, rows, columns, shard, offset } of this.weights) {
      if (shape.length < 2) continue;
      const key = `${shard} ${rows} ${columns}`;
      const batch = batches.get(key) ?? { shard, rows, columns, names: [], offsets: [] };
      batch.names.push(name);
      batch.offsets.push(offset);
      batches.set(key, batch);
    }
    return [...batches.values()];
  }
}

function weightsOf({ shape, parts, shard, offset }: PlacedParameter): PlacedWeight[] {
  const columns = shape[1] ?? 1;
  let row = 0;
  const weights = parts.map(({ name, rows, stored }) => {
    const weight = { ...(stored ? { stored } : {}), name, shape: shape.length > 1 ? [rows, columns] : [rows], rows, columns, shard, offset: offset + row * columns };
    row += rows;
    return weight;
  });
  if (row !== shape[0]) throw new Error(`The parts of a parameter of ${shape[0]} rows have ${row}.`);
  return weights;
}

/**
 * One set of numbers in the layout: the weights, their gradients, a moment, or the pretrained copy. Matrices may be kept
 * in halves, element i of a shard in half i of its buffer; vectors follow them in f32.
 */
export class ParameterBuffers implements WeightSet {
  readonly shards: readonly Slice[];

  /**
   * @param precision how matrices are kept
   * @throws {GpuMemoryError} naming the parameter that one buffer cannot hold
   */
  constructor(
    readonly layout: ParameterLayout,
    pool: BufferPool,
    category: BufferCategory,
    label: string,
    readonly precision: FloatType = 'f32',
  ) {
    const sizes = layout.shardSizes.map((size, shard) => this.#byteAt(shard, size));
    const tooLarge = sizes.findIndex((size) => size > pool.largest);
    if (tooLarge >= 0) throw tooLargeError(layout.parameters.find(({ shard }) => shard === tooLarge)!, precision, pool.largest);
    this.shards = sizes.map((size, shard) => {
      const inside = layout.parameters.filter((placed) => placed.shard === shard);
      return pool.storage(size, category, inside.length === 1 ? `${label} of ${inside[0]!.name}` : `${label} ${shard}`);
    });
  }

  get trained(): this {
    return this;
  }

  async copy(context: Context): Promise<ParameterBuffers> {
    const copy = new ParameterBuffers(this.layout, context.pool, 'weights', 'trained weights');
    await copyWidened(context, this, copy);
    return copy;
  }

  /** The range of one parameter. */
  slice({ shard, offset, shape }: Pick<PlacedParameter, 'shard' | 'offset' | 'shape'>): Slice {
    return this.range(shard, offset, elementCount(shape));
  }

  /** The bytes of some elements of a shard, all of matrices or all of vectors. */
  range(shard: number, element: number, count: number): Slice {
    return { buffer: this.shards[shard]!.buffer, offset: this.#byteAt(shard, element), size: floatBytes(this.#typeAt(shard, element), count) };
  }

  #typeAt(shard: number, element: number): FloatType {
    return element < this.layout.matrixElements[shard]! ? this.precision : 'f32';
  }

  #byteAt(shard: number, element: number): number {
    const matrices = Math.min(element, this.layout.matrixElements[shard]!);
    return matrices * (this.precision === 'f32' ? 4 : 2) + (element - matrices) * 4;
  }

  bind(graph: Graph, bindings: Map<Tensor, Slice>): GraphWeights {
    const sources = new Map(
      this.layout.parameters.map((placed) => {
        const tensor = graph.source('parameter', placed.name, placed.shape, this.#typeAt(placed.shard, placed.offset));
        bindings.set(tensor, this.slice(placed));
        return [placed.name, tensor];
      }),
    );
    const parameter = (name: string): Tensor => {
      const tensor = sources.get(name);
      if (!tensor) throw new Error(`The model has no parameter ${name}.`);
      return tensor;
    };
    return { parameter, linear: (x, name) => linear(graph, x, parameter(name)), trainable: sources };
  }

  /**
   * Writes one weight; `values` are row-major. Where the weight is kept in halves, each number is rounded to the nearest.
   * @throws {RangeError} when a number lies beyond the range of f16
   */
  write(device: GPUDevice, weight: PlacedWeight, values: Float32Array<ArrayBuffer>): void {
    const type = this.#typeAt(weight.shard, weight.offset);
    if (type === 'f32') this.#write(device, weight, values);
    else this.writeHalves(device, weight, type === 'bf16' ? float32ToBfloat16(values) : halved(weight.name, values));
  }

  /** Writes one matrix as the halves it is kept in, bit for bit. */
  writeHalves(device: GPUDevice, weight: PlacedWeight, halves: Uint16Array<ArrayBuffer>): void {
    if (weight.offset % 2) throw new RangeError(`${weight.name} begins in the middle of a word, because the matrix before it has an odd number of weights; open the model in f32.`);
    this.#write(device, weight, halves);
  }

  #write(device: GPUDevice, { name, shape, shard, offset }: PlacedWeight, values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): void {
    if (values.length !== elementCount(shape)) throw new Error(`${name} has ${values.length} numbers, the model expects ${elementCount(shape)}.`);
    // Only whole words can be written; a half beyond the last is padding.
    const words = values.byteLength % 4 ? Uint16Array.from({ length: values.length + 1 }, (_, i) => values[i] ?? 0) : values;
    device.queue.writeBuffer(this.shards[shard]!.buffer, this.#byteAt(shard, offset), words);
  }

  /** Copies all numbers of `from`, of the same precision, on the GPU. */
  copyFrom(device: GPUDevice, from: ParameterBuffers): void {
    if (from.precision !== this.precision) throw new Error(`Weights in ${from.precision} are no copy of weights in ${this.precision}.`);
    const encoder = device.createCommandEncoder({ label: 'copy parameters' });
    for (const [i, shard] of this.shards.entries()) encoder.copyBufferToBuffer(from.shards[i]!.buffer, 0, shard.buffer, 0, shard.size);
    device.queue.submit([encoder.finish()]);
  }

  /** Reads one weight back, halves widened. */
  async read(device: GPUDevice, weight: PlacedWeight): Promise<Float32Array<ArrayBuffer>> {
    const [bytes] = await readBack(device, [this.slice(weight)]);
    const type = this.#typeAt(weight.shard, weight.offset);
    if (type === 'f32') return new Float32Array(bytes!);
    const halves = new Uint16Array(bytes!, 0, elementCount(weight.shape));
    return type === 'bf16' ? bfloat16ToFloat32(halves) : float16ToFloat32(halves);
  }

  destroy(pool: BufferPool): void {
    for (const shard of this.shards) pool.destroy(shard);
  }
}

/** Rounded to f16. @throws {RangeError} naming the weight when a number does not fit */
function halved(name: string, values: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = float32ToFloat16(values);
  const bad = halves.findIndex((bits) => (bits & 0x7fff) === 0x7c00);
  if (bad >= 0) throw new RangeError(`${name} holds ${values[bad]} at element ${bad}, beyond the 65504 of f16; open the model in bf16 or f32.`);
  return halves;
}

function tooLargeError({ name, shape }: ParameterSpec, precision: FloatType, largest: number): GpuMemoryError {
  const bytes = (type: FloatType): number => floatBytes(type, elementCount(shape));
  const advice =
    precision === 'f32' && bytes('bf16') <= largest
      ? `In bf16 it takes ${bytes('bf16')} and fits: open the model in bf16 and train an adapter (LoRA), since full fine-tuning keeps weights in f32.`
      : 'It needs an adapter that binds larger buffers, or a model with a smaller vocabulary.';
  return new GpuMemoryError(`${name} takes ${bytes(precision)} bytes in ${precision}; this graphics adapter binds at most ${largest} at once. ${advice}`);
}
