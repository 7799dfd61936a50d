/**
 * @file The adapter and device: what is there, what is missing in words, and what happens when it is lost.
 */

/** Why WebGPU cannot be used, in the order the checks are made. */
export type GpuProblem = 'no-webgpu' | 'no-adapter' | 'no-device' | 'limits-too-small';

/** The device could not be obtained, with the reason as a code and as a sentence. */
export class GpuUnavailableError extends Error {
  override readonly name = 'GpuUnavailableError';
  constructor(
    readonly problem: GpuProblem,
    message: string,
  ) {
    super(message);
  }
}

/** The device was lost after it had been obtained; every buffer on it is gone. */
export class GpuLostError extends Error {
  override readonly name = 'GpuLostError';
  constructor(
    readonly reason: GPUDeviceLostReason,
    message: string,
  ) {
    super(`The graphics device was lost (${reason}): ${message || 'the browser gave no reason'}.`);
  }
}

/** A validation or internal error the device reported outside any error scope: a fault in our own commands. */
export class GpuCommandError extends Error {
  override readonly name = 'GpuCommandError';
}

/** The device ran out of memory. */
export class GpuMemoryError extends Error {
  override readonly name = 'GpuMemoryError';
}

/** Limits below which no part of the engine can run; they are WebGPU's own defaults. */
const REQUIRED_LIMITS = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxComputeWorkgroupStorageSize: 16 * 2 ** 10,
  maxComputeInvocationsPerWorkgroup: 256,
  maxStorageBuffersPerShaderStage: 8,
} as const;

/** Optional features the engine uses where the adapter has them. */
const OPTIONAL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** What the engine needs to know of the adapter to choose kernels, and what diagnostics print. */
export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** Runs on the CPU (SwiftShader, lavapipe): workgroup barriers are slow, straight loads are not. */
  readonly software: boolean;
  /** Invocations of a subgroup; 0 where subgroups are missing or their size varies. */
  readonly subgroupSize: number;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<keyof typeof REQUIRED_LIMITS | 'maxComputeWorkgroupsPerDimension' | 'minStorageBufferOffsetAlignment', number>>;
}

/** A device with what is known of its adapter, and one place where its errors arrive. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly facts: AdapterFacts;
  /** Bytes that all buffers together may have, where somebody set it; the device itself does not tell how many it has. */
  readonly memoryLimit?: number;
  /** Resolves when the device is lost for a reason other than our own `destroy()`. */
  readonly lost: Promise<GpuLostError>;
  /** Throws the first uncaptured error, if there has been one since the last call. */
  assertHealthy(): void;
}

/**
 * Asks for an adapter and a device with the largest limits the adapter offers.
 * @throws {GpuUnavailableError} saying which of WebGPU, adapter, device or limit is missing.
 */
export async function requestGpu(gpu: GPU | undefined): Promise<Gpu> {
  if (!gpu) throw new GpuUnavailableError('no-webgpu', 'This browser has no WebGPU (navigator.gpu is missing).');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new GpuUnavailableError('no-adapter', 'WebGPU is there, but it found no graphics adapter.');
  for (const [name, least] of Object.entries(REQUIRED_LIMITS)) {
    const has = adapter.limits[name as keyof typeof REQUIRED_LIMITS];
    if (has < least) {
      throw new GpuUnavailableError('limits-too-small', `The adapter's ${name} is ${has}; Gimbal needs at least ${least}.`);
    }
  }
  const requiredLimits = Object.fromEntries(
    (Object.keys(REQUIRED_LIMITS) as (keyof typeof REQUIRED_LIMITS)[]).map((name) => [name, adapter.limits[name]]),
  );
  const requiredFeatures = OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature));
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  } catch (cause) {
    throw new GpuUnavailableError('no-device', `The adapter refused to give a device: ${String(cause)}.`);
  }
  return wrapDevice(device, adapter.info);
}

/** Bytes that one buffer may have and be bound with as a whole. */
export const largestBuffer = ({ facts }: Pick<Gpu, 'facts'>): number => Math.min(facts.limits.maxBufferSize, facts.limits.maxStorageBufferBindingSize);

/** Wraps a device that somebody else obtained, as the engine's one handle on it. */
export function wrapDevice(device: GPUDevice, info: GPUAdapterInfo = device.adapterInfo): Gpu {
  let uncaptured: Error | undefined;
  device.addEventListener('uncapturederror', (event) => {
    const { error } = event;
    uncaptured ??= error.constructor.name === 'GPUOutOfMemoryError' ? new GpuMemoryError(error.message) : new GpuCommandError(error.message);
  });
  const lost = new Promise<GpuLostError>((resolve) => {
    void device.lost.then((loss) => {
      if (loss.reason !== 'destroyed') resolve(new GpuLostError(loss.reason, loss.message));
    });
  });
  return {
    device,
    facts: describeAdapter(device, info),
    lost,
    assertHealthy() {
      const error = uncaptured;
      uncaptured = undefined;
      if (error) throw error;
    },
  };
}

function describeAdapter(device: GPUDevice, info: GPUAdapterInfo): AdapterFacts {
  const { limits } = device;
  const { subgroupMinSize, subgroupMaxSize } = info;
  const identity = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    description: info.description || info.device || info.architecture || info.vendor || 'unnamed adapter',
    software: /swiftshader|llvmpipe|lavapipe|basic render|warp/.test(identity),
    subgroupSize: device.features.has('subgroups') && subgroupMinSize === subgroupMaxSize ? subgroupMaxSize : 0,
    features: [...device.features].map(String).toSorted(),
    limits: {
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      minStorageBufferOffsetAlignment: limits.minStorageBufferOffsetAlignment,
    },
  };
}
