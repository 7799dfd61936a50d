/**
 * @file A kernel is a WGSL text with its shapes baked in, and a call is a kernel with buffers and a grid.
 *
 * Shader files are plain WGSL that name constants they do not declare (`M`, `HIDDEN`, ...). `kernel()` writes those
 * declarations in front, so sizes are compile-time constants: loops unroll, arrays get their length, and two layers of
 * one shape share one pipeline because their text is the same. Lines between `//#if NAME` and `//#end` stay only when
 * the flag is true (`//#else` allowed), for bindings and code that a variant lacks.
 */

/** `read` and `write` are storage buffers (`write` is read-write in WGSL); `uniform` is a uniform buffer. */
export type Access = 'read' | 'write' | 'uniform';

/** One specialised compute shader with a single entry point `main` and bindings 0.. of group 0 in order. */
export interface Kernel {
  readonly label: string;
  readonly code: string;
  readonly bindings: readonly Access[];
}

/** A range of a buffer, in bytes; `offset` must respect the device's storage alignment (256). */
export interface Slice {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

export type Grid = readonly [x: number, y: number, z: number];

/** One dispatch: what to run, on what, over how many workgroups. */
export interface Call {
  readonly kernel: Kernel;
  readonly slices: readonly Slice[];
  readonly grid: Grid;
}

export type Constant = number | boolean;

/**
 * Specialises a shader text.
 * Integers become `u32` constants, other numbers `f32`, booleans `bool` constants and `//#if` flags; write
 * `f32Constant(2)` for an integral float.
 * @throws when a `//#if` names a flag that was not given.
 */
export function kernel(
  label: string,
  source: string,
  bindings: readonly Access[],
  constants: Readonly<Record<string, Constant | FloatConstant>> = {},
): Kernel {
  const declarations = Object.entries(constants).map(([name, value]) => {
    if (typeof value === 'boolean') return `const ${name} = ${value};`;
    if (typeof value === 'object') return `const ${name}: f32 = ${floatLiteral(value.float)};`;
    return Number.isInteger(value) ? `const ${name}: u32 = ${value}u;` : `const ${name}: f32 = ${floatLiteral(value)};`;
  });
  return { label, bindings, code: `${declarations.join('\n')}\n${keepFlagged(source, constants, label)}` };
}

/** A number that is a float in the shader even when it happens to be integral. */
export interface FloatConstant {
  readonly float: number;
}
export const f32Constant = (float: number): FloatConstant => ({ float });

function floatLiteral(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`A shader constant must be finite, not ${value}.`);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** The lines of a shader text that its `//#if` flags keep. */
export function keepFlagged(source: string, constants: Readonly<Record<string, Constant | FloatConstant>>, label: string): string {
  const keeping: boolean[] = [];
  const kept: string[] = [];
  for (const line of source.split('\n')) {
    const directive = /^\s*\/\/#(if|else|end)\s*(\w*)/.exec(line);
    if (directive?.[1] === 'if') {
      const flag = constants[directive[2]!];
      if (typeof flag !== 'boolean') throw new Error(`${label}: the shader asks for the flag ${directive[2]}, which was not given.`);
      keeping.push(flag);
    } else if (directive?.[1] === 'else') keeping.push(!keeping.pop());
    else if (directive?.[1] === 'end') keeping.pop();
    else if (keeping.every(Boolean)) kept.push(line);
  }
  return kept.join('\n');
}

/** Pipelines of one device by shader text, so equal kernels are compiled once. */
export class PipelineCache {
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #device: GPUDevice;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * The pipeline of a kernel, compiled in the background the first time.
   * @throws with the compiler's message and the numbered line when the WGSL is invalid.
   */
  pipeline(wanted: Kernel): Promise<GPUComputePipeline> {
    const key = `${wanted.bindings.join()}\n${wanted.code}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(wanted);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile({ label, code, bindings }: Kernel): Promise<GPUComputePipeline> {
    const device = this.#device;
    const module = device.createShaderModule({ label, code });
    const type = { read: 'read-only-storage', write: 'storage', uniform: 'uniform' } as const;
    const bindGroupLayout = device.createBindGroupLayout({
      label,
      entries: bindings.map((access, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: type[access] } })),
    });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
    try {
      return await device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: 'main' } });
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const lines = code.split('\n');
      const detail = messages.filter((m) => m.type === 'error').map((m) => `${m.message} (line ${m.lineNum}: ${lines[m.lineNum - 1]?.trim() ?? ''})`);
      throw new Error(`Kernel ${label} does not compile: ${detail.join('; ') || String(cause)}`, { cause });
    }
  }
}

/** The grid that covers `count` items with workgroups of `size`, folded into two dimensions past the per-dimension limit. */
export function linearGrid(count: number, size: number): Grid {
  const groups = Math.ceil(count / size);
  if (groups <= 65535) return [groups, 1, 1];
  const y = Math.ceil(groups / 65535);
  return [Math.ceil(groups / y), y, 1];
}
