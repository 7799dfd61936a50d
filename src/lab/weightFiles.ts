/**
 * @file Weights of a lab's model as files and back: folders to take away, and the state of runs as they are kept.
 */
import type { FloatDtype } from '../formats/floats.ts';
import type { ModelFiles, ModelFolder, WriteFile } from '../formats/folder.ts';
import { readModelFolder, writeModelFolder } from '../formats/folder.ts';
import { FormatError, show } from '../formats/formatError.ts';
import type { LoraAdapter, LoraModule, LoraSettings } from '../formats/lora.ts';
import type { LazyTensor } from '../formats/safetensors.ts';
import { encodeFloats, openSafetensors, readTensor, streamSafetensors } from '../formats/safetensors.ts';
import type { Context } from '../gpu/context.ts';
import { Model } from '../models/model.ts';
import { fileShape, toFile } from '../models/stored.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Progress } from '../spectral/workspace.ts';

/** How a folder is written. */
export interface FolderOptions {
  /** Numbers round to nearest, ties to even. */
  readonly dtype?: FloatDtype;
  /** Makes a file of its pieces, on disk where there is one; in memory where it is left out. */
  readonly writeFile?: WriteFile;
  /** Tensors written. */
  readonly onProgress?: Progress;
  readonly signal?: AbortSignal;
}

/** How the names of an adapter's A end. */
const A_NAME = '.lora_A.weight';

const DTYPE_NAMES: Readonly<Record<FloatDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Files of a tokenizer that go along as they came. */
const TOKENIZER_FILE = /^(tokenizer\.json|tokenizer\.model|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt)$/;

/** As `Lab.exportFolder`. */
export function writeFolder({ gpu: { device } }: Context, model: Model, folder: ModelFolder, weights: WeightSet, readme: string, { dtype = 'F32', writeFile, onProgress, signal }: FolderOptions = {}): Promise<ModelFiles> {
  const { weights: placed } = model.layout;
  let done = 0;
  const tensors = placed.map((weight) => ({
    name: weight.name,
    dtype,
    shape: fileShape(weight),
    bytes: async () => {
      signal?.throwIfAborted();
      const bytes = encodeFloats(toFile(weight, await weights.read(device, weight)), dtype);
      onProgress?.(++done, placed.length);
      return bytes;
    },
  }));
  const { config, generationConfig, tokenizerConfig, chatTemplate, files } = folder;
  const tokenizerFiles = new Map([...files].filter(([path]) => TOKENIZER_FILE.test(path)));
  // Every version of transformers reads torch_dtype; the newer name, dtype, would go before it.
  const { dtype: _, ...rest } = config;
  return writeModelFolder({ config: { ...rest, torch_dtype: DTYPE_NAMES[dtype] }, generationConfig, tokenizerFiles, tokenizerConfig, chatTemplate, tensors, readme }, writeFile ? { writeFile } : {});
}

/** As `Lab.attachWeights`. */
export async function readFolder(context: Context, model: Model, files: ModelFiles): Promise<WeightSet> {
  const { config, weights } = await readModelFolder(files);
  const read = await Model.load(context, config, weights);
  const shapes = ({ layout }: Model): string => layout.weights.map(({ name, shape }) => `${name} ${shape.join()}`).join();
  if (shapes(read) === shapes(model)) return read.weights;
  read.destroy();
  throw new RangeError('These weights are of another model than the open one: their names or shapes differ. The open model is as it was.');
}

/** What was trained of some weights as a safetensors file, piece by piece: all of them, or the matrices of an adapter, in f32 and as their own files have them. */
export function streamTrained({ gpu: { device } }: Context, { trained }: WeightSet): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  return streamSafetensors(
    trained.layout.weights.map((weight): LazyTensor => ({
      name: weight.name,
      dtype: 'F32',
      shape: fileShape(weight),
      bytes: async () => encodeFloats(toFile(weight, await trained.read(device, weight)), 'F32'),
    })),
  );
}

/** The adapter in a file that `streamTrained` wrote of a run with adapters. @throws FormatError where its rank is not that of the settings */
export async function readAdapterState(file: Blob, fileName: string, settings: LoraSettings): Promise<LoraAdapter> {
  const { tensors, ...source } = await openSafetensors(file, fileName);
  const modules: LoraModule[] = [];
  for (const [name, { shape }] of tensors) {
    if (!name.endsWith(A_NAME)) continue;
    if (shape[0] !== settings.r) throw new FormatError(fileName, `tensor ${show(name)}`, `has the rank ${shape[0]}; the run has ${settings.r}`);
    const read = (tensor: string): Promise<Float32Array<ArrayBuffer>> => readTensor({ tensors, ...source }, tensor);
    modules.push({ name: name.slice(0, -A_NAME.length), a: await read(name), b: await read(name.replace(A_NAME, '.lora_B.weight')) });
  }
  return { settings, modules };
}
