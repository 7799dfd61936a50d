/**
 * @file A program is a list of dispatches recorded once and replayed without allocating: pipelines, bind groups and
 * grids are made at record time, and a replay only encodes them.
 */
import type { Call, PipelineCache, Slice } from './kernel.ts';

/** A whole-buffer or partial clear or copy between dispatches; offsets and sizes are multiples of 4 bytes. */
export type Transfer = { readonly clear: Slice } | { readonly copy: { readonly from: Slice; readonly to: Slice } };

export type Command = Call | Transfer;

interface Dispatch {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

type Step = { readonly pass: readonly Dispatch[] } | Transfer;

/** Dispatches that one compute pass may hold before a new submit begins, so that no submit holds the GPU for long. */
const DISPATCHES_PER_SUBMIT = 96;

/** A recorded, replayable list of GPU commands. */
export class Program {
  readonly dispatchCount: number;
  readonly #device: GPUDevice;
  readonly #steps: readonly Step[];
  readonly #label: string;

  private constructor(device: GPUDevice, label: string, steps: readonly Step[]) {
    this.#device = device;
    this.#label = label;
    this.#steps = steps;
    this.dispatchCount = steps.reduce((sum, step) => sum + ('pass' in step ? step.pass.length : 0), 0);
  }

  /** Compiles the kernels (once each) and makes the bind groups. */
  static async record(device: GPUDevice, pipelines: PipelineCache, label: string, commands: readonly Command[]): Promise<Program> {
    const steps: Step[] = [];
    let pass: Dispatch[] = [];
    const endPass = (): void => {
      if (pass.length) steps.push({ pass });
      pass = [];
    };
    const compiled = await Promise.all(commands.map((command) => ('kernel' in command ? pipelines.pipeline(command.kernel) : Promise.resolve(undefined))));
    for (const [index, command] of commands.entries()) {
      if ('kernel' in command) {
        pass.push(bind(device, compiled[index]!, command));
        if (pass.length === DISPATCHES_PER_SUBMIT) endPass();
      } else {
        endPass();
        steps.push(command);
      }
    }
    endPass();
    return new Program(device, label, steps);
  }

  /** Encodes and submits everything, a submit per pass. Returns at once; the queue keeps the order. */
  replay(): void {
    for (const step of this.#steps) {
      const encoder = this.#device.createCommandEncoder({ label: this.#label });
      encode(encoder, step);
      this.#device.queue.submit([encoder.finish()]);
    }
  }

  /** Replays with a timestamp pair around every dispatch; the result is nanoseconds by kernel label (needs `timestamp-query`). */
  async profile(): Promise<Map<string, { nanoseconds: number; count: number }>> {
    const dispatches = this.#steps.flatMap((step) => ('pass' in step ? step.pass : []));
    const device = this.#device;
    const perSet = 2048;
    const totals = new Map<string, { nanoseconds: number; count: number }>();
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * perSet });
    const resolved = device.createBuffer({ size: 16 * perSet, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size: 16 * perSet, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    for (let start = 0; start < dispatches.length; start += perSet) {
      const part = dispatches.slice(start, start + perSet);
      const encoder = device.createCommandEncoder();
      for (const [index, dispatch] of part.entries()) {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 },
        });
        run(pass, dispatch);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, 2 * part.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, staging);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(staging.getMappedRange());
      for (const [index, { label }] of part.entries()) {
        const total = totals.get(label) ?? { nanoseconds: 0, count: 0 };
        total.nanoseconds += Number(times[2 * index + 1]! - times[2 * index]!);
        total.count += 1;
        totals.set(label, total);
      }
      staging.unmap();
    }
    for (const resource of [querySet, resolved, staging]) resource.destroy();
    return totals;
  }
}

function bind(device: GPUDevice, pipeline: GPUComputePipeline, { kernel, slices, grid }: Call): Dispatch {
  if (slices.length !== kernel.bindings.length) {
    throw new Error(`${kernel.label} has ${kernel.bindings.length} bindings, ${slices.length} buffers were given.`);
  }
  const bindGroup = device.createBindGroup({
    label: kernel.label,
    layout: pipeline.getBindGroupLayout(0),
    entries: slices.map(({ buffer, offset, size }, binding) => ({ binding, resource: { buffer, offset, size } })),
  });
  return { label: kernel.label, pipeline, bindGroup, x: grid[0], y: grid[1], z: grid[2] };
}

function run(pass: GPUComputePassEncoder, dispatch: Dispatch): void {
  pass.setPipeline(dispatch.pipeline);
  pass.setBindGroup(0, dispatch.bindGroup);
  pass.dispatchWorkgroups(dispatch.x, dispatch.y, dispatch.z);
}

function encode(encoder: GPUCommandEncoder, step: Step): void {
  if ('pass' in step) {
    const pass = encoder.beginComputePass();
    for (const dispatch of step.pass) run(pass, dispatch);
    pass.end();
  } else if ('clear' in step) encoder.clearBuffer(step.clear.buffer, step.clear.offset, step.clear.size);
  else encoder.copyBufferToBuffer(step.copy.from.buffer, step.copy.from.offset, step.copy.to.buffer, step.copy.to.offset, step.copy.to.size);
}
