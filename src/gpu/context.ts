/** @file What everything that runs on the GPU is given: the device, its pipelines and its buffers. */
import { BufferPool } from './buffers.ts';
import type { Gpu } from './device.ts';
import { PipelineCache } from './kernel.ts';

export interface Context {
  readonly gpu: Gpu;
  readonly pipelines: PipelineCache;
  readonly pool: BufferPool;
  /** Buffers are only counted: whatever would write to them on the GPU leaves it. */
  readonly counting?: true;
}

export const createContext = (gpu: Gpu): Context => ({ gpu, pipelines: new PipelineCache(gpu.device), pool: new BufferPool(gpu) });

/** The same device with a pool of its own, for something that is built and freed as a whole. */
export const childContext = (context: Context): Context => ({ ...context, pool: context.pool.child() });

/** Nothing is made, so nothing is too large, and there is nothing to free. */
class CountingPool extends BufferPool {
  override get largest(): number {
    return Number.POSITIVE_INFINITY;
  }

  override child(): BufferPool {
    return this;
  }
}

/**
 * A context whose buffers are only counted, by category, and never made: for estimates. Nothing can be recorded on it, and
 * no size is refused, so that what does not fit can be told.
 */
export function countingContext({ gpu, pipelines }: Context): Context {
  const device = {
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }) as unknown as GPUBuffer,
    queue: { writeBuffer: () => undefined },
  } as unknown as GPUDevice;
  const counting: Gpu = { ...gpu, device, memoryLimit: Number.POSITIVE_INFINITY };
  return { gpu: counting, pipelines, pool: new CountingPool(counting), counting: true };
}
