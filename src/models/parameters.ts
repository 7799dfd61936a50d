/**
 * @file Where the weights live: a few large buffers ("shards") that hold every parameter one after the other.
 *
 * Gradients, Adam moments and the pretrained copy use buffers of the same layout, so the optimizer, the gradient norm
 * and the penalty run over whole shards or over all matrices of one shape in one dispatch, whatever the model.
 */
import type { BufferCategory, BufferPool } from '../gpu/buffers.ts';
import { ALIGNMENT, readFloats } from '../gpu/buffers.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Graph, Shape, Tensor } from '../graph/graph.ts';
import { elementCount } from '../graph/graph.ts';
import { linear } from '../graph/ops/matmul.ts';
import type { StoredLayout } from './stored.ts';
import type { GraphWeights, WeightSet } from './weights.ts';

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

const ALIGN_ELEMENTS = ALIGNMENT / 4;

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
   * @param maxBytes the largest buffer the adapter binds
   * @throws when one parameter alone is larger
   */
  constructor(specs: readonly ParameterSpec[], maxBytes: number) {
    const matrices = specs.filter(({ shape }) => shape.length > 1);
    const vectors = specs.filter(({ shape }) => shape.length === 1);
    const placed: PlacedParameter[] = [];
    const sizes: number[] = [];
    const boundaries: number[] = [];
    for (const spec of [...matrices, ...vectors]) {
      const size = Math.ceil(elementCount(spec.shape) / ALIGN_ELEMENTS) * ALIGN_ELEMENTS;
      if (size * 4 > maxBytes) throw new RangeError(`${spec.name} needs ${size * 4} bytes; this adapter binds at most ${maxBytes} at once.`);
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

/** One set of numbers in the layout: the weights, their gradients, a moment, or the pretrained copy. */
export class ParameterBuffers implements WeightSet {
  readonly shards: readonly Slice[];

  constructor(
    readonly layout: ParameterLayout,
    pool: BufferPool,
    category: BufferCategory,
    label: string,
  ) {
    this.shards = layout.shardSizes.map((size, i) => pool.storage(size * 4, category, `${label} ${i}`));
  }

  /** The range of one parameter. */
  slice({ shard, offset, shape }: PlacedParameter): Slice {
    return { buffer: this.shards[shard]!.buffer, offset: offset * 4, size: elementCount(shape) * 4 };
  }

  bind(graph: Graph, bindings: Map<Tensor, Slice>): GraphWeights {
    const sources = new Map(
      this.layout.parameters.map((placed) => {
        const tensor = graph.source('parameter', placed.name, placed.shape);
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

  /** Writes one weight; `values` are row-major. */
  write(device: GPUDevice, { name, shape, shard, offset }: PlacedWeight, values: Float32Array<ArrayBuffer>): void {
    if (values.length !== elementCount(shape)) throw new Error(`${name} has ${values.length} numbers, the model expects ${elementCount(shape)}.`);
    device.queue.writeBuffer(this.shards[shard]!.buffer, offset * 4, values);
  }

  /** Copies all numbers of `from` on the GPU. */
  copyFrom(device: GPUDevice, from: ParameterBuffers): void {
    const encoder = device.createCommandEncoder({ label: 'copy parameters' });
    for (const [i, shard] of this.shards.entries()) encoder.copyBufferToBuffer(from.shards[i]!.buffer, 0, shard.buffer, 0, shard.size);
    device.queue.submit([encoder.finish()]);
  }

  /** Reads one weight back. */
  read(device: GPUDevice, { shape, shard, offset }: PlacedWeight): Promise<Float32Array<ArrayBuffer>> {
    return readFloats(device, { buffer: this.shards[shard]!.buffer, offset: offset * 4, size: elementCount(shape) * 4 });
  }

  destroy(pool: BufferPool): void {
    for (const shard of this.shards) pool.destroy(shard);
  }
}
