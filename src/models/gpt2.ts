/**
 * @file GPT-2: layer norms, learned positions, and linear layers that files hold transposed (transformers' Conv1D).
 * Dropout of config.json is not applied. Names are those of config.json and of the weight files.
 */
import type { Graph, Tensor } from '../graph/graph.ts';
import { addBias } from '../graph/ops/bias.ts';
import { embedding } from '../graph/ops/embedding.ts';
import type { GeluForm } from '../graph/ops/gelu.ts';
import { biasGelu } from '../graph/ops/gelu.ts';
import { addLayerNorm } from '../graph/ops/layer-norm.ts';
import type { Architecture, DecoderConfig, DecoderInputs, DecoderOutputs } from './architecture.ts';
import { GELU_FORMS, ConfigFields } from './configFields.ts';
import { linearsOf } from './linears.ts';
import type { ParameterSpec } from './parameters.ts';
import { affine, matrix, vector } from './specs.ts';
import type { GraphWeights } from './weights.ts';

interface Gpt2Config extends DecoderConfig {
  readonly layerNormEpsilon: number;
  readonly activation: GeluForm;
}

/** @throws {ModelConfigError} naming the field and its value when something is missing or not supported */
function parseGpt2Config(config: Readonly<Record<string, unknown>>): Gpt2Config {
  const fields = new ConfigFields(config);
  fields.require('scale_attn_weights', true, '');
  for (const field of ['scale_attn_by_inverse_layer_idx', 'reorder_and_upcast_attn', 'add_cross_attention']) fields.require(field, false, '');
  const heads = fields.count('n_head', 12);
  const hiddenSize = fields.count('n_embd', 768);
  return {
    vocabSize: fields.count('vocab_size', 50257),
    hiddenSize,
    intermediateSize: fields.count('n_inner', 4 * hiddenSize),
    numHiddenLayers: fields.count('n_layer', 12),
    numAttentionHeads: heads,
    numKeyValueHeads: heads,
    headDim: fields.sharedHeadDim('n_embd', hiddenSize, 'n_head', heads),
    layerNormEpsilon: fields.positive('layer_norm_epsilon', 1e-5),
    activation: fields.choice('activation_function', GELU_FORMS, 'gelu_new'),
    maxPositionEmbeddings: fields.count('n_positions', 1024),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', true),
    initializerRange: fields.positive('initializer_range', 0.02),
  };
}

function gpt2Parameters({ vocabSize, hiddenSize, intermediateSize, numHiddenLayers, maxPositionEmbeddings, tieWordEmbeddings }: Gpt2Config): ParameterSpec[] {
  const layers = Array.from({ length: numHiddenLayers }, (_, layer) => {
    const module = (name: string): string => `transformer.h.${layer}.${name}`;
    const norm = (name: string): ParameterSpec => affine(`layers.${layer}.${name}`, module(name), hiddenSize);
    const conv1d = (name: string, rows: number, columns: number): ParameterSpec[] => [
      matrix(`layers.${layer}.${name}`, columns, [{ name: `${module(name)}.weight`, rows, stored: { transposed: true } }]),
      vector(`layers.${layer}.${name}.bias`, [{ name: `${module(name)}.bias`, rows }]),
    ];
    return [
      norm('ln_1'),
      ...conv1d('attn.c_attn', 3 * hiddenSize, hiddenSize),
      ...conv1d('attn.c_proj', hiddenSize, hiddenSize),
      norm('ln_2'),
      ...conv1d('mlp.c_fc', intermediateSize, hiddenSize),
      ...conv1d('mlp.c_proj', hiddenSize, intermediateSize),
    ];
  });
  return [
    matrix('wte', hiddenSize, [{ name: 'transformer.wte.weight', rows: vocabSize }]),
    matrix('wpe', hiddenSize, [{ name: 'transformer.wpe.weight', rows: maxPositionEmbeddings }]),
    ...layers.flat(),
    affine('ln_f', 'transformer.ln_f', hiddenSize),
    ...(tieWordEmbeddings ? [] : [matrix('lm_head', hiddenSize, [{ name: 'lm_head.weight', rows: vocabSize }])]),
  ];
}

/** GPT-2. @throws {ModelConfigError} naming the field of config.json that is not supported */
export function gpt2Architecture(configJson: Readonly<Record<string, unknown>>): Architecture {
  const config = parseGpt2Config(configJson);
  const parameters = gpt2Parameters(config);
  return {
    name: 'GPT-2',
    config,
    parameters,
    names: { prefix: 'transformer.', embedding: 'transformer.wte.weight', head: 'lm_head.weight', buffers: /\.attn\.(masked_)?bias$/ },
    linears: linearsOf(parameters),
    defaultTargets: ['c_attn'],
    build: (graph, weights, inputs) => gpt2(graph, config, weights, inputs),
  };
}

function gpt2(graph: Graph, config: Gpt2Config, weights: GraphWeights, inputs: DecoderInputs): DecoderOutputs {
  const { numHiddenLayers, layerNormEpsilon, activation } = config;
  const table = weights.parameter('wte');
  const addNorm = (residual: Tensor, delta: Tensor, bias: Tensor | undefined, norm: string): { total: Tensor; normed: Tensor } =>
    addLayerNorm(graph, residual, [delta], bias, weights.parameter(norm), layerNormEpsilon);
  const places = embedding(graph, weights.parameter('wpe'), inputs.positions, inputs.byPosition);
  let { total: residual, normed } = addNorm(embedding(graph, table, inputs.ids, inputs.byId), places, undefined, 'layers.0.ln_1');
  const residuals: Tensor[] = [];
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    graph.checkpoint();
    const linear = (x: Tensor, name: string): Tensor => weights.linear(x, `layers.${layer}.${name}`);
    const bias = (name: string): Tensor => weights.parameter(`layers.${layer}.${name}.bias`);
    const qkv = addBias(graph, linear(normed, 'attn.c_attn'), bias('attn.c_attn'));
    const between = addNorm(residual, linear(inputs.attend(qkv, layer), 'attn.c_proj'), bias('attn.c_proj'), `layers.${layer}.ln_2`);
    const active = biasGelu(graph, linear(between.normed, 'mlp.c_fc'), bias('mlp.c_fc'), activation);
    const nextNorm = layer + 1 < numHiddenLayers ? `layers.${layer + 1}.ln_1` : 'ln_f';
    ({ total: residual, normed } = addNorm(between.total, linear(active, 'mlp.c_proj'), bias('mlp.c_proj'), nextNorm));
    residuals.push(residual);
  }
  return { hidden: normed, head: config.tieWordEmbeddings ? table : weights.parameter('lm_head'), residuals };
}
