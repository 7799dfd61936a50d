/**
 * @file Buffers with a category, so that memory can be accounted for, and the two ways data crosses: upload and read back.
 */
import type { Gpu } from './device.ts';
import { GpuMemoryError, largestBuffer } from './device.ts';
import type { Slice } from './kernel.ts';

/** What a buffer is for; the memory bar of the page and the bench list bytes by these. */
export type BufferCategory = 'weights' | 'pretrained' | 'adapter' | 'gradients' | 'moments' | 'activations' | 'logits' | 'bases' | 'cache' | 'other';

/** Offsets of ranges that are bound on their own are multiples of this (WebGPU's default minimum alignment). */
export const ALIGNMENT = 256;

export const alignUp = (value: number, to: number = ALIGNMENT): number => Math.ceil(value / to) * to;

/** A buffer as a plan has it. */
export interface BufferFacts {
  readonly label: string;
  readonly category: BufferCategory;
  /** Bytes. */
  readonly size: number;
}

/** Makes buffers on one device and remembers how many bytes each category holds. */
export class BufferPool {
  readonly bytes: Map<BufferCategory, number>;
  readonly #gpu: Gpu;
  readonly #live = new Map<GPUBuffer, BufferFacts>();

  constructor(gpu: Gpu, bytes = new Map<BufferCategory, number>()) {
    this.#gpu = gpu;
    this.bytes = bytes;
  }

  /** A pool whose buffers count here as well and can be freed together. */
  child(): BufferPool {
    return new BufferPool(this.#gpu, this.bytes);
  }

  /** Bytes that one buffer may have. */
  get largest(): number {
    return largestBuffer(this.#gpu);
  }

  /** The buffers made here and not freed. */
  get buffers(): readonly BufferFacts[] {
    return [...this.#live.values()];
  }

  /** A zeroed storage buffer of at least `byteLength` bytes that can be copied from and to. */
  storage(byteLength: number, category: BufferCategory, label: string): Slice {
    return this.#make(byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST, category, label);
  }

  /** A uniform buffer, rewritten by `queue.writeBuffer`. */
  uniform(byteLength: number, label: string): Slice {
    return this.#make(byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST, 'other', label);
  }

  /** A storage buffer holding `data`. */
  upload(data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, category: BufferCategory, label: string): Slice {
    const slice = this.storage(data.byteLength, category, label);
    this.#gpu.device.queue.writeBuffer(slice.buffer, 0, data);
    return slice;
  }

  /** Frees a buffer made here. */
  destroy({ buffer }: Slice): void {
    const category = this.#live.get(buffer)?.category;
    if (category === undefined) return;
    this.#live.delete(buffer);
    this.bytes.set(category, this.bytes.get(category)! - buffer.size);
    buffer.destroy();
  }

  /** Frees everything made here. */
  destroyAll(): void {
    for (const buffer of this.#live.keys()) this.destroy({ buffer, offset: 0, size: buffer.size });
  }

  #make(byteLength: number, usage: GPUBufferUsageFlags, category: BufferCategory, label: string): Slice {
    const size = Math.max(16, alignUp(byteLength, 16));
    if (size > this.largest) throw new GpuMemoryError(`${label} needs ${size} bytes in one buffer; this adapter allows ${this.largest}.`);
    const { device, memoryLimit = Number.POSITIVE_INFINITY } = this.#gpu;
    const held = totalBytes(this.bytes);
    if (held + size > memoryLimit) throw new GpuMemoryError(`${label} needs ${size} bytes beside the ${held} that are held; the limit that was set is ${memoryLimit}.`);
    const buffer = device.createBuffer({ label, size, usage });
    this.#live.set(buffer, { label, category, size });
    this.bytes.set(category, (this.bytes.get(category) ?? 0) + size);
    return { buffer, offset: 0, size };
  }
}

/** Bytes of all categories. */
export const totalBytes = (bytes: ReadonlyMap<BufferCategory, number>): number => [...bytes.values()].reduce((sum, each) => sum + each, 0);

/** Copies ranges back to the CPU in one submit. Bytes, in order; not for use inside a training step. */
export async function readBack(device: GPUDevice, slices: readonly Slice[]): Promise<ArrayBuffer[]> {
  const total = slices.reduce((sum, { size }) => sum + alignUp(size, 8), 0);
  const staging = device.createBuffer({ label: 'read back', size: Math.max(total, 8), usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder({ label: 'read back' });
  let at = 0;
  const ranges = slices.map(({ buffer, offset, size }) => {
    encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
    const range = { at, size };
    at += alignUp(size, 8);
    return range;
  });
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const mapped = staging.getMappedRange();
  const copies = ranges.map((range) => mapped.slice(range.at, range.at + range.size));
  staging.destroy();
  return copies;
}

/** One range read back as 32-bit floats. */
export async function readFloats(device: GPUDevice, slice: Slice): Promise<Float32Array<ArrayBuffer>> {
  const [bytes] = await readBack(device, [slice]);
  return new Float32Array(bytes!);
}
