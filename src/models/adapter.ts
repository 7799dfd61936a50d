/**
 * @file Frozen weights with a LoRA adapter on some of their linear layers (arXiv 2106.09685): W + s B A, with B A never
 * formed while it trains or runs. s = alpha / r, or alpha / sqrt(r) (rsLoRA, arXiv 2312.03732).
 *
 * Only the adapter has buffers of its own, in a layout of its own, so what trains, clips and decays parameters does the
 * same to an adapter and holds gradients and moments for nothing else.
 */
import { Random } from '../data/random.ts';
import { loraScale, type LoraAdapter, type LoraModule, type LoraSettings } from '../formats/lora.ts';
import type { BufferPool } from '../gpu/buffers.ts';
import { readFloats } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import { Program } from '../gpu/program.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { loraLinear, mergeCall } from '../graph/ops/lora.ts';
import type { LinearModule } from './linears.ts';
import { ParameterBuffers, ParameterLayout, type ParameterSpec, type PlacedWeight } from './parameters.ts';
import { fromFile, toFile } from './stored.ts';
import type { GraphWeights, WeightSet } from './weights.ts';
import { copyWidened } from './widen.ts';

/** An adapted layer and the places of its two matrices: A [r, columns], B [rows, r]. */
export interface AdaptedModule {
  readonly linear: LinearModule;
  readonly a: PlacedWeight;
  readonly b: PlacedWeight;
}

/** What an adapter is made on: frozen weights and the linear layers among them. */
export interface AdapterBase {
  readonly weights: ParameterBuffers;
  readonly linears: readonly LinearModule[];
}

/**
 * The linear layers that target names select, as PEFT's `target_modules` does: whole paths or their last parts.
 * @throws RangeError when a name selects none
 */
export function targetLinears(linears: readonly LinearModule[], targets: readonly string[]): LinearModule[] {
  const selects = (target: string, { module }: LinearModule): boolean => module === target || module.endsWith(`.${target}`);
  const stray = targets.find((target) => !linears.some((linear) => selects(target, linear)));
  const known = [...new Set(linears.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)))].join(', ');
  if (stray !== undefined) throw new RangeError(`No linear layer of this model is named ${stray}; there are ${known}.`);
  if (targets.length === 0) throw new RangeError(`An adapter needs layers to be on; there are ${known}.`);
  return linears.filter((linear) => targets.some((target) => selects(target, linear)));
}

export class AdaptedWeights implements WeightSet {
  readonly scale: number;
  /** In the order of the model's layers. */
  readonly modules: readonly AdaptedModule[];
  readonly #byModule: ReadonlyMap<string, AdaptedModule>;

  private constructor(
    private readonly context: Context,
    readonly base: ParameterBuffers,
    readonly settings: LoraSettings,
    linears: readonly LinearModule[],
    /** A and B; what an optimizer changes. */
    readonly trained: ParameterBuffers,
  ) {
    this.scale = loraScale(settings);
    const placed = new Map(trained.layout.weights.map((weight) => [weight.name, weight]));
    this.modules = linears.map((linear) => ({ linear, a: placed.get(nameOfA(linear))!, b: placed.get(nameOfB(linear))! }));
    this.#byModule = new Map(this.modules.map((adapted) => [adapted.linear.module, adapted]));
  }

  /** An adapter of zeros, with which nothing trains: for counting, and to be filled. @throws RangeError for a rank or alpha that cannot be */
  static zeros(context: Context, base: ParameterBuffers, linears: readonly LinearModule[], settings: LoraSettings): AdaptedWeights {
    const { r, alpha } = settings;
    if (!Number.isInteger(r) || r < 1) throw new RangeError(`The rank of an adapter is a whole number of at least 1, not ${r}.`);
    if (!(alpha > 0)) throw new RangeError(`The alpha of an adapter is a positive number, not ${alpha}.`);
    const { maxStorageBufferBindingSize, maxBufferSize } = context.gpu.facts.limits;
    const layout = new ParameterLayout(adapterParameters(linears, r), Math.min(maxStorageBufferBindingSize, maxBufferSize));
    return new AdaptedWeights(context, base, settings, linears, new ParameterBuffers(layout, context.pool, 'adapter', 'adapter'));
  }

  /**
   * A fresh adapter as PEFT makes it: A uniform within ±1/sqrt(in) (`kaiming_uniform_` with a = sqrt(5)), B zero. The same
   * seed gives a layer the same A, whatever other layers are adapted.
   * @throws RangeError for targets that select nothing, or a rank or alpha that cannot be
   */
  static create(context: Context, { weights, linears }: AdapterBase, settings: LoraSettings, targets: readonly string[], seed: number): AdaptedWeights {
    const adapted = AdaptedWeights.zeros(context, weights, targetLinears(linears, targets), settings);
    for (const { linear, a } of adapted.modules) adapted.trained.write(context.gpu.device, a, initialA(linear, linears, settings.r, seed));
    return adapted;
  }

  /**
   * An adapter of given matrices.
   * @throws RangeError naming the module that the model does not have, that is there twice, or whose matrices do not fit
   */
  static from(context: Context, { weights, linears }: AdapterBase, { settings, modules }: LoraAdapter): AdaptedWeights {
    const given = new Map<string, LoraModule>();
    for (const matrices of modules) {
      if (given.has(matrices.name)) throw new RangeError(`The adapter has ${matrices.name} twice.`);
      checkFits(linears.find(({ module }) => module === matrices.name), matrices, settings.r);
      given.set(matrices.name, matrices);
    }
    if (given.size === 0) throw new RangeError('The adapter has no modules.');
    const adapted = AdaptedWeights.zeros(context, weights, linears.filter(({ module }) => given.has(module)), settings);
    for (const { linear, a, b } of adapted.modules) {
      const matrices = given.get(linear.module)!;
      adapted.trained.write(context.gpu.device, a, matrices.a);
      adapted.trained.write(context.gpu.device, b, fromFile(b, matrices.b));
    }
    return adapted;
  }

  get layout(): ParameterLayout {
    return this.base.layout;
  }

  /** Names of the adapted weights, among those of the model. */
  get names(): ReadonlySet<string> {
    return new Set(this.modules.map(({ linear }) => `${linear.module}.weight`));
  }

  bind(graph: Graph, bindings: Map<Tensor, Slice>): GraphWeights {
    const frozen = this.base.bind(graph, bindings);
    const adapter = this.trained.bind(graph, bindings);
    const adapted = byParameter(this.modules.map(({ linear }) => linear));
    return {
      parameter: (name) => frozen.parameter(name),
      linear: (x, name) => {
        const pieces = adapted.get(name);
        if (!pieces) return frozen.linear(x, name);
        const factors = {
          a: adapter.parameter(`${name}.lora_A`),
          b: adapter.parameter(`${name}.lora_B`),
          pieces: pieces.map(({ fromRow, rows }) => ({ column: fromRow, rows })),
          scale: this.scale,
        };
        return loraLinear(graph, x, factors, (input) => frozen.linear(input, name));
      },
      trainable: adapter.trainable,
    };
  }

  /** Reads one weight of the model, the adapter merged into it on the GPU. Room for that one weight is made and freed. */
  async read(device: GPUDevice, weight: PlacedWeight): Promise<Float32Array<ArrayBuffer>> {
    const values = await this.base.read(device, weight);
    const adapted = this.#byModule.get(weight.name.replace(/\.weight$/, ''));
    if (!adapted) return values;
    const context = childContext(this.context);
    try {
      const upload = (data: Float32Array<ArrayBuffer>, label: string): Slice => ({ ...context.pool.upload(data, 'other', label), size: data.byteLength });
      const merged = upload(values, 'merged weight');
      const call = mergeCall(
        { rows: weight.rows, columns: weight.columns, rank: this.settings.r },
        this.scale,
        upload(await this.trained.read(device, adapted.b), 'adapter B'),
        upload(await this.trained.read(device, adapted.a), 'adapter A'),
        merged,
      );
      (await Program.record(device, context.pipelines, 'merge', [call])).replay();
      return await readFloats(device, merged);
    } finally {
      context.pool.destroyAll();
    }
  }

  /** The adapter's numbers, as files hold them. */
  async matrices(): Promise<LoraAdapter> {
    const { device } = this.context.gpu;
    const modules: LoraModule[] = [];
    for (const { linear, a, b } of this.modules) {
      modules.push({ name: linear.module, a: await this.trained.read(device, a), b: toFile(b, await this.trained.read(device, b)) });
    }
    return { settings: this.settings, modules };
  }

  /** A copy of the adapter on the same frozen weights. */
  async copy(context: Context): Promise<AdaptedWeights> {
    const copy = AdaptedWeights.zeros(context, this.base, this.modules.map(({ linear }) => linear), this.settings);
    await copyWidened(context, this.trained, copy.trained);
    return copy;
  }

  /** Frees the adapter; the frozen weights are the model's. */
  destroy(pool: BufferPool): void {
    this.trained.destroy(pool);
  }
}

/** All weights as plain ones, the adapter merged into them: as much memory as the model takes in f32. */
export async function merge(context: Context, adapted: AdaptedWeights): Promise<ParameterBuffers> {
  const merged = new ParameterBuffers(adapted.layout, context.pool, 'weights', 'merged weights');
  try {
    for (const weight of adapted.layout.weights) merged.write(context.gpu.device, weight, await adapted.read(context.gpu.device, weight));
  } catch (error) {
    merged.destroy(context.pool);
    throw error;
  }
  return merged;
}

const nameOfA = ({ module }: LinearModule): string => `${module}.lora_A.weight`;
const nameOfB = ({ module }: LinearModule): string => `${module}.lora_B.weight`;

function byParameter(linears: readonly LinearModule[]): Map<string, LinearModule[]> {
  const groups = new Map<string, LinearModule[]>();
  for (const linear of linears) groups.set(linear.parameter, [...(groups.get(linear.parameter) ?? []), linear]);
  return groups;
}

/** Two parameters for each that is adapted: the A of its layers stacked by rows, and so their B. */
function adapterParameters(linears: readonly LinearModule[], rank: number): ParameterSpec[] {
  return [...byParameter(linears)].flatMap(([parameter, pieces]) => {
    const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
    return [
      { name: `${parameter}.lora_A`, shape: [rank * pieces.length, pieces[0]!.columns], parts: pieces.map((piece) => ({ name: nameOfA(piece), rows: rank })) },
      {
        name: `${parameter}.lora_B`,
        shape: [rows, rank],
        parts: pieces.map((piece) => ({ name: nameOfB(piece), rows: piece.rows, ...(piece.fileRows ? { stored: { fileRows: piece.fileRows } } : {}) })),
      },
    ];
  });
}

/** A fresh A [rank, columns] of a layer. */
export function initialA(linear: LinearModule, linears: readonly LinearModule[], rank: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed, linears.indexOf(linear));
  const bound = 1 / Math.sqrt(linear.columns);
  return Float32Array.from({ length: rank * linear.columns }, () => bound * (random.uint32() / 2 ** 31 - 1));
}

function checkFits(linear: LinearModule | undefined, { name, a, b }: LoraModule, rank: number): void {
  if (!linear) throw new RangeError(`The adapter has ${name}, which is no linear layer of this model. The model is as it was; open the one that the adapter was trained on.`);
  const { rows, columns } = linear;
  if (a.length !== rank * columns || b.length !== rows * rank) {
    throw new RangeError(`${name}: A has ${a.length} numbers and B ${b.length}; with r ${rank} this model's ${columns} inputs and ${rows} outputs make it ${rank * columns} and ${rows * rank}.`);
  }
  for (const [half, values] of [['A', a], ['B', b]] as const) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new RangeError(`${name}: ${half} holds ${values[bad]} at element ${bad}; every weight must be a finite number.`);
  }
}
