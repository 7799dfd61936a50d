/** @file What everything that runs on the GPU is given: the device, its pipelines and its buffers. */
import { BufferPool } from './buffers.ts';
import type { Gpu } from './device.ts';
import { PipelineCache } from './kernel.ts';

export interface Context {
  readonly gpu: Gpu;
  readonly pipelines: PipelineCache;
  readonly pool: BufferPool;
}

export const createContext = (gpu: Gpu): Context => ({ gpu, pipelines: new PipelineCache(gpu.device), pool: new BufferPool(gpu) });

/** The same device with a pool of its own, for something that is built and freed as a whole. */
export const childContext = ({ gpu, pipelines, pool }: Context): Context => ({ gpu, pipelines, pool: pool.child() });

/** A context whose buffers are only counted, by category, and never made: for estimates. Nothing can be recorded on it. */
export function countingContext({ gpu, pipelines }: Context): Context {
  const device = {
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }) as unknown as GPUBuffer,
    queue: { writeBuffer: () => undefined },
  } as unknown as GPUDevice;
  const counting: Gpu = { ...gpu, device };
  return { gpu: counting, pipelines, pool: new BufferPool(counting) };
}
