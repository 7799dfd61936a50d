/** @file Working memory of a computation that is freed as one, and the programs recorded on it. */
import type { BufferCategory } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import { matmulCalls, planMatmul, type MatmulOperands, type MatmulShape } from '../gpu/matmul.ts';
import { Program, type Command } from '../gpu/program.ts';
import type { MatrixBatch } from '../models/parameters.ts';

/** Reports how many of `total` matrices are done. */
export type Progress = (done: number, total: number) => void;

/** How products address the matrices of a batch where they lie in their shard. */
export interface MatricesInShard {
  readonly shape: { readonly batch: number; readonly alignedTable: boolean };
  readonly table: Slice;
}

const LONGEST_SUM = 768;
/** 32 MiB of f32. */
const MOST_PARTIAL_SUMS = 2 ** 23;

/** Buffers and recorded programs of one computation. */
export class Workspace {
  readonly context: Context;
  readonly #owned: Slice[] = [];

  constructor(context: Context) {
    this.context = context;
  }

  /** Zeroed room for 32-bit elements, sized to the element, so that shaders may ask for the length. */
  storage(elements: number, label: string, category: BufferCategory = 'other'): Slice {
    const slice = this.context.pool.storage(elements * 4, category, label);
    this.#owned.push(slice);
    return { ...slice, size: elements * 4 };
  }

  upload(data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, label: string): Slice {
    const slice = this.context.pool.upload(data, 'other', label);
    this.#owned.push(slice);
    return { ...slice, size: data.byteLength };
  }

  inShard({ offsets }: Pick<MatrixBatch, 'offsets'>): MatricesInShard {
    return {
      shape: { batch: offsets.length, alignedTable: offsets.every((offset) => offset % 4 === 0) },
      table: this.upload(Uint32Array.from(offsets), 'matrix offsets'),
    };
  }

  /** A uniform buffer written once. */
  uniform(data: ArrayBuffer, label: string): Slice {
    const slice = this.context.pool.uniform(data.byteLength, label);
    this.context.gpu.device.queue.writeBuffer(slice.buffer, 0, data);
    this.#owned.push(slice);
    return slice;
  }

  /**
   * A batched product, with whatever room its partial sums need. A long sum is cut, for precision: one running f32 sum
   * over the rows of an embedding would leave its basis orthonormal to 1e-5 only.
   */
  product(shape: MatmulShape, operands: MatmulOperands): Call[] {
    const { m, n, k, batch = 1 } = shape;
    const cuts = Math.min(Math.ceil(k / LONGEST_SUM), Math.floor(MOST_PARTIAL_SUMS / (batch * m * n)));
    const plan = planMatmul(shape, this.context.gpu.facts, cuts > 1 ? { splits: cuts } : {});
    if (plan.scratchBytes === 0) return matmulCalls(plan, operands);
    return matmulCalls(plan, { ...operands, scratch: this.storage(plan.scratchBytes / 4, 'partial sums') });
  }

  record(label: string, commands: readonly Command[]): Promise<Program> {
    return Program.record(this.context.gpu.device, this.context.pipelines, label, commands);
  }

  /** Hands a buffer over to the caller: `destroy` will leave it alone. */
  release({ buffer }: Slice): void {
    this.#owned.splice(
      this.#owned.findIndex((slice) => slice.buffer === buffer),
      1,
    );
  }

  destroy(): void {
    for (const slice of this.#owned.splice(0)) this.context.pool.destroy(slice);
  }
}
