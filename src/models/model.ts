/** @file A model: its configuration, the places of its parameters and the weights on the GPU. */
import type { Context } from '../gpu/context.ts';
import type { Architecture, DecoderConfig } from './architecture.ts';
import { architectureOf } from './architecture.ts';
import type { PlacedWeight } from './parameters.ts';
import { ParameterBuffers, ParameterLayout } from './parameters.ts';

/** Where weights come from; `formats/folder.ts` gives one for a Hugging Face folder. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  /** Row-major numbers of one tensor. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/** A weight that is missing, has another shape than the configuration says, or is not a number everywhere. */
export class ModelWeightError extends Error {
  override readonly name = 'ModelWeightError';
}

/** A set of weights with its architecture. Trainers change `weights` in place. */
export class Model {
  readonly layout: ParameterLayout;
  readonly weights: ParameterBuffers;

  private constructor(
    readonly context: Context,
    readonly architecture: Architecture,
    /** config.json as it was read, for export. */
    readonly configJson: Readonly<Record<string, unknown>>,
  ) {
    const { maxStorageBufferBindingSize, maxBufferSize } = context.gpu.facts.limits;
    this.layout = new ParameterLayout(architecture.parameters, Math.min(maxStorageBufferBindingSize, maxBufferSize));
    this.weights = new ParameterBuffers(this.layout, context.pool, 'weights', 'weights');
  }

  get config(): DecoderConfig {
    return this.architecture.config;
  }

  /**
   * Reads every weight, one at a time, so that no second copy of the model is held.
   * @throws {ModelConfigError | ModelWeightError} naming the field or the tensor; nothing is left on the GPU then
   */
  static async load(context: Context, configJson: Readonly<Record<string, unknown>>, source: WeightSource, onProgress?: (done: number, total: number) => void): Promise<Model> {
    const model = new Model(context, architectureOf(configJson), configJson);
    try {
      let done = 0;
      for (const weight of model.layout.weights) {
        const name = nameInSource(weight, source, model.config.tieWordEmbeddings);
        const { shape } = source.tensors.get(name)!;
        if (shape.join() !== weight.shape.join()) {
          throw new ModelWeightError(`${name} has the shape [${shape.join(', ')}]; config.json makes it [${weight.shape.join(', ')}].`);
        }
        const values = await source.read(name);
        const bad = values.findIndex((value) => !Number.isFinite(value));
        if (bad >= 0) throw new ModelWeightError(`${name} holds ${values[bad]} at element ${bad}; every weight must be a finite number.`);
        model.weights.write(context.gpu.device, weight, values);
        onProgress?.(++done, model.layout.weights.length);
      }
    } catch (error) {
      model.destroy();
      throw error;
    }
    return model;
  }

  /** A fresh model: matrices normal with `initializer_range`, gains one. The same seed gives the same weights. */
  static create(context: Context, configJson: Readonly<Record<string, unknown>>, seed: number): Model {
    const model = new Model(context, architectureOf(configJson), configJson);
    const normal = normalNumbers(seed);
    for (const weight of model.layout.weights) {
      const values = new Float32Array(weight.rows * weight.columns);
      for (let i = 0; i < values.length; i++) values[i] = weight.shape.length > 1 ? normal() * model.config.initializerRange : 1;
      model.weights.write(context.gpu.device, weight, values);
    }
    return model;
  }

  destroy(): void {
    this.weights.destroy(this.context.pool);
  }
}

/** The name under which a file has a weight: a tied matrix may be stored under either of its two names. */
function nameInSource({ name }: PlacedWeight, source: WeightSource, tied: boolean): string {
  if (source.tensors.has(name)) return name;
  if (tied && name === 'model.embed_tokens.weight' && source.tensors.has('lm_head.weight')) return 'lm_head.weight';
  throw new ModelWeightError(`The weights have no tensor ${name}, which config.json asks for.`);
}

/** Normal numbers by Box and Muller from the generator "mulberry32". */
function normalNumbers(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
