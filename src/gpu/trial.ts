/**
 * @file Whether buffers fit the device: WebGPU does not tell how much memory there is, so they are made, touched and freed.
 */
import type { BufferFacts } from './buffers.ts';
import type { Context } from './context.ts';
import { GpuMemoryError } from './device.ts';

/** What a trial found; `stoppedAt` are the bytes that did fit. */
export type Trial = { readonly fits: true } | { readonly fits: false; readonly stoppedAt: number; readonly message: string };

/** Bytes made between two questions to the device, each of which takes a round trip. */
const STRIDE = 64 * 2 ** 20;

/**
 * Makes buffers beside those that are held, writes to each of them, and frees them.
 * @param buffers a plan's (`BufferPool.buffers` of a counting context)
 */
export async function trialAllocate({ gpu, pool }: Context, buffers: readonly BufferFacts[]): Promise<Trial> {
  const { device } = gpu;
  const trial = pool.child();
  let fitting = 0;
  try {
    for (let next = 0; next < buffers.length; ) {
      let bytes = 0;
      let problem: GpuMemoryError | undefined;
      device.pushErrorScope('out-of-memory');
      const encoder = device.createCommandEncoder({ label: 'trial' });
      try {
        while (next < buffers.length && bytes < STRIDE) {
          const { size, category, label } = buffers[next++]!;
          const { buffer } = trial.storage(size, category, label);
          encoder.clearBuffer(buffer);
          bytes += buffer.size;
        }
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
      } catch (error) {
        if (!(error instanceof GpuMemoryError)) throw error;
        problem = error;
      } finally {
        const scoped = await device.popErrorScope();
        if (scoped) problem ??= new GpuMemoryError(scoped.message);
      }
      if (problem) return { fits: false, stoppedAt: fitting, message: problem.message };
      fitting += bytes;
    }
    return { fits: true };
  } finally {
    trial.destroyAll();
  }
}
