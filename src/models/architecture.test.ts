/** @file What config.json means: options and their refusals, angles of rotary embeddings, modules for adapters, layouts of files. */
import { describe, expect, it } from 'vitest';
import type { Architecture } from './architecture.ts';
import { architectureOf } from './architecture.ts';
import { ConfigFields } from './configFields.ts';
import { parseRope } from './ropeSettings.ts';
import { fileShape, fromFile, toFile } from './stored.ts';
import { readFixtureJson } from './testing.ts';

type Json = Record<string, unknown>;

const llama: Json = { model_type: 'llama', vocab_size: 50, hidden_size: 32, intermediate_size: 44, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2 };
const neox: Json = { model_type: 'gpt_neox', vocab_size: 50, hidden_size: 16, intermediate_size: 40, num_hidden_layers: 1, num_attention_heads: 2 };
const gpt2: Json = { model_type: 'gpt2', vocab_size: 3, n_embd: 48, n_head: 3, n_layer: 1, n_positions: 11, n_inner: null };

const bare = { shape: [4, 4], rows: 4, columns: 4 };

describe('architectureOf', () => {
  it.each([
    [{ ...llama, model_type: 'gemma3' }, 'model_type is "gemma3"; supported are "llama", "mistral", "qwen2", "qwen3", "gpt2", "gpt_neox"'],
    [{}, 'model_type is missing'],
    [{ ...llama, hidden_act: 'gelu' }, 'hidden_act is "gelu"; supported are "silu"'],
    [{ ...llama, hidden_size: 0 }, 'hidden_size is 0; a positive number is needed'],
    [{ ...llama, num_attention_heads: 2.5 }, 'num_attention_heads is 2.5; a whole number is needed'],
    [{ ...llama, num_key_value_heads: 3 }, 'num_key_value_heads is 3; it must divide num_attention_heads, which is 4'],
    [{ ...llama, num_attention_heads: 16, num_key_value_heads: 16 }, 'num_attention_heads is 16; it makes heads of 2 numbers (hidden_size / num_attention_heads); a multiple of 4 is needed'],
    [{ ...llama, head_dim: 10 }, 'head_dim is 10; a multiple of 4 is needed'],
    [{ ...llama, hidden_size: 30 }, 'hidden_size is 30; a multiple of 4 is needed'],
    [{ ...llama, attention_bias: 'yes' }, 'attention_bias is "yes"; true or false is needed'],
    [{ ...llama, rope_scaling: { type: 'dynamic', factor: 2 } }, 'rope_scaling.type is "dynamic"; supported are "default", "linear", "llama3", "yarn"'],
    [{ ...llama, rope_parameters: { rope_type: 'longrope' } }, 'rope_parameters.rope_type is "longrope"'],
    [{ ...llama, rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1 } }, 'rope_scaling.high_freq_factor is missing'],
    [{ ...llama, rope_parameters: { full_attention: { rope_type: 'default' } } }, 'rope_parameters.full_attention is {"rope_type":"default"}; settings that differ between layers are not supported'],
    [{ ...llama, rope_scaling: 'linear' }, 'rope_scaling is "linear"; an object is needed'],
    [{ ...llama, partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5; models of this family rotate whole heads'],
    [{ ...llama, rope_parameters: { partial_rotary_factor: 0.5 } }, 'rope_parameters.partial_rotary_factor is 0.5; models'],
    [{ ...llama, model_type: 'mistral' }, 'sliding_window is missing'],
    [{ ...llama, model_type: 'mistral', sliding_window: 4096 }, 'sliding_window is 4096'],
    [{ ...llama, model_type: 'qwen2', use_sliding_window: true }, 'use_sliding_window is true; only false is supported'],
    [{ ...llama, model_type: 'qwen3', layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types is ["full_attention","sliding_attention"]; only "full_attention" is supported'],
    [{ ...gpt2, activation_function: 'relu' }, 'activation_function is "relu"; supported are "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"'],
    [{ ...gpt2, scale_attn_weights: false }, 'scale_attn_weights is false; only true is supported'],
    [{ ...gpt2, scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx is true; only false is supported'],
    [{ ...gpt2, reorder_and_upcast_attn: true }, 'reorder_and_upcast_attn is true; only false is supported'],
    [{ ...gpt2, n_head: 5 }, 'n_head is 5; it makes heads of 9.6 numbers (n_embd / n_head); a multiple of 4 is needed'],
    [{ ...neox, attention_bias: false }, 'attention_bias is false; only true is supported'],
    [{ ...neox, hidden_act: 'relu' }, 'hidden_act is "relu"'],
    [{ ...neox, rotary_pct: 0.4 }, 'rotary_pct is 0.4; 3 of 8 numbers of a head cannot be rotated in pairs'],
  ] as const)('refuses %j', (config, message) => {
    expect(() => architectureOf(config)).toThrow(message);
  });

  it('knows the defaults that files leave out', () => {
    expect(architectureOf({ ...llama, model_type: 'mistral', sliding_window: null }).name).toBe('Mistral');
    expect(architectureOf({ ...llama, model_type: 'qwen3' }).config.headDim).toBe(128);
    expect(architectureOf({ ...llama, head_dim: null }).config).toMatchObject({ headDim: 8, tieWordEmbeddings: false, maxPositionEmbeddings: 2048 });
    expect(architectureOf(gpt2).config).toMatchObject({ headDim: 16, intermediateSize: 192, tieWordEmbeddings: true });
    expect(architectureOf({ ...neox, rotary_pct: 0.5 }).ropeTable?.(3).width).toBe(4);
  });
});

describe('rotary embeddings', () => {
  it('have the angles of transformers, whichever version wrote config.json', async () => {
    const cases = await readFixtureJson<readonly { config: Json & { hidden_size: number; num_attention_heads: number }; modern: Json; frequencies: readonly number[]; factor: number }[]>('rope.json');
    for (const { config, modern, frequencies, factor } of cases) {
      const others = Object.fromEntries(Object.entries(config).filter(([field]) => !/^rope_|^rotary_/.test(field)));
      for (const written of [config, { ...others, rope_parameters: modern }]) {
        const names = config['model_type'] === 'gpt_neox' ? { theta: 'rotary_emb_base', part: { field: 'rotary_pct', usual: 0.25 } } : { theta: 'rope_theta' };
        const rope = parseRope(new ConfigFields(written), config.hidden_size / config.num_attention_heads, names);
        expect(rope.factor).toBeCloseTo(factor, 12);
        expect(rope.frequencies).toHaveLength(frequencies.length);
        // transformers raises theta to a power in f32, which loses a few units in the last place.
        for (const [i, frequency] of frequencies.entries()) expect(Math.abs(rope.frequencies[i]! / frequency - 1), `pair ${i} of ${JSON.stringify(written)}`).toBeLessThan(16 * 2 ** -24);
      }
    }
  });
});

describe('linears', () => {
  const modules = ({ linears }: Architecture): (readonly [string, string, number, number, number])[] => linears.map(({ module, parameter, fromRow, rows, columns }) => [module, parameter, fromRow, rows, columns]);

  it('are every linear layer of the blocks by its module', () => {
    expect(modules(architectureOf({ ...llama, attention_bias: true }))).toEqual([
      ['model.layers.0.self_attn.q_proj', 'layers.0.qkv_proj', 0, 32, 32],
      ['model.layers.0.self_attn.k_proj', 'layers.0.qkv_proj', 32, 16, 32],
      ['model.layers.0.self_attn.v_proj', 'layers.0.qkv_proj', 48, 16, 32],
      ['model.layers.0.self_attn.o_proj', 'layers.0.o_proj', 0, 32, 32],
      ['model.layers.0.mlp.gate_proj', 'layers.0.gate_up_proj', 0, 44, 32],
      ['model.layers.0.mlp.up_proj', 'layers.0.gate_up_proj', 44, 44, 32],
      ['model.layers.0.mlp.down_proj', 'layers.0.down_proj', 0, 32, 44],
    ]);
    const convolutions = architectureOf(gpt2);
    expect(modules(convolutions).map(([module, , , rows, columns]) => [module, rows, columns])).toEqual([
      ['transformer.h.0.attn.c_attn', 144, 48],
      ['transformer.h.0.attn.c_proj', 48, 48],
      ['transformer.h.0.mlp.c_fc', 192, 48],
      ['transformer.h.0.mlp.c_proj', 48, 192],
    ]);
    expect(convolutions.linears.every(({ conv1d }) => conv1d)).toBe(true);
    for (const config of [llama, gpt2, neox]) {
      const { linears, defaultTargets } = architectureOf(config);
      for (const target of defaultTargets) expect(linears.some(({ module }) => module.endsWith(`.${target}`))).toBe(true);
    }
  });

  it('of GPT-NeoX say in which order the file has the rows of queries, keys and values', () => {
    const [fused] = architectureOf({ ...neox, hidden_size: 8, rotary_pct: 1 }).linears;
    expect([...fused!.fileRows!]).toEqual([0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23]);
  });
});

describe('stored layouts', () => {
  const values = Float32Array.from({ length: 6 }, (_, i) => i);

  it('turn and order weights, and back', () => {
    const turned = { shape: [3, 2], rows: 3, columns: 2, stored: { transposed: true } };
    expect(fileShape(turned)).toEqual([2, 3]);
    expect([...fromFile(turned, values)]).toEqual([0, 3, 1, 4, 2, 5]);
    const ordered = { shape: [3, 2], rows: 3, columns: 2, stored: { fileRows: Uint32Array.of(2, 0, 1) } };
    expect(fileShape(ordered)).toEqual([3, 2]);
    expect([...fromFile(ordered, values)]).toEqual([4, 5, 0, 1, 2, 3]);
    for (const weight of [turned, ordered]) expect(toFile(weight, fromFile(weight, values))).toEqual(values);
    expect(toFile(bare, values)).toBe(values);
    expect(fromFile(bare, values)).toBe(values);
  });
});
