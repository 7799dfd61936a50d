/** @file The device that everything works on: looked for, lost, and got again. */
import type { Engine, Gpu, GpuLostError } from '../engine.ts';
import { createEngine, requestGpu } from '../engine.ts';

/** What stands on a device. */
export interface OnDevice {
  /** There is a device: the first one, or another. */
  found(engine: Engine): void;
  lost(error: GpuLostError): void;
  /** Ends what worked on the lost device, looks for another by `find`, and puts there what stood on it. */
  recover(find: () => Promise<unknown>): Promise<void>;
}

export class Device {
  #engine: Engine | undefined;
  /** Under way or done since the device was lost; undefined while it works. */
  #recovery: Promise<void> | undefined;

  constructor(
    private readonly webgpu: GPU | undefined,
    private readonly onDevice: OnDevice,
  ) {}

  /** @throws GpuUnavailableError */
  async find(): Promise<Gpu> {
    const gpu = await requestGpu(this.webgpu);
    this.#engine = createEngine(gpu);
    this.onDevice.found(this.#engine);
    void gpu.lost.then((error) => this.#onLost(error));
    return gpu;
  }

  /** @throws before a device was found */
  get engine(): Engine {
    if (!this.#engine) throw new Error(NO_DEVICE);
    return this.#engine;
  }

  /** It was lost and is not back yet. */
  get isLost(): boolean {
    return this.#recovery !== undefined;
  }

  /** Waits for a device that was lost, and tries again where that had failed. */
  async ready(): Promise<void> {
    try {
      await this.#recovery;
    } catch {
      this.#recovery = this.#recover();
      await this.#recovery;
    }
  }

  #onLost(error: GpuLostError): void {
    this.onDevice.lost(error);
    // Whoever needs the device waits for it, and is told what went wrong.
    this.#recovery = this.#recover();
    this.#recovery.catch(() => undefined);
  }

  async #recover(): Promise<void> {
    await this.onDevice.recover(() => this.find());
    this.#recovery = undefined;
  }
}

/** What whoever needs a device is told where there is none. */
export const NO_DEVICE = 'There is no graphics device to work on.';
