/** @file MLX adapters: names, layout and scale as mlx-lm looks for them, and back. */
import { describe, expect, it } from 'vitest';
import type { BaseModel, LoraAdapter } from './lora.ts';
import { isMlxConfig, MLX_CONFIG, MLX_WEIGHTS, readMlxAdapter, writeMlxAdapter } from './mlx.ts';
import { openSafetensors, readTensor } from './safetensors.ts';

const FAMILIES: readonly (readonly [modelType: string, modules: readonly string[], mlx: readonly string[], keys: readonly string[]])[] = [
  ['llama', ['model.layers.1.self_attn.q_proj', 'model.layers.0.mlp.up_proj'], ['model.layers.1.self_attn.q_proj', 'model.layers.0.mlp.up_proj'], ['mlp.up_proj', 'self_attn.q_proj']],
  ['gpt2', ['transformer.h.0.attn.c_attn'], ['model.h.0.attn.c_attn'], ['attn.c_attn']],
  ['gpt_neox', ['gpt_neox.layers.0.attention.query_key_value'], ['model.h.0.attention.query_key_value'], ['attention.query_key_value']],
];
const counting = (length: number): Float32Array<ArrayBuffer> => Float32Array.from({ length }, (_, i) => i + 1);

/** r 2, 3 inputs, 4 outputs. */
const adapterFor = (modules: readonly string[]): LoraAdapter => ({ settings: { r: 2, alpha: 8, rsLora: true }, modules: modules.map((name) => ({ name, a: counting(6), b: counting(8) })) });
const baseFor = (modelType: string, modules: readonly string[]): BaseModel => ({ name: 'org/base', modelType, tensors: new Map(modules.map((name) => [`${name}.weight`, { shape: modelType === 'gpt2' ? [3, 4] : [4, 3] }])) });

describe('MLX adapter', () => {
  it.each(FAMILIES)('%s: names, transposed matrices and the scale written out', async (modelType, modules, mlx, keys) => {
    const files = writeMlxAdapter(adapterFor(modules), baseFor(modelType, modules), 2);
    const config = JSON.parse(await files.get(MLX_CONFIG)!.text()) as Record<string, unknown>;
    expect(config).toEqual({ model: 'org/base', fine_tune_type: 'lora', num_layers: 2, lora_parameters: { rank: 2, scale: 8 / Math.SQRT2, dropout: 0, keys } });
    expect(isMlxConfig(config)).toBe(true);
    const file = await openSafetensors(files.get(MLX_WEIGHTS)!, MLX_WEIGHTS);
    expect([...file.tensors.keys()].toSorted()).toEqual(mlx.flatMap((name) => [`${name}.lora_a`, `${name}.lora_b`]).toSorted());
    expect(file.tensors.get(`${mlx[0]}.lora_a`)!.shape).toEqual([3, 2]);
    expect([...(await readTensor(file, `${mlx[0]}.lora_a`))]).toEqual([1, 4, 2, 5, 3, 6]);
    expect(file.tensors.get(`${mlx[0]}.lora_b`)!.shape).toEqual([2, 4]);
    expect([...(await readTensor(file, `${mlx[0]}.lora_b`))]).toEqual([1, 3, 5, 7, 2, 4, 6, 8]);
  });

  it.each(FAMILIES)('%s reads back, with the scale as alpha / r', async (modelType, modules) => {
    const base = baseFor(modelType, modules);
    const { settings, modules: read } = await readMlxAdapter(writeMlxAdapter(adapterFor(modules), base, 2), base);
    expect(settings).toEqual({ r: 2, alpha: (8 / Math.SQRT2) * 2, rsLora: false });
    expect(read.toSorted((x, y) => (x.name < y.name ? 1 : -1))).toEqual(adapterFor(modules).modules.toSorted((x, y) => (x.name < y.name ? 1 : -1)));
  });

  it('is not written for layers that are not there or that mlx-lm finds by other rules', async () => {
    const base = baseFor('llama', ['model.layers.0.self_attn.q_proj', 'lm_head']);
    expect(() => writeMlxAdapter(adapterFor(['model.layers.9.self_attn.q_proj']), base, 1)).toThrow('module "model.layers.9.self_attn.q_proj": org/base has no tensor');
    expect(() => writeMlxAdapter(adapterFor(['lm_head']), base, 1)).toThrow('module "lm_head": stands outside model.layers.');
  });

  it.each<[string, object, string]>([
    ['DoRA', { fine_tune_type: 'dora' }, 'fine_tune_type: is "dora"; only "lora"'],
    ['no rank', { lora_parameters: {} }, 'lora_parameters.rank: is undefined'],
    ['no scale', { lora_parameters: { rank: 2 } }, 'lora_parameters.scale: is undefined'],
    ['another rank', { lora_parameters: { rank: 3, scale: 1 } }, 'has the shape [3, 2]; with rank 3 it must be [in, 3]'],
  ])('is refused with %s', async (_, change, message) => {
    const modules = ['model.layers.0.self_attn.q_proj'];
    const files = new Map(writeMlxAdapter(adapterFor(modules), baseFor('llama', modules), 1));
    const config = JSON.parse(await files.get(MLX_CONFIG)!.text()) as object;
    files.set(MLX_CONFIG, new Blob([JSON.stringify({ ...config, ...change })]));
    await expect(readMlxAdapter(files, baseFor('llama', modules))).rejects.toThrow(message);
  });
});
