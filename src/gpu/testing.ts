/**
 * @file A device for tests, benchmarks and experiments in Node, where Dawn (the `webgpu` package) runs on whatever
 * Vulkan, Metal or D3D12 adapter the environment offers. A missing adapter is an error, never a skipped test.
 */
import { create, globals } from 'webgpu';
import { BufferPool } from './buffers.ts';
import type { Context } from './context.ts';
import { requestGpu, type Gpu } from './device.ts';
import { PipelineCache } from './kernel.ts';
import type { FloatType } from './storedFloats.ts';

/** Dawn frees the adapter and its devices with this object, so it is kept for the life of the process. */
let instance: GPU | undefined;
let device: Promise<Gpu> | undefined;
let pipelines: PipelineCache | undefined;

/** The one device of this process, made at the first call. */
export function testGpu(): Promise<Gpu> {
  device ??= (async () => {
    Object.assign(globalThis, globals);
    instance = create([]);
    const gpu = await requestGpu(instance);
    if (gpu.facts.software) napBetweenEvents();
    return gpu;
  })();
  return device;
}

/** What `navigator.gpu` is in a browser, after the device of `testGpu` was found on it. */
export async function testAdapters(): Promise<GPU> {
  await testGpu();
  return instance!;
}

/** A context on the one device with buffers of its own; compiled pipelines are shared by the whole process. */
export async function testContext(): Promise<Context> {
  const gpu = await testGpu();
  pipelines ??= new PipelineCache(gpu.device);
  return { gpu, pipelines, pool: new BufferPool(gpu) };
}

const clock = new Int32Array(new SharedArrayBuffer(4));

/**
 * Lets the main thread sleep a millisecond in every turn of its event loop, without keeping the process alive. Node's
 * Dawn otherwise polls in a tight loop, which takes one core from an adapter that itself runs on the CPU.
 */
function napBetweenEvents(): void {
  Atomics.wait(clock, 0, 0, 1);
  setImmediate(napBetweenEvents).unref();
}

/**
 * Awaits work of the GPU while the main thread sleeps a millisecond at a time; also on adapters that are no software.
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

/** The nearest number towards zero that `type` holds; below the normal range of f16 it is zero. */
export function cutTo(type: FloatType, value: number): number {
  if (type === 'f16' && Math.abs(value) < 2 ** -14) return 0;
  const [word] = new Uint32Array(Float32Array.of(value).buffer);
  return new Float32Array(Uint32Array.of(word! & { f32: 0xffffffff, bf16: 0xffff0000, f16: 0xffffe000 }[type]).buffer)[0]!;
}

/** The contents of a buffer that holds `values`, which `cutTo` has made exact, as `type`. */
export function storedWords(values: Float32Array<ArrayBuffer>, type: FloatType = 'f32'): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer);
  if (type === 'f32') return words;
  const halves = new Uint16Array(2 * Math.ceil(values.length / 2));
  // An exponent of f16 is 112 less than that of f32; zero has none.
  const halved = (word: number): number => ((word & 0x7fffffff) === 0 ? 0 : ((word & 0x7fffffff) >>> 13) - (112 << 10));
  for (const [i, word] of words.entries()) halves[i] = type === 'bf16' ? word >>> 16 : ((word >>> 16) & 0x8000) | halved(word);
  return new Uint32Array(halves.buffer);
}
