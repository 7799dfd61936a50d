/** @file The Llama family: config.json to parameters and to a graph. Names are those of config.json and of the weight files. */
import type { Graph, Tensor } from '../graph/graph.ts';
import type { TokensById } from '../graph/ops/embedding.ts';
import { embedding } from '../graph/ops/embedding.ts';
import { linear } from '../graph/ops/matmul.ts';
import { addRmsNorm, rmsNorm } from '../graph/ops/rms-norm.ts';
import { rope } from '../graph/ops/rope.ts';
import { swiglu } from '../graph/ops/swiglu.ts';
import type { ParameterSpec } from './parameters.ts';

export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Standard deviation of a fresh matrix. */
  readonly initializerRange: number;
}

/** A field of config.json that this engine cannot honour. */
export class ModelConfigError extends Error {
  override readonly name = 'ModelConfigError';
  constructor(
    readonly field: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(`config.json: ${field} is ${JSON.stringify(value)}; ${expected}.`);
  }
}

/**
 * Reads config.json of a Llama checkpoint.
 * @throws {ModelConfigError} naming the field and its value when something is missing or not supported
 */
export function parseLlamaConfig(config: Readonly<Record<string, unknown>>): LlamaConfig {
  const fail = (field: string, expected: string): never => {
    throw new ModelConfigError(field, config[field], expected);
  };
  const positive = (field: string, fallback?: number): number => {
    const value = config[field] ?? fallback;
    return typeof value === 'number' && value > 0 ? value : fail(field, 'a positive number is needed');
  };
  const count = (field: string, fallback?: number): number => {
    const value = positive(field, fallback);
    return Number.isInteger(value) ? value : fail(field, 'a whole number is needed');
  };
  if (config['model_type'] !== 'llama') fail('model_type', 'this version opens "llama"');
  if ((config['hidden_act'] ?? 'silu') !== 'silu') fail('hidden_act', 'Llama models use "silu"');
  for (const field of ['attention_bias', 'mlp_bias']) if (config[field]) fail(field, 'biases are not supported');
  const ropeParameters = (config['rope_parameters'] ?? {}) as Readonly<Record<string, unknown>>;
  const scaling = (config['rope_scaling'] ?? ropeParameters) as Readonly<Record<string, unknown>>;
  if ((scaling['rope_type'] ?? scaling['type'] ?? 'default') !== 'default') fail('rope_scaling', 'RoPE scaling is not supported');
  const hiddenSize = count('hidden_size');
  const numAttentionHeads = count('num_attention_heads');
  const numKeyValueHeads = count('num_key_value_heads', numAttentionHeads);
  const headDim = count('head_dim', hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads) fail('num_key_value_heads', `it must divide num_attention_heads, which is ${numAttentionHeads}`);
  if (headDim % 2) fail('head_dim', 'rotary embedding needs an even size');
  return {
    vocabSize: count('vocab_size'),
    hiddenSize,
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: positive('rms_norm_eps', 1e-6),
    ropeTheta: typeof ropeParameters['rope_theta'] === 'number' ? ropeParameters['rope_theta'] : positive('rope_theta', 10000),
    maxPositionEmbeddings: count('max_position_embeddings', 2048),
    tieWordEmbeddings: config['tie_word_embeddings'] === true,
    initializerRange: positive('initializer_range', 0.02),
  };
}

/** Every parameter with the weights it is made of; q, k, v and gate, up are stacked, since they share their input. */
export function llamaParameters(config: LlamaConfig): ParameterSpec[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim, tieWordEmbeddings } = config;
  const queryRows = numAttentionHeads * headDim;
  const keyRows = numKeyValueHeads * headDim;
  const matrix = (name: string, columns: number, ...parts: readonly (readonly [name: string, rows: number])[]): ParameterSpec => ({
    name,
    shape: [parts.reduce((sum, [, rows]) => sum + rows, 0), columns],
    parts: parts.map(([part, rows]) => ({ name: part, rows })),
  });
  const gain = (name: string, weight: string): ParameterSpec => ({ name, shape: [hiddenSize], parts: [{ name: weight, rows: hiddenSize }] });
  const layers = Array.from({ length: numHiddenLayers }, (_, layer) => {
    const weight = (name: string): string => `model.layers.${layer}.${name}.weight`;
    return [
      gain(`layers.${layer}.input_layernorm`, weight('input_layernorm')),
      matrix(`layers.${layer}.qkv_proj`, hiddenSize, [weight('self_attn.q_proj'), queryRows], [weight('self_attn.k_proj'), keyRows], [weight('self_attn.v_proj'), keyRows]),
      matrix(`layers.${layer}.o_proj`, queryRows, [weight('self_attn.o_proj'), hiddenSize]),
      gain(`layers.${layer}.post_attention_layernorm`, weight('post_attention_layernorm')),
      matrix(`layers.${layer}.gate_up_proj`, hiddenSize, [weight('mlp.gate_proj'), intermediateSize], [weight('mlp.up_proj'), intermediateSize]),
      matrix(`layers.${layer}.down_proj`, intermediateSize, [weight('mlp.down_proj'), hiddenSize]),
    ];
  });
  return [
    matrix('embed_tokens', hiddenSize, ['model.embed_tokens.weight', vocabSize]),
    ...layers.flat(),
    gain('norm', 'model.norm.weight'),
    ...(tieWordEmbeddings ? [] : [matrix('lm_head', hiddenSize, ['lm_head.weight', vocabSize])]),
  ];
}

/** What the decoder reads: tokens of a packed batch, or one token of each sequence under generation. */
export interface DecoderInputs {
  readonly ids: Tensor;
  readonly positions: Tensor;
  /** For the embedding's gradient. */
  readonly byId?: TokensById;
  /** Cosines and sines [positions, headDim]. */
  readonly ropeTable: Tensor;
  /** Mixes the values of a layer's rotated queries, keys and values: [tokens, heads + 2 keyValueHeads] -> [tokens, heads], times headDim. */
  readonly attend: (rotated: Tensor, layer: number) => Tensor;
}

/**
 * The decoder up to its final norm.
 * @param weight the graph's parameter of a name given by `llamaParameters`
 * @returns hidden states [tokens, hiddenSize] and the head's weight [vocabSize, hiddenSize]
 */
export function llama(graph: Graph, config: LlamaConfig, weight: (name: string) => Tensor, inputs: DecoderInputs): { hidden: Tensor; head: Tensor } {
  const { numHiddenLayers, numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim, rmsNormEps } = config;
  const table = weight('embed_tokens');
  let residual = embedding(graph, table, inputs.ids, inputs.byId);
  let normed = rmsNorm(graph, residual, weight('layers.0.input_layernorm'), rmsNormEps);
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const qkv = linear(graph, normed, weight(`layers.${layer}.qkv_proj`));
    const rotated = rope(graph, qkv, inputs.positions, inputs.ropeTable, { heads: heads + 2 * keyValueHeads, rotatedHeads: heads + keyValueHeads, headDim });
    const attended = linear(graph, inputs.attend(rotated, layer), weight(`layers.${layer}.o_proj`));
    const between = addRmsNorm(graph, residual, attended, weight(`layers.${layer}.post_attention_layernorm`), rmsNormEps);
    const transformed = linear(graph, swiglu(graph, linear(graph, between.normed, weight(`layers.${layer}.gate_up_proj`))), weight(`layers.${layer}.down_proj`));
    const nextNorm = layer + 1 < numHiddenLayers ? `layers.${layer + 1}.input_layernorm` : 'norm';
    ({ total: residual, normed } = addRmsNorm(graph, between.total, transformed, weight(nextNorm), rmsNormEps));
  }
  return { hidden: normed, head: config.tieWordEmbeddings ? table : weight('lm_head') };
}
