/** @file A checkpoint of random weights in the exact shapes of SmolLM2-135M, as a folder on disk. The same seed writes the same bytes. */
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LazyTensor } from '../src/formats/safetensors.ts';
import { encodeFloats, streamSafetensors, tensorBytes } from '../src/formats/safetensors.ts';
import { repository } from './node.ts';

/** config.json of HuggingFaceTB/SmolLM2-135M. */
export const smolLm2Config = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 0,
  eos_token_id: 0,
  hidden_act: 'silu',
  hidden_size: 576,
  initializer_range: 0.041666666666666664,
  intermediate_size: 1536,
  max_position_embeddings: 8192,
  model_type: 'llama',
  num_attention_heads: 9,
  num_hidden_layers: 30,
  num_key_value_heads: 3,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 100000,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  vocab_size: 49152,
};

function* shapes(): Generator<readonly [name: string, shape: number[]]> {
  const { hidden_size: width, intermediate_size: mlp, vocab_size: vocabulary, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads } = smolLm2Config;
  const keys = (width / heads) * kvHeads;
  yield ['model.embed_tokens.weight', [vocabulary, width]];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}.`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) yield [`${layer}${norm}.weight`, [width]];
    yield [`${layer}self_attn.q_proj.weight`, [width, width]];
    yield [`${layer}self_attn.k_proj.weight`, [keys, width]];
    yield [`${layer}self_attn.v_proj.weight`, [keys, width]];
    yield [`${layer}self_attn.o_proj.weight`, [width, width]];
    yield [`${layer}mlp.gate_proj.weight`, [mlp, width]];
    yield [`${layer}mlp.up_proj.weight`, [mlp, width]];
    yield [`${layer}mlp.down_proj.weight`, [width, mlp]];
  }
  yield ['model.norm.weight', [width]];
}

/** Gains of one, and matrices uniform with the deviation that SmolLM2 starts from. */
function values(shape: readonly number[], seed: number): Float32Array<ArrayBuffer> {
  const [rows, columns] = shape;
  if (columns === undefined) return new Float32Array(rows!).fill(1);
  const range = smolLm2Config.initializer_range * Math.sqrt(3);
  const numbers = new Float32Array(rows! * columns);
  let state = seed >>> 0;
  for (let i = 0; i < numbers.length; i++) {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    numbers[i] = (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1) * range;
  }
  return numbers;
}

/** Writes the folder, with the built-in model's tokenizer, and returns bytes of the weights and of their largest tensor. */
export async function writeRandomCheckpoint(folder: string, dtype: 'F32' | 'BF16', seed: number): Promise<{ readonly bytes: number; readonly largest: number }> {
  const tensors: LazyTensor[] = [...shapes()].map(([name, shape], i) => ({ name, dtype, shape, bytes: () => Promise.resolve(encodeFloats(values(shape, seed + i), dtype)) }));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(smolLm2Config, null, 2)}\n`);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) await copyFile(join(repository, 'public/model', name), join(folder, name));
  await pipeline(Readable.from(streamSafetensors(tensors)), createWriteStream(join(folder, 'model.safetensors')));
  const sizes = tensors.map(tensorBytes);
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), largest: Math.max(...sizes) };
}
