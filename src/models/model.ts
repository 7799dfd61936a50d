/** @file A model: its configuration, the places of its parameters and the weights on the GPU. */
import type { Context } from '../gpu/context.ts';
import { largestBuffer } from '../gpu/device.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import type { Architecture, DecoderConfig } from './architecture.ts';
import { architectureOf } from './architecture.ts';
import type { PlacedWeight } from './parameters.ts';
import { ParameterBuffers, ParameterLayout } from './parameters.ts';
import { fileShape, fromFile } from './stored.ts';

/** Where weights come from; `formats/folder.ts` gives one for a Hugging Face folder. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype?: string }>;
  /** Row-major numbers of one tensor. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** The bytes of one tensor as stored, after a look for NaN and infinity; halves are then never widened on their way to the GPU. */
  readRaw?(name: string): Promise<{ readonly dtype: string; readonly bytes: Uint8Array<ArrayBuffer> }>;
}

export interface LoadOptions {
  /**
   * How matrices are kept; vectors are always f32. Files in the same halves are kept bit for bit, others are rounded to the
   * nearest. Nothing is computed in halves, and training keeps f32 copies of what it changes.
   */
  readonly precision?: FloatType;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A weight that is missing, has another shape than the configuration says, or is not a number everywhere. */
export class ModelWeightError extends Error {
  override readonly name = 'ModelWeightError';
}

/** A set of weights with its architecture. Trainers change `weights` in place. */
export class Model {
  readonly layout: ParameterLayout;
  readonly weights: ParameterBuffers;
  #unusedTensors: readonly string[] = [];

  private constructor(
    readonly context: Context,
    readonly architecture: Architecture,
    /** config.json as it was read, for export. */
    readonly configJson: Readonly<Record<string, unknown>>,
    readonly precision: FloatType,
  ) {
    this.layout = new ParameterLayout(architecture.parameters, largestBuffer(context.gpu));
    this.weights = new ParameterBuffers(this.layout, context.pool, 'pretrained', 'weights', precision);
  }

  /** The same model without its numbers, in another precision or context, for plans on a context that only counts. */
  planned(context: Context, precision: FloatType = this.precision): Model {
    return new Model(context, this.architecture, this.configJson, precision);
  }

  get config(): DecoderConfig {
    return this.architecture.config;
  }

  /** Tensors of the weight files that the family does not have; they were left out, and an export lacks them. */
  get unusedTensors(): readonly string[] {
    return this.#unusedTensors;
  }

  /**
   * Reads every weight, one at a time, so that no second copy of the model is held.
   * @throws {ModelConfigError | ModelWeightError | RangeError | GpuMemoryError} naming the field or the tensor; nothing is left on the GPU then
   */
  static async load(context: Context, configJson: Readonly<Record<string, unknown>>, source: WeightSource, { precision = 'f32', onProgress }: LoadOptions = {}): Promise<Model> {
    const model = new Model(context, architectureOf(configJson), configJson, precision);
    try {
      let done = 0;
      const used = new Set<string>();
      for (const weight of model.layout.weights) {
        const name = nameInSource(weight, source, model.architecture);
        used.add(name);
        const { shape, dtype } = source.tensors.get(name)!;
        const expected = fileShape(weight);
        if (shape.join() !== expected.join()) {
          throw new ModelWeightError(`${name} has the shape [${shape.join(', ')}]; config.json makes it [${expected.join(', ')}].`);
        }
        if (source.readRaw && precision !== 'f32' && dtype === precision.toUpperCase() && weight.shape.length > 1 && !weight.stored) {
          const { bytes } = await source.readRaw(name);
          model.weights.writeHalves(context.gpu.device, weight, new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));
        } else {
          const values = await source.read(name);
          const bad = values.findIndex((value) => !Number.isFinite(value));
          if (bad >= 0) throw new ModelWeightError(`${name} holds ${values[bad]} at element ${bad}; every weight must be a finite number.`);
          model.weights.write(context.gpu.device, weight, fromFile(weight, values));
        }
        onProgress?.(++done, model.layout.weights.length);
      }
      model.#unusedTensors = [...source.tensors.keys()].filter((name) => !used.has(name) && !isExpected(name, model.architecture));
    } catch (error) {
      model.destroy();
      throw error;
    }
    return model;
  }

  /** A fresh model: matrices normal with `initializer_range`, gains one, biases zero. The same seed gives the same weights. */
  static create(context: Context, configJson: Readonly<Record<string, unknown>>, seed: number, precision: FloatType = 'f32'): Model {
    const model = new Model(context, architectureOf(configJson), configJson, precision);
    const normal = normalNumbers(seed);
    for (const weight of model.layout.weights) {
      const values = new Float32Array(weight.rows * weight.columns);
      if (weight.shape.length > 1) for (let i = 0; i < values.length; i++) values[i] = normal() * model.config.initializerRange;
      else if (!weight.name.endsWith('.bias')) values.fill(1);
      model.weights.write(context.gpu.device, weight, values);
    }
    return model;
  }

  destroy(): void {
    this.weights.destroy(this.context.pool);
  }
}

/** The name under which a file has a weight: with or without the family's prefix, and a tied matrix under either of its two names. */
function nameInSource({ name }: PlacedWeight, { tensors }: WeightSource, { names, config }: Architecture): string {
  const candidates = [name, ...(config.tieWordEmbeddings && name === names.embedding ? [names.head] : [])];
  const found = candidates.flatMap((candidate) => [candidate, withoutPrefix(candidate, names.prefix)]).find((candidate) => tensors.has(candidate));
  if (found === undefined) throw new ModelWeightError(`The weights have no tensor ${name}, which config.json asks for.`);
  return found;
}

const withoutPrefix = (name: string, prefix: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);

/** Whether a tensor beside the weights is no surprise: a buffer, or the second copy of a tied matrix. */
const isExpected = (name: string, { names, config }: Architecture): boolean => names.buffers.test(name) || (config.tieWordEmbeddings && [names.embedding, names.head].includes(name));

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
