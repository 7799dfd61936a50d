/**
 * @file The Llama family and those built like it, Mistral, Qwen2 and Qwen3: config.json to parameters and to a graph.
 * They differ in where there are biases and in whether query and key heads are normed. Dropout of config.json is not
 * applied. Names are those of config.json and of the weight files.
 */
import type { Graph, Tensor } from '../graph/graph.ts';
import { addBias } from '../graph/ops/bias.ts';
import { embedding } from '../graph/ops/embedding.ts';
import { headNorm } from '../graph/ops/head-norm.ts';
import { addRmsNorm, rmsNorm } from '../graph/ops/rms-norm.ts';
import { rope, ropeTable } from '../graph/ops/rope.ts';
import { swiglu } from '../graph/ops/swiglu.ts';
import type { Architecture, DecoderConfig, DecoderInputs, DecoderOutputs } from './architecture.ts';
import { ConfigFields } from './configFields.ts';
import { linearsOf } from './linears.ts';
import type { ParameterSpec } from './parameters.ts';
import type { RopeSettings } from './ropeSettings.ts';
import { parseRope } from './ropeSettings.ts';
import { matrix, vector } from './specs.ts';
import type { GraphWeights } from './weights.ts';

export interface LlamaConfig extends DecoderConfig {
  readonly rmsNormEps: number;
  readonly rope: RopeSettings;
  /** Biases of the query, key and value projections, of the one after attention, and of the MLP's three. */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Query and key heads are normed before they are rotated. */
  readonly headNorm: boolean;
}

type Options = Pick<LlamaConfig, 'qkvBias' | 'outputBias' | 'mlpBias' | 'headNorm'>;

interface Variant {
  readonly name: string;
  /** Default of `head_dim` where it is not the width shared out among the heads. */
  readonly headDim?: number;
  /** Reads what the variant has, and refuses what it may ask for and this engine lacks. */
  readonly options: (fields: ConfigFields) => Options;
}

const NO_OPTIONS: Options = { qkvBias: false, outputBias: false, mlpBias: false, headNorm: false };

/** By `model_type`. */
const VARIANTS = {
  llama: {
    name: 'Llama',
    options: (fields) => ({ qkvBias: fields.flag('attention_bias', false), outputBias: fields.flag('attention_bias', false), mlpBias: fields.flag('mlp_bias', false), headNorm: false }),
  },
  mistral: {
    name: 'Mistral',
    options(fields) {
      if (fields.json['sliding_window'] !== null) fields.fail('sliding_window', 'attention over a sliding window (4096 where the field is missing) is not supported, only null');
      return NO_OPTIONS;
    },
  },
  qwen2: {
    name: 'Qwen2',
    options(fields) {
      requireFullAttention(fields);
      return { ...NO_OPTIONS, qkvBias: true };
    },
  },
  qwen3: {
    name: 'Qwen3',
    headDim: 128,
    options(fields) {
      requireFullAttention(fields);
      const bias = fields.flag('attention_bias', false);
      return { qkvBias: bias, outputBias: bias, mlpBias: false, headNorm: true };
    },
  },
} satisfies Record<string, Variant>;

function requireFullAttention(fields: ConfigFields): void {
  fields.require('use_sliding_window', false, '');
  const kinds = fields.json['layer_types'];
  if (Array.isArray(kinds) && kinds.some((kind) => kind !== 'full_attention')) fields.fail('layer_types', 'only "full_attention" is supported');
}

/**
 * Reads config.json of a checkpoint of the family.
 * @throws {ModelConfigError} naming the field and its value when something is missing or not supported
 */
export function parseLlamaConfig(config: Readonly<Record<string, unknown>>, type: keyof typeof VARIANTS = 'llama'): LlamaConfig {
  const fields = new ConfigFields(config);
  const { headDim: usual, options }: Variant = VARIANTS[type];
  fields.choice('hidden_act', new Map([['silu', true]]), 'silu');
  const numAttentionHeads = fields.count('num_attention_heads');
  const numKeyValueHeads = fields.count('num_key_value_heads', numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads) fields.fail('num_key_value_heads', `it must divide num_attention_heads, which is ${numAttentionHeads}`);
  const hiddenSize = fields.count('hidden_size');
  if (hiddenSize % 4) fields.fail('hidden_size', 'a multiple of 4 is needed');
  const shared = usual === undefined && (config['head_dim'] ?? null) === null;
  const headDim = shared ? fields.sharedHeadDim('hidden_size', hiddenSize, 'num_attention_heads', numAttentionHeads) : fields.count('head_dim', usual);
  if (headDim % 4) fields.fail('head_dim', 'a multiple of 4 is needed');
  return {
    vocabSize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size'),
    numHiddenLayers: fields.count('num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: fields.positive('rms_norm_eps', 1e-6),
    rope: parseRope(fields, headDim, { theta: 'rope_theta' }),
    ...options(fields),
    maxPositionEmbeddings: fields.count('max_position_embeddings', 2048),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    initializerRange: fields.positive('initializer_range', 0.02),
  };
}

/** Every parameter with the weights it is made of; q, k, v and gate, up are stacked, since they share their input. */
function llamaParameters(config: LlamaConfig): ParameterSpec[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim, tieWordEmbeddings } = config;
  const queryRows = numAttentionHeads * headDim;
  const keyRows = numKeyValueHeads * headDim;
  const layers = Array.from({ length: numHiddenLayers }, (_, layer) => {
    /** The linear layer `name`, made of modules with their rows, and its bias if it has one. */
    const projection = (name: string, columns: number, bias: boolean, ...modules: readonly (readonly [name: string, rows: number])[]): ParameterSpec[] => {
      const parts = (kind: string): { name: string; rows: number }[] => modules.map(([part, rows]) => ({ name: `model.layers.${layer}.${part}.${kind}`, rows }));
      return [matrix(`layers.${layer}.${name}`, columns, parts('weight')), ...(bias ? [vector(`layers.${layer}.${name}.bias`, parts('bias'))] : [])];
    };
    const gain = (name: string): ParameterSpec => vector(`layers.${layer}.${name}`, [{ name: `model.layers.${layer}.${name}.weight`, rows: hiddenSize }]);
    const headGains = ['q_norm', 'k_norm'].map((name) => ({ name: `model.layers.${layer}.self_attn.${name}.weight`, rows: headDim }));
    return [
      gain('input_layernorm'),
      ...projection('qkv_proj', hiddenSize, config.qkvBias, ['self_attn.q_proj', queryRows], ['self_attn.k_proj', keyRows], ['self_attn.v_proj', keyRows]),
      ...(config.headNorm ? [vector(`layers.${layer}.qk_norm`, headGains)] : []),
      ...projection('o_proj', queryRows, config.outputBias, ['self_attn.o_proj', hiddenSize]),
      gain('post_attention_layernorm'),
      ...projection('gate_up_proj', hiddenSize, config.mlpBias, ['mlp.gate_proj', intermediateSize], ['mlp.up_proj', intermediateSize]),
      ...projection('down_proj', intermediateSize, config.mlpBias, ['mlp.down_proj', hiddenSize]),
    ];
  });
  return [
    matrix('embed_tokens', hiddenSize, [{ name: 'model.embed_tokens.weight', rows: vocabSize }]),
    ...layers.flat(),
    vector('norm', [{ name: 'model.norm.weight', rows: hiddenSize }]),
    ...(tieWordEmbeddings ? [] : [matrix('lm_head', hiddenSize, [{ name: 'lm_head.weight', rows: vocabSize }])]),
  ];
}

/** A model of the Llama family. @throws {ModelConfigError} naming the field of config.json that is not supported */
export function llamaArchitecture(configJson: Readonly<Record<string, unknown>>, type: keyof typeof VARIANTS): Architecture {
  const config = parseLlamaConfig(configJson, type);
  const parameters = llamaParameters(config);
  const { frequencies, factor } = config.rope;
  return {
    name: VARIANTS[type].name,
    config,
    parameters,
    names: { prefix: 'model.', embedding: 'model.embed_tokens.weight', head: 'lm_head.weight', buffers: /rotary_emb\.inv_freq$/ },
    linears: linearsOf(parameters),
    defaultTargets: ['q_proj', 'v_proj'],
    ropeTable: (positions) => ({ width: 2 * frequencies.length, values: ropeTable(positions, frequencies, factor) }),
    build: (graph, weights, inputs) => llama(graph, config, weights, inputs),
  };
}

function llama(graph: Graph, config: LlamaConfig, weights: GraphWeights, inputs: DecoderInputs): DecoderOutputs {
  const { numHiddenLayers, numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim, rmsNormEps: epsilon } = config;
  const turning = { heads: heads + 2 * keyValueHeads, rotatedHeads: heads + keyValueHeads, headDim };
  /** A linear layer with its bias where it has one. */
  const project = (x: Tensor, name: string, bias: boolean): Tensor => {
    const y = weights.linear(x, name);
    return bias ? addBias(graph, y, weights.parameter(`${name}.bias`)) : y;
  };
  /** Rotated queries and keys with the values; the rotation takes the bias along unless a norm stands between. */
  const turnedHeads = (x: Tensor, layer: number): Tensor => {
    const name = `layers.${layer}.qkv_proj`;
    const turn = (qkv: Tensor, bias?: Tensor): Tensor => rope(graph, qkv, inputs.positions, inputs.ropeTable!, turning, bias);
    if (config.headNorm) return turn(headNorm(graph, project(x, name, config.qkvBias), weights.parameter(`layers.${layer}.qk_norm`), { heads, keyValueHeads, headDim, epsilon }));
    return turn(weights.linear(x, name), config.qkvBias ? weights.parameter(`${name}.bias`) : undefined);
  };
  const table = weights.parameter('embed_tokens');
  let residual = embedding(graph, table, inputs.ids, inputs.byId);
  let normed = rmsNorm(graph, residual, weights.parameter('layers.0.input_layernorm'), epsilon);
  const residuals: Tensor[] = [];
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    graph.checkpoint();
    const attended = project(inputs.attend(turnedHeads(normed, layer), layer), `layers.${layer}.o_proj`, config.outputBias);
    const between = addRmsNorm(graph, residual, attended, weights.parameter(`layers.${layer}.post_attention_layernorm`), epsilon);
    const gated = swiglu(graph, project(between.normed, `layers.${layer}.gate_up_proj`, config.mlpBias));
    const transformed = project(gated, `layers.${layer}.down_proj`, config.mlpBias);
    const nextNorm = layer + 1 < numHiddenLayers ? `layers.${layer + 1}.input_layernorm` : 'norm';
    ({ total: residual, normed } = addRmsNorm(graph, between.total, transformed, weights.parameter(nextNorm), epsilon));
    residuals.push(residual);
  }
  return { hidden: normed, head: config.tieWordEmbeddings ? table : weights.parameter('lm_head'), residuals };
}
