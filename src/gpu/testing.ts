/**
 * @file A device for tests and benchmarks in Node, where Dawn (the `webgpu` package) runs on whatever Vulkan adapter
 * the environment offers. A missing adapter is an error, never a skipped test.
 */
import { create, globals } from 'webgpu';
import { BufferPool } from './buffers.ts';
import type { Context } from './context.ts';
import { requestGpu, type Gpu } from './device.ts';
import { PipelineCache } from './kernel.ts';

/** Dawn frees the adapter and its devices with this object, so it is kept for the life of the process. */
let instance: GPU | undefined;
let device: Promise<Gpu> | undefined;

/** The one device of this process, made at the first call. */
export function testGpu(): Promise<Gpu> {
  device ??= (async () => {
    Object.assign(globalThis, globals);
    instance = create([]);
    return requestGpu(instance);
  })();
  return device;
}

const clock = new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits work of the GPU while the main thread sleeps a millisecond at a time. Node's Dawn otherwise polls in a tight
 * loop, which takes one core from an adapter that itself runs on the CPU: on two cores everything runs at half speed.
 */
export async function idleUntil<T>(work: Promise<T>): Promise<T> {
  let waiting = true;
  const nap = (): void => {
    if (!waiting) return;
    Atomics.wait(clock, 0, 0, 1);
    setImmediate(nap);
  };
  setImmediate(nap);
  try {
    return await work;
  } finally {
    waiting = false;
  }
}
