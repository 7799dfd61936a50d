/**
 * @file LoRA adapters as mlx-lm writes them: adapters.safetensors with adapter_config.json beside it (github.com/ml-explore/mlx-lm, mlx_lm/tuner/utils.py
 * and lora.py). Matrices stand transposed, lora_a [in, r] and lora_b [r, out], and their scale is written out.
 */
import { FormatError, show } from './formatError.ts';
import type { JsonObject, ModelFiles } from './folder.ts';
import { readJson } from './folder.ts';
import type { BaseModel, LoraAdapter, LoraModule } from './lora.ts';
import { assertFits, loraScale, transpose } from './lora.ts';
import { assertFinite, encodeFloats, openSafetensors, readRawTensor, readTensor, writeSafetensors } from './safetensors.ts';

export const MLX_CONFIG = 'adapter_config.json';
export const MLX_WEIGHTS = 'adapters.safetensors';

/** Where transformers and mlx-lm keep the layers of a decoder. */
const LAYERS: Readonly<Record<string, readonly [transformers: string, mlx: string]>> = {
  gpt2: ['transformer.h.', 'model.h.'],
  gpt_neox: ['gpt_neox.layers.', 'model.h.'],
};
const USUAL_LAYERS = ['model.layers.', 'model.layers.'] as const;

/**
 * The two files of an adapter, f32.
 * @param numLayers layers of the base model
 * @throws FormatError naming the module that the base model does not have, or that stands outside its layers, where mlx-lm looks by other rules
 */
export function writeMlxAdapter(adapter: LoraAdapter, base: BaseModel, numLayers: number): ModelFiles {
  assertFits(adapter, base, MLX_WEIGHTS);
  const { settings, modules } = adapter;
  const { r } = settings;
  const [layers, mlxLayers] = LAYERS[base.modelType] ?? USUAL_LAYERS;
  const keys = new Set<string>();
  const tensors = modules.flatMap(({ name, a, b }) => {
    const [, layer, key] = name.startsWith(layers) ? (/^(\d+)\.(.+)$/.exec(name.slice(layers.length)) ?? []) : [];
    if (layer === undefined || key === undefined) throw new FormatError(MLX_WEIGHTS, `module ${show(name)}`, `stands outside ${layers}; mlx-lm adapts the layers only`);
    keys.add(key);
    const path = `${mlxLayers}${layer}.${key}`;
    return [
      { name: `${path}.lora_a`, dtype: 'F32' as const, shape: [a.length / r, r], bytes: encodeFloats(transpose(a, r, a.length / r), 'F32') },
      { name: `${path}.lora_b`, dtype: 'F32' as const, shape: [r, b.length / r], bytes: encodeFloats(transpose(b, b.length / r, r), 'F32') },
    ];
  });
  const config = {
    model: base.name,
    fine_tune_type: 'lora',
    num_layers: numLayers,
    lora_parameters: { rank: r, scale: loraScale(settings), dropout: 0, keys: [...keys].toSorted() },
  };
  return new Map([
    [MLX_CONFIG, new Blob([`${JSON.stringify(config, null, 2)}\n`], { type: 'application/json' })],
    [MLX_WEIGHTS, writeSafetensors(tensors)],
  ]);
}

/** True for the adapter_config.json of mlx-lm; PEFT's has `peft_type`. */
export const isMlxConfig = (config: JsonObject): boolean => 'fine_tune_type' in config || 'lora_parameters' in config;

/**
 * Reads an adapter that mlx-lm or `writeMlxAdapter` wrote. Its alpha is scale * rank.
 * @throws FormatError naming the file with the field and value or the tensor
 */
export async function readMlxAdapter(files: ModelFiles, base: BaseModel): Promise<LoraAdapter> {
  const config = (await readJson(files, MLX_CONFIG)) ?? {};
  const { fine_tune_type: kind = 'lora', lora_parameters: parameters } = config;
  if (kind !== 'lora') throw new FormatError(MLX_CONFIG, 'fine_tune_type', `is ${show(kind)}; only "lora" adapters can be opened`);
  const { rank: r, scale } = (parameters ?? {}) as JsonObject;
  if (typeof r !== 'number' || !Number.isInteger(r) || r < 1) throw new FormatError(MLX_CONFIG, 'lora_parameters.rank', `is ${show(r)}; a whole number of at least 1 is needed`);
  if (typeof scale !== 'number' || !(scale > 0)) throw new FormatError(MLX_CONFIG, 'lora_parameters.scale', `is ${show(scale)}; a positive number is needed`);
  const weights = files.get(MLX_WEIGHTS);
  if (weights === undefined) throw new FormatError(MLX_WEIGHTS, '', 'it is missing; an adapter needs it beside its adapter_config.json');
  const file = await openSafetensors(weights, MLX_WEIGHTS);
  const [layers, mlxLayers] = LAYERS[base.modelType] ?? USUAL_LAYERS;
  const matrix = async (tensor: string, side: 0 | 1): Promise<Float32Array<ArrayBuffer>> => {
    const shape = file.tensors.get(tensor)?.shape;
    if (shape === undefined) throw new FormatError(MLX_WEIGHTS, `tensor ${show(tensor)}`, 'is missing');
    if (shape.length !== 2 || shape[side] !== r) throw new FormatError(MLX_WEIGHTS, `tensor ${show(tensor)}`, `has the shape ${show(shape)}; with rank ${r} it must be ${side === 1 ? `[in, ${r}]` : `[${r}, out]`}`);
    assertFinite(await readRawTensor(file, tensor), tensor, MLX_WEIGHTS);
    return transpose(await readTensor(file, tensor), shape[0]!, shape[1]!);
  };
  const modules = new Map<string, LoraModule>();
  for (const tensor of file.tensors.keys()) {
    const [, path] = /^(.+)\.lora_[ab]$/.exec(tensor) ?? [];
    if (path === undefined) throw new FormatError(MLX_WEIGHTS, `tensor ${show(tensor)}`, "is not one of a LoRA adapter's; their names end in .lora_a and .lora_b");
    const name = path.startsWith(mlxLayers) ? layers + path.slice(mlxLayers.length) : path;
    if (!modules.has(name)) modules.set(name, { name, a: await matrix(`${path}.lora_a`, 1), b: await matrix(`${path}.lora_b`, 0) });
  }
  const adapter = { settings: { r, alpha: scale * r, rsLora: false }, modules: [...modules.values()] };
  assertFits(adapter, base, MLX_WEIGHTS);
  return adapter;
}
