/** @file What a person is told when WebGPU is missing, and how the device's own errors arrive. */
import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffers.ts';
import { GpuCommandError, GpuLostError, GpuMemoryError, GpuUnavailableError, requestGpu, wrapDevice } from './device.ts';
import { testAdapters, testGpu } from './testing.ts';

/** A stand-in for `navigator.gpu` that ends at one of the steps of getting a device. */
const stopsAt = (step: 'adapter' | 'limits' | 'device'): GPU => {
  const limits = { maxStorageBufferBindingSize: step === 'limits' ? 2 ** 20 : 2 ** 30, maxBufferSize: 2 ** 30, maxComputeWorkgroupStorageSize: 2 ** 15, maxComputeInvocationsPerWorkgroup: 256, maxStorageBuffersPerShaderStage: 8 };
  const adapter = { limits, features: new Set(), requestDevice: () => Promise.reject(new Error('no')) };
  return { requestAdapter: () => Promise.resolve(step === 'adapter' ? null : adapter) } as unknown as GPU;
};

const problemOf = (gpu: GPU | undefined): Promise<unknown> => requestGpu(gpu).catch((error: unknown) => (error instanceof GpuUnavailableError ? [error.problem, error.message] : error));

describe('requestGpu', () => {
  it('says which of WebGPU, adapter, limit or device is missing', async () => {
    expect(await problemOf(undefined)).toEqual(['no-webgpu', expect.stringContaining('navigator.gpu')]);
    expect(await problemOf(stopsAt('adapter'))).toEqual(['no-adapter', expect.stringContaining('adapter')]);
    expect(await problemOf(stopsAt('limits'))).toEqual(['limits-too-small', expect.stringContaining('maxStorageBufferBindingSize is 1048576')]);
    expect(await problemOf(stopsAt('device'))).toEqual(['no-device', expect.stringContaining('no')]);
  });

  it('asks for the limits and the optional features of the adapter', async () => {
    const { facts, device } = await testGpu();
    const adapter = (await (await testAdapters()).requestAdapter())!;
    expect(facts.limits.maxStorageBufferBindingSize).toBe(adapter.limits.maxStorageBufferBindingSize);
    for (const feature of ['shader-f16', 'subgroups', 'timestamp-query']) expect(device.features.has(feature)).toBe(adapter.features.has(feature));
  });
});

describe('a device', () => {
  it('reports a faulty command once, as a typed error', async () => {
    const adapter = (await (await testAdapters()).requestAdapter())!;
    const gpu = wrapDevice(await adapter.requestDevice());
    gpu.assertHealthy();
    gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await gpu.device.queue.onSubmittedWorkDone();
    expect(() => gpu.assertHealthy()).toThrow(GpuCommandError);
    gpu.assertHealthy();
    gpu.device.destroy();
  });

  it('is not lost by our own doing, and says why when it is', async () => {
    const lost = new GpuLostError('unknown', '');
    expect(lost.message).toBe('The graphics device was lost (unknown): the browser gave no reason.');
    const adapter = (await (await testAdapters()).requestAdapter())!;
    const gpu = wrapDevice(await adapter.requestDevice());
    gpu.device.destroy();
    await gpu.device.lost;
    expect(await Promise.race([gpu.lost, Promise.resolve('not lost')])).toBe('not lost');
  });

  it('refuses a buffer beyond its limits before the driver does, naming it', async () => {
    const gpu = await testGpu();
    expect(() => new BufferPool(gpu).storage(2 * gpu.facts.limits.maxBufferSize, 'other', 'a huge tensor')).toThrow(GpuMemoryError);
  });
});
