/**
 * @file A LoRA adapter as plain numbers, apart from any file format, and the check that its layers exist in a base model: PEFT loads an adapter
 * whose names match nothing without an error, and the model is then the base model.
 */
import { FormatError, show } from './formatError.ts';

/** What is added to one linear layer: y += scale * B A x. */
export interface LoraModule {
  /** Path of the layer in transformers' model, such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  /** [r, in], row-major. */
  readonly a: Float32Array<ArrayBuffer>;
  /** [out, r], row-major. */
  readonly b: Float32Array<ArrayBuffer>;
}

export interface LoraSettings {
  readonly r: number;
  readonly alpha: number;
  /** Scale alpha / sqrt(r) in place of alpha / r (arXiv 2312.03732). */
  readonly rsLora: boolean;
}

export interface LoraAdapter {
  readonly settings: LoraSettings;
  readonly modules: readonly LoraModule[];
}

/** What an adapter is for. */
export interface BaseModel {
  /** Name on a hub or folder, for `base_model_name_or_path`. */
  readonly name: string;
  /** Commit, where it is known. */
  readonly revision?: string | undefined;
  /** config.json's `model_type`. */
  readonly modelType: string;
  /** The tensors of its weight files. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
}

/** Factor of B A. */
export const loraScale = ({ r, alpha, rsLora }: LoraSettings): number => alpha / (rsLora ? Math.sqrt(r) : r);

/** GPT-2 keeps its linear layers as Conv1D: weights are [in, out]. */
export const isConv1d = ({ modelType }: Pick<BaseModel, 'modelType'>): boolean => modelType === 'gpt2';

/** Prefix of transformers' model class, which checkpoints of the bare decoder leave out (`h.0.attn.c_attn.weight`). */
const CLASS_PREFIX = /^(model|transformer|gpt_neox)\./;

/** The base model's weight of a layer. */
export const weightOf = (module: string, { tensors }: Pick<BaseModel, 'tensors'>): { readonly shape: readonly number[] } | undefined =>
  tensors.get(`${module}.weight`) ?? tensors.get(`${module.replace(CLASS_PREFIX, '')}.weight`);

/**
 * Checks that every layer of an adapter is a linear layer of the base model, and that the matrices fit it.
 * @param fileName the file that the error names
 * @throws FormatError naming the module
 */
export function assertFits({ settings: { r, alpha }, modules }: LoraAdapter, base: BaseModel, fileName: string): void {
  const fail = (module: string, what: string): never => {
    throw new FormatError(fileName, `module ${show(module)}`, what);
  };
  if (!Number.isInteger(r) || r < 1) throw new FormatError(fileName, 'r', `is ${r}; a whole number of at least 1 is needed`);
  if (!(alpha > 0)) throw new FormatError(fileName, 'lora_alpha', `is ${alpha}; a positive number is needed`);
  if (modules.length === 0) throw new FormatError(fileName, '', 'the adapter has no modules');
  const seen = new Set<string>();
  for (const { name, a, b } of modules) {
    if (seen.has(name)) fail(name, 'is there twice');
    seen.add(name);
    const shape = weightOf(name, base)?.shape;
    if (shape === undefined) return fail(name, `${base.name} has no tensor ${name}.weight; an adapter for it would load and do nothing`);
    const [rows, columns] = shape;
    if (rows === undefined || columns === undefined || shape.length !== 2) return fail(name, `its weight in ${base.name} has the shape ${show(shape)}; only matrices can be adapted`);
    const [outFeatures, inFeatures] = isConv1d(base) ? [columns, rows] : [rows, columns];
    if (a.length !== r * inFeatures || b.length !== outFeatures * r) {
      fail(name, `A has ${a.length} numbers and B ${b.length}; r ${r} and the layer's ${inFeatures} inputs and ${outFeatures} outputs make it ${r * inFeatures} and ${outFeatures * r}`);
    }
  }
}

/** [rows, columns] -> [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  }
  return turned;
}
