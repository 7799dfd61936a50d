/** @file The Llama family: config.json to parameters and to a graph. Names are those of config.json and of the weight files. */
import type { Graph, Tensor } from '../graph/graph.ts';
import { embedding } from '../graph/ops/embedding.ts';
import { addRmsNorm, rmsNorm } from '../graph/ops/rms-norm.ts';
import { rope, ropeTable } from '../graph/ops/rope.ts';
import { swiglu } from '../graph/ops/swiglu.ts';
import type { Architecture, DecoderConfig, DecoderInputs } from './architecture.ts';
import { ConfigFields } from './configFields.ts';
import { linearsOf } from './linears.ts';
import type { ParameterSpec } from './parameters.ts';
import type { GraphWeights } from './weights.ts';

export interface LlamaConfig extends DecoderConfig {
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
}

/**
 * Reads config.json of a Llama checkpoint.
 * @throws {ModelConfigError} naming the field and its value when something is missing or not supported
 */
export function parseLlamaConfig(config: Readonly<Record<string, unknown>>): LlamaConfig {
  const fields = new ConfigFields(config);
  if ((config['hidden_act'] ?? 'silu') !== 'silu') fields.fail('hidden_act', 'Llama models use "silu"');
  for (const field of ['attention_bias', 'mlp_bias']) if (config[field]) fields.fail(field, 'biases are not supported');
  const ropeParameters = (config['rope_parameters'] ?? {}) as Readonly<Record<string, unknown>>;
  const scaling = (config['rope_scaling'] ?? ropeParameters) as Readonly<Record<string, unknown>>;
  if ((scaling['rope_type'] ?? scaling['type'] ?? 'default') !== 'default') fields.fail('rope_scaling', 'RoPE scaling is not supported');
  const hiddenSize = fields.count('hidden_size');
  const numAttentionHeads = fields.count('num_attention_heads');
  const numKeyValueHeads = fields.count('num_key_value_heads', numAttentionHeads);
  const headDim = fields.count('head_dim', hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads) fields.fail('num_key_value_heads', `it must divide num_attention_heads, which is ${numAttentionHeads}`);
  if (headDim % 2) fields.fail('head_dim', 'rotary embedding needs an even size');
  return {
    vocabSize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size'),
    numHiddenLayers: fields.count('num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: fields.positive('rms_norm_eps', 1e-6),
    ropeTheta: typeof ropeParameters['rope_theta'] === 'number' ? ropeParameters['rope_theta'] : fields.positive('rope_theta', 10000),
    maxPositionEmbeddings: fields.count('max_position_embeddings', 2048),
    tieWordEmbeddings: config['tie_word_embeddings'] === true,
    initializerRange: fields.positive('initializer_range', 0.02),
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

/** The Llama family. @throws {ModelConfigError} naming the field of config.json that is not supported */
export function llamaArchitecture(configJson: Readonly<Record<string, unknown>>): Architecture {
  const config = parseLlamaConfig(configJson);
  const parameters = llamaParameters(config);
  return {
    name: 'Llama',
    config,
    parameters,
    names: { prefix: 'model.', embedding: 'model.embed_tokens.weight', head: 'lm_head.weight', buffers: /rotary_emb\.inv_freq$/ },
    linears: linearsOf(parameters),
    defaultTargets: ['q_proj', 'v_proj'],
    ropeTable: (positions) => ({ width: config.headDim, values: ropeTable(positions, config.headDim, config.ropeTheta) }),
    build: (graph, weights, inputs) => llama(graph, config, weights, inputs),
  };
}

function llama(graph: Graph, config: LlamaConfig, weights: GraphWeights, inputs: DecoderInputs): { hidden: Tensor; head: Tensor } {
  const { numHiddenLayers, numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim, rmsNormEps } = config;
  const table = weights.parameter('embed_tokens');
  let residual = embedding(graph, table, inputs.ids, inputs.byId);
  let normed = rmsNorm(graph, residual, weights.parameter('layers.0.input_layernorm'), rmsNormEps);
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const qkv = weights.linear(normed, `layers.${layer}.qkv_proj`);
    const rotated = rope(graph, qkv, inputs.positions, inputs.ropeTable!, { heads: heads + 2 * keyValueHeads, rotatedHeads: heads + keyValueHeads, headDim });
    const attended = weights.linear(inputs.attend(rotated, layer), `layers.${layer}.o_proj`);
    const between = addRmsNorm(graph, residual, attended, weights.parameter(`layers.${layer}.post_attention_layernorm`), rmsNormEps);
    const transformed = weights.linear(swiglu(graph, weights.linear(between.normed, `layers.${layer}.gate_up_proj`)), `layers.${layer}.down_proj`);
    const nextNorm = layer + 1 < numHiddenLayers ? `layers.${layer + 1}.input_layernorm` : 'norm';
    ({ total: residual, normed } = addRmsNorm(graph, between.total, transformed, weights.parameter(nextNorm), rmsNormEps));
  }
  return { hidden: normed, head: config.tieWordEmbeddings ? table : weights.parameter('lm_head') };
}
