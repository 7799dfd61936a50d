/**
 * @file GPT-NeoX and Pythia: layer norms, a rotary embedding of a part of each head, and attention and MLP side by side
 * on the same residual. Dropout of config.json is not applied. Names are those of config.json and of the weight files.
 */
import type { Graph, Tensor } from '../graph/graph.ts';
import { embedding } from '../graph/ops/embedding.ts';
import type { GeluForm } from '../graph/ops/gelu.ts';
import { biasGelu } from '../graph/ops/gelu.ts';
import { addLayerNorm, layerNorm } from '../graph/ops/layer-norm.ts';
import { rope, ropeTable } from '../graph/ops/rope.ts';
import type { Architecture, DecoderConfig, DecoderInputs, DecoderOutputs } from './architecture.ts';
import { GELU_FORMS, ConfigFields } from './configFields.ts';
import { linearsOf } from './linears.ts';
import type { ParameterSpec } from './parameters.ts';
import type { RopeSettings } from './ropeSettings.ts';
import { parseRope } from './ropeSettings.ts';
import { affine, matrix, vector } from './specs.ts';
import type { StoredLayout } from './stored.ts';
import type { GraphWeights } from './weights.ts';

interface GptNeoxConfig extends DecoderConfig {
  readonly layerNormEps: number;
  readonly activation: GeluForm;
  readonly rope: RopeSettings;
  /** The MLP reads the residual before attention is added, not after. */
  readonly parallelResidual: boolean;
}

/** @throws {ModelConfigError} naming the field and its value when something is missing or not supported */
function parseGptNeoxConfig(config: Readonly<Record<string, unknown>>): GptNeoxConfig {
  const fields = new ConfigFields(config);
  fields.require('attention_bias', true, '');
  const hiddenSize = fields.count('hidden_size');
  const heads = fields.count('num_attention_heads');
  const headDim = fields.sharedHeadDim('hidden_size', hiddenSize, 'num_attention_heads', heads);
  return {
    vocabSize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size'),
    numHiddenLayers: fields.count('num_hidden_layers'),
    numAttentionHeads: heads,
    numKeyValueHeads: heads,
    headDim,
    layerNormEps: fields.positive('layer_norm_eps', 1e-5),
    activation: fields.choice('hidden_act', GELU_FORMS, 'gelu'),
    rope: parseRope(fields, headDim, { theta: 'rotary_emb_base', part: { field: 'rotary_pct', usual: 0.25 } }),
    parallelResidual: fields.flag('use_parallel_residual', true),
    maxPositionEmbeddings: fields.count('max_position_embeddings', 2048),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    initializerRange: fields.positive('initializer_range', 0.02),
  };
}

/** Files mix the rows head by head, [heads, 3, headDim]; the graph has all queries, all keys, all values. */
function fusedRows({ numAttentionHeads: heads, headDim }: GptNeoxConfig): StoredLayout {
  return {
    fileRows: Uint32Array.from({ length: 3 * heads * headDim }, (_, row) => {
      const kind = Math.floor(row / (heads * headDim));
      const head = Math.floor(row / headDim) % heads;
      return (head * 3 + kind) * headDim + (row % headDim);
    }),
  };
}

function gptNeoxParameters(config: GptNeoxConfig): ParameterSpec[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, parallelResidual, tieWordEmbeddings } = config;
  const fused = fusedRows(config);
  const layers = Array.from({ length: numHiddenLayers }, (_, layer) => {
    const module = (name: string): string => `gpt_neox.layers.${layer}.${name}`;
    const norm = (name: string): ParameterSpec => affine(`layers.${layer}.${name}`, module(name), hiddenSize);
    const weight = (name: string, rows: number, columns: number, stored?: StoredLayout): ParameterSpec =>
      matrix(`layers.${layer}.${name}`, columns, [{ name: `${module(name)}.weight`, rows, ...(stored ? { stored } : {}) }]);
    const bias = (name: string, rows: number, stored?: StoredLayout): ParameterSpec => vector(`layers.${layer}.${name}.bias`, [{ name: `${module(name)}.bias`, rows, ...(stored ? { stored } : {}) }]);
    const outputBiases = ['attention.dense', 'mlp.dense_4h_to_h'];
    return [
      norm('input_layernorm'),
      weight('attention.query_key_value', 3 * hiddenSize, hiddenSize, fused),
      bias('attention.query_key_value', 3 * hiddenSize, fused),
      weight('attention.dense', hiddenSize, hiddenSize),
      norm('post_attention_layernorm'),
      weight('mlp.dense_h_to_4h', intermediateSize, hiddenSize),
      bias('mlp.dense_h_to_4h', intermediateSize),
      weight('mlp.dense_4h_to_h', hiddenSize, intermediateSize),
      // Where both are added to the residual at once, they are one parameter.
      ...(parallelResidual
        ? [vector(`layers.${layer}.output.bias`, outputBiases.map((name) => ({ name: `${module(name)}.bias`, rows: hiddenSize })))]
        : outputBiases.map((name) => bias(name, hiddenSize))),
    ];
  });
  return [
    matrix('embed_in', hiddenSize, [{ name: 'gpt_neox.embed_in.weight', rows: vocabSize }]),
    ...layers.flat(),
    affine('final_layer_norm', 'gpt_neox.final_layer_norm', hiddenSize),
    ...(tieWordEmbeddings ? [] : [matrix('embed_out', hiddenSize, [{ name: 'embed_out.weight', rows: vocabSize }])]),
  ];
}

/** GPT-NeoX. @throws {ModelConfigError} naming the field of config.json that is not supported */
export function gptNeoxArchitecture(configJson: Readonly<Record<string, unknown>>): Architecture {
  const config = parseGptNeoxConfig(configJson);
  const parameters = gptNeoxParameters(config);
  const { frequencies, factor } = config.rope;
  return {
    name: 'GPT-NeoX',
    config,
    parameters,
    names: { prefix: 'gpt_neox.', embedding: 'gpt_neox.embed_in.weight', head: 'embed_out.weight', buffers: /\.attention\.(masked_bias|bias|rotary_emb\.inv_freq)$/ },
    linears: linearsOf(parameters),
    defaultTargets: ['query_key_value'],
    ropeTable: (positions) => ({ width: 2 * frequencies.length, values: ropeTable(positions, frequencies, factor) }),
    build: (graph, weights, inputs) => gptNeox(graph, config, weights, inputs),
  };
}

function gptNeox(graph: Graph, config: GptNeoxConfig, weights: GraphWeights, inputs: DecoderInputs): DecoderOutputs {
  const { numHiddenLayers, numAttentionHeads: heads, headDim, layerNormEps, activation, parallelResidual } = config;
  const table = weights.parameter('embed_in');
  let residual = embedding(graph, table, inputs.ids, inputs.byId);
  let normed = layerNorm(graph, residual, weights.parameter('layers.0.input_layernorm'), layerNormEps);
  const residuals: Tensor[] = [];
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    graph.checkpoint();
    const parameter = (name: string): Tensor => weights.parameter(`layers.${layer}.${name}`);
    const linear = (x: Tensor, name: string): Tensor => weights.linear(x, `layers.${layer}.${name}`);
    const mlp = (x: Tensor): Tensor => linear(biasGelu(graph, linear(x, 'mlp.dense_h_to_4h'), parameter('mlp.dense_h_to_4h.bias'), activation), 'mlp.dense_4h_to_h');
    const fused = linear(normed, 'attention.query_key_value');
    const rotated = rope(graph, fused, inputs.positions, inputs.ropeTable!, { heads: 3 * heads, rotatedHeads: 2 * heads, headDim }, parameter('attention.query_key_value.bias'));
    const attended = linear(inputs.attend(rotated, layer), 'attention.dense');
    const nextNorm = weights.parameter(layer + 1 < numHiddenLayers ? `layers.${layer + 1}.input_layernorm` : 'final_layer_norm');
    if (parallelResidual) {
      const transformed = mlp(layerNorm(graph, residual, parameter('post_attention_layernorm'), layerNormEps));
      ({ total: residual, normed } = addLayerNorm(graph, residual, [attended, transformed], parameter('output.bias'), nextNorm, layerNormEps));
    } else {
      const between = addLayerNorm(graph, residual, [attended], parameter('attention.dense.bias'), parameter('post_attention_layernorm'), layerNormEps);
      ({ total: residual, normed } = addLayerNorm(graph, between.total, [mlp(between.normed)], parameter('mlp.dense_4h_to_h.bias'), nextNorm, layerNormEps));
    }
    residuals.push(residual);
  }
  return { hidden: normed, head: config.tieWordEmbeddings ? table : weights.parameter('embed_out'), residuals };
}
