/** @file Adapters that PEFT wrote (reference/adapters.py) are read; what is written reads back; what would load as another model is refused. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ModelFiles } from './folder.ts';
import type { BaseModel, LoraAdapter } from './lora.ts';
import { loraScale } from './lora.ts';
import { PEFT_CONFIG, PEFT_WEIGHTS, readPeftAdapter, writePeftAdapter } from './peft.ts';
import { encodeFloats, openSafetensors, writeSafetensors } from './safetensors.ts';

interface Expected {
  readonly modelType: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** [out, in] of each adapted layer. */
  readonly deltas: Readonly<Record<string, readonly number[]>>;
}

const read = (name: string, file: string): Buffer => readFileSync(new URL(`../../reference/fixtures/peft/${name}/${file}`, import.meta.url));
const fixture = (name: string): { files: ModelFiles; expected: Expected; base: BaseModel } => {
  const expected = JSON.parse(read(name, 'expected.json').toString()) as Expected;
  const tensors = new Map(Object.entries(expected.shapes).map(([tensor, shape]) => [tensor, { shape }]));
  return {
    files: new Map([PEFT_CONFIG, PEFT_WEIGHTS].map((file) => [file, new Blob([Uint8Array.from(read(name, file))])])),
    expected,
    base: { name: 'org/base', revision: 'abc', modelType: expected.modelType, tensors },
  };
};

/** scale * B A, [out, in]. */
function deltas({ settings, modules }: LoraAdapter): Record<string, number[]> {
  const { r } = settings;
  return Object.fromEntries(
    modules.map(({ name, a, b }) => {
      const columns = a.length / r;
      return [name, Array.from({ length: (b.length / r) * columns }, (_, i) => {
        const row = Math.floor(i / columns);
        let sum = 0;
        for (let k = 0; k < r; k++) sum += b[row * r + k]! * a[k * columns + (i % columns)]!;
        return loraScale(settings) * sum;
      })];
    }),
  );
}

const withConfig = async (files: ModelFiles, change: object): Promise<ModelFiles> =>
  new Map([...files, [PEFT_CONFIG, new Blob([JSON.stringify({ ...(JSON.parse(await files.get(PEFT_CONFIG)!.text()) as object), ...change })])]]);

describe('an adapter of PEFT', () => {
  it.each(['llama', 'llama-rslora', 'gpt2', 'gpt_neox'])('%s adds what PEFT says it adds', async (name) => {
    const { files, expected, base } = fixture(name);
    const adapter = await readPeftAdapter(files, base);
    expect(adapter).toMatchObject({ baseModel: 'org/base', revision: 'main' });
    const found = deltas(adapter);
    expect(Object.keys(found).toSorted()).toEqual(Object.keys(expected.deltas).toSorted());
    // PEFT sums r <= 4 products in f32: an error of r rounding steps of values below 50.
    for (const [module, values] of Object.entries(expected.deltas)) for (const [i, value] of values.entries()) expect(Math.abs(found[module]![i]! - value)).toBeLessThan(4 * 50 * 2 ** -24);
  });

  it.each(['llama', 'llama-rslora', 'gpt2', 'gpt_neox'])('%s is written as PEFT wrote it', async (name) => {
    const { files, base } = fixture(name);
    const written = writePeftAdapter(await readPeftAdapter(files, base), base);
    const [theirs, ours] = [await openSafetensors(files.get(PEFT_WEIGHTS)!, 'theirs'), await openSafetensors(written.get(PEFT_WEIGHTS)!, 'ours')];
    const shapes = ({ tensors }: typeof ours): unknown[] => [...tensors.values()].map(({ name: tensor, dtype, shape }) => [tensor, dtype, shape]);
    expect(shapes(ours)).toEqual(shapes(theirs));
    const configs = await Promise.all([files, written].map(async (from) => JSON.parse(await from.get(PEFT_CONFIG)!.text()) as Record<string, unknown>));
    const [before, after] = configs as [Record<string, unknown>, Record<string, unknown>];
    for (const field of ['peft_type', 'task_type', 'base_model_name_or_path', 'r', 'lora_alpha', 'lora_dropout', 'bias', 'fan_in_fan_out', 'inference_mode', 'modules_to_save', 'use_rslora', 'use_dora']) {
      expect([field, after[field]]).toEqual([field, before[field]]);
    }
    expect(after['revision']).toBe('abc');
    expect(deltas(await readPeftAdapter(written, base))).toEqual(deltas(await readPeftAdapter(files, base)));
  });

  it('names target modules briefly where that selects the same layers, else in full', async () => {
    const { files, base } = fixture('gpt2');
    const adapter = await readPeftAdapter(files, base);
    const targets = async (modules: LoraAdapter['modules']): Promise<unknown> => {
      const written = writePeftAdapter({ ...adapter, modules }, base);
      return (JSON.parse(await written.get(PEFT_CONFIG)!.text()) as Record<string, unknown>)['target_modules'];
    };
    expect(await targets(adapter.modules)).toEqual(['c_attn', 'c_proj']);
    expect(await targets(adapter.modules.filter(({ name }) => name.endsWith('attn.c_proj')))).toEqual(['transformer.h.0.attn.c_proj']);
  });

  it('fits a checkpoint of the bare decoder, and reads keys that keep the name of the adapter', async () => {
    const { files, base } = fixture('gpt2');
    const adapter = await readPeftAdapter(files, base);
    const bare = { ...base, tensors: new Map([...base.tensors].map(([name, tensor]) => [name.replace('transformer.', ''), tensor])) };
    const named = writeSafetensors(
      adapter.modules.flatMap(({ name, a, b }) => [
        { name: `base_model.model.${name}.lora_A.default.weight`, dtype: 'F32' as const, shape: [2, a.length / 2], bytes: encodeFloats(a, 'F32') },
        { name: `base_model.model.${name}.lora_B.default.weight`, dtype: 'F32' as const, shape: [b.length / 2, 2], bytes: encodeFloats(b, 'F32') },
      ]),
    );
    expect(deltas(await readPeftAdapter(new Map([...files, [PEFT_WEIGHTS, named]]), bare))).toEqual(deltas(adapter));
  });
});

describe('an adapter that would not be the model that was trained', () => {
  it.each<[string, unknown, string]>([
    ['peft_type', 'IA3', 'peft_type: is "IA3"; only LORA adapters'],
    ['task_type', 'SEQ_CLS', 'task_type: is "SEQ_CLS"; only CAUSAL_LM'],
    ['use_dora', true, 'use_dora: is true; DoRA is not supported'],
    ['bias', 'lora_only', 'bias: is "lora_only"; trained biases'],
    ['lora_bias', true, 'lora_bias: is true'],
    ['modules_to_save', ['lm_head'], 'modules_to_save: is ["lm_head"]; modules trained in full'],
    ['rank_pattern', { q_proj: 8 }, 'rank_pattern: is {"q_proj":8}; every module must have the same r'],
    ['alpha_pattern', { q_proj: 8 }, 'alpha_pattern: is {"q_proj":8}; every module must have the same lora_alpha'],
    ['layer_replication', [[0, 4]], 'layer_replication: is [[0,4]]'],
    ['trainable_token_indices', [3], 'trainable_token_indices: is [3]'],
    ['init_lora_weights', 'pissa_niter_4', 'init_lora_weights: is "pissa_niter_4"; it changes the base weights'],
    ['r', 0, 'r: is 0; a whole number'],
    ['r', 5, 'has the shape [3, 12]; with r 5 it must be [5, in]'],
    ['lora_alpha', 'big', 'lora_alpha: is "big"; a positive number'],
    ['use_rslora', 1, 'use_rslora: is 1; true or false'],
  ])('%s %j is refused by name', async (field, value, message) => {
    const { files, base } = fixture('llama');
    await expect(readPeftAdapter(await withConfig(files, { [field]: value }), base)).rejects.toThrow(message);
  });

  it('is refused where it names no layer of the base model, on reading and on writing', async () => {
    const { files, base } = fixture('llama');
    const other = { ...base, name: 'other', tensors: new Map([...base.tensors].filter(([name]) => !name.includes('q_proj'))) };
    const message = 'adapter_model.safetensors: module "model.layers.0.self_attn.q_proj": other has no tensor model.layers.0.self_attn.q_proj.weight; an adapter for it would load and do nothing';
    await expect(readPeftAdapter(files, other)).rejects.toThrow(message);
    const adapter = await readPeftAdapter(files, base);
    expect(() => writePeftAdapter(adapter, other)).toThrow(message);
  });

  it.each<[string, (adapter: LoraAdapter) => LoraAdapter, string]>([
    ['no modules', (adapter) => ({ ...adapter, modules: [] }), 'the adapter has no modules'],
    ['a module twice', (adapter) => ({ ...adapter, modules: [...adapter.modules, adapter.modules[0]!] }), 'is there twice'],
    ['a matrix of another size', ({ settings, modules: [first] }) => ({ settings, modules: [{ ...first!, a: first!.a.slice(3) }] }), "A has 33 numbers and B 24; r 3 and the layer's 12 inputs and 8 outputs make it 36 and 24"],
    ['a layer that is no matrix', ({ settings, modules: [first] }) => ({ settings, modules: [{ ...first!, name: 'model.norm' }] }), 'has the shape [8]; only matrices can be adapted'],
    ['an alpha of nothing', ({ settings, modules }) => ({ settings: { ...settings, alpha: 0 }, modules }), 'lora_alpha: is 0'],
  ])('is not written with %s', async (_, change, message) => {
    const { files, base } = fixture('llama');
    const adapter = await readPeftAdapter(files, base);
    expect(() => writePeftAdapter(change(adapter), base)).toThrow(message);
  });

  it('is refused with foreign tensors, half a pair, NaN, or no weights', async () => {
    const { files, base } = fixture('llama');
    const tensor = (name: string, fill = 1, shape = [3, 8]) => ({ name, dtype: 'F32' as const, shape, bytes: encodeFloats(new Float32Array(24).fill(fill), 'F32') });
    const withWeights = async (...tensors: ReturnType<typeof tensor>[]): Promise<ModelFiles> => new Map([...files, [PEFT_WEIGHTS, writeSafetensors(tensors)]]);
    const q = 'base_model.model.model.layers.0.self_attn.q_proj';
    await expect(readPeftAdapter(await withWeights(tensor(`${q}.lora_embedding_A`)), base)).rejects.toThrow("is not one of an adapter's");
    await expect(readPeftAdapter(await withWeights(tensor(`${q}.lora_A.weight`)), base)).rejects.toThrow('module "model.layers.0.self_attn.q_proj": has no lora_B');
    await expect(readPeftAdapter(await withWeights(tensor(`${q}.lora_A.weight`, Number.NaN)), base)).rejects.toThrow('24 of 24 are not finite');
    await expect(readPeftAdapter(new Map([[PEFT_CONFIG, files.get(PEFT_CONFIG)!], ['adapter_model.bin', new Blob()]]), base)).rejects.toThrow('which can run code');
    await expect(readPeftAdapter(new Map(), base)).rejects.toThrow('adapter_config.json: it is missing');
  });
});
