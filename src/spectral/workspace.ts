/** @file Working memory of a computation that is freed as one, and the programs recorded on it. */
import type { BufferCategory } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import { matmulCalls, planMatmul, type MatmulOperands, type MatmulShape } from '../gpu/matmul.ts';
import { Program, type Command } from '../gpu/program.ts';

/** Reports how many of `total` matrices are done. */
export type Progress = (done: number, total: number) => void;

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

  /** A uniform buffer written once. */
  uniform(data: ArrayBuffer, label: string): Slice {
    const slice = this.context.pool.uniform(data.byteLength, label);
    this.context.gpu.device.queue.writeBuffer(slice.buffer, 0, data);
    this.#owned.push(slice);
    return slice;
  }

  /** A batched product, with whatever room its partial sums need. */
  product(shape: MatmulShape, operands: MatmulOperands): Call[] {
    const plan = planMatmul(shape, this.context.gpu.facts);
    if (plan.scratchBytes === 0) return matmulCalls(plan, operands);
    return matmulCalls(plan, { ...operands, scratch: this.storage(plan.scratchBytes / 4, 'partial sums') });
  }

  record(label: string, commands: readonly Command[]): Promise<Program> {
    return Program.record(this.context.gpu.device, this.context.pipelines, label, commands);
  }

  /** Hands a buffer over to the caller: `destroy` will leave it alone. */
  release(slice: Slice): Slice {
    const at = this.#owned.findIndex(({ buffer }) => buffer === slice.buffer);
    this.#owned.splice(at, 1);
    return slice;
  }

  destroy(): void {
    for (const slice of this.#owned.splice(0)) this.context.pool.destroy(slice);
  }
}
