/** @file What the step benches train: shapes of Llama decoders, one batch, and how much arithmetic a step is. */
import type { TokenisedExample } from '../src/engine.ts';
import type { BatchShape, PackedBatch } from '../src/models/decoder.ts';
import type { Model } from '../src/models/model.ts';

const dimensions: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  builtin: { vocab_size: 1280, hidden_size: 128, intermediate_size: 384, num_hidden_layers: 5, num_attention_heads: 4, num_key_value_heads: 2 },
  reference: { vocab_size: 512, hidden_size: 128, intermediate_size: 352, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 4 },
  smollm2: { vocab_size: 49152, hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3 },
};

/** config.json of the built-in model's shape, of the reference decoder, or of SmolLM2-135M. */
export function shapeNamed(name: string): Record<string, unknown> {
  const chosen = dimensions[name];
  if (!chosen) throw new Error(`No shape is named ${name}; there are ${Object.keys(dimensions).join(', ')}.`);
  return { model_type: 'llama', tie_word_embeddings: true, rms_norm_eps: 1e-5, max_position_embeddings: 2048, ...chosen };
}

/** As many documents as a batch has rows, each as long as a row, every token trained. */
export const fullDocuments = (vocabulary: number, { rows, length }: BatchShape): TokenisedExample[] =>
  Array.from({ length: rows }, (_, row) => ({ ids: Uint32Array.from({ length }, (_id, i) => ((row * length + i) * 7919) % vocabulary), trained: new Uint8Array(length).fill(1), truncated: false }));

/** The batch of rows of one document each, every token trained, for programs that are handed arrays. */
export function fullBatch(vocabulary: number, { rows, length }: BatchShape): PackedBatch {
  const tokens = rows * length;
  return {
    ids: Uint32Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabulary),
    labels: Uint32Array.from({ length: tokens }, (_, i) => (i * 104729) % vocabulary),
    positions: Uint32Array.from({ length: tokens }, (_, i) => i % length),
    documentStart: new Uint32Array(tokens),
    rowWeights: new Float32Array(tokens).fill(1 / tokens),
  };
}

/**
 * Multiplications and additions of a step's matrix products, the head's and attention's included.
 * @param rank of adapters on all linear layers, with which no product makes a weight's gradient; 0 for full fine-tuning
 */
export function stepFlops({ config, layout, architecture }: Model, { rows, length }: BatchShape, rank = 0): number {
  const tokens = rows * length;
  const matrixElements = layout.weights.filter(({ shape }) => shape.length > 1).reduce((sum, weight) => sum + weight.rows * weight.columns, 0);
  const factorElements = rank * architecture.linears.reduce((sum, linear) => sum + linear.rows + linear.columns, 0);
  return ((rank > 0 ? 4 : 6) * matrixElements + 6 * factorElements) * tokens + 12 * config.numHiddenLayers * config.numAttentionHeads * config.headDim * tokens * (length / 2);
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
