/**
 * @file The models that the scripted engine (app/testing.ts) says it opens.
 */
import type { ModelSummary, Precision } from '../../worker/protocol.ts';

/** The linear layers of a Llama decoder: with grouped queries, `keyValueWidth` is less than the width. */
function linearsOf(layers: number, width: number, keyValueWidth: number, inner: number): ModelSummary['linears'] {
  const outputs = { q_proj: width, k_proj: keyValueWidth, v_proj: keyValueWidth, o_proj: width, gate_proj: inner, up_proj: inner, down_proj: inner };
  return Object.entries(outputs).map(([name, out]) => ({ name, count: layers, weights: layers * width * out, byDefault: true }));
}

export const builtIn: ModelSummary = {
  source: 'built-in', name: 'Built-in model', parameters: 1_048_576, architecture: 'Llama, tied embeddings', layers: 4, hiddenSize: 128, heads: 4, keyValueHeads: 4, vocabulary: 1024, contextLength: 128,
  bytes: 4_194_304, precision: 'f32', storedAs: 'F32', template: 'plain', linears: linearsOf(4, 128, 128, 352), warnings: [],
};

export const commit = '93efa2f097d58c2a74874c7e644dbc9b0cee75a2';

/** SmolLM2-135M by another name. */
export const openedModel = (name: string, source: 'files' | 'hub', precision: Precision): ModelSummary => ({
  source, name, parameters: 134_515_008, architecture: 'Llama, tied embeddings', layers: 30, hiddenSize: 576, heads: 9, keyValueHeads: 3, vocabulary: 49_152, contextLength: 8192, bytes: 269_060_552,
  precision, storedAs: 'BF16', template: name.endsWith('Instruct') ? 'own' : 'chatml', linears: linearsOf(30, 576, 192, 1536), ...(source === 'hub' ? { revision: commit } : {}),
  warnings: name.endsWith('Instruct') ? [] : ['The model has no chat template: conversations are written as ChatML, whose marks it has never seen.'],
});

export const hubFiles = [['config.json', 704], ['generation_config.json', 111], ['model.safetensors', 269_060_552], ['tokenizer.json', 2_104_556], ['tokenizer_config.json', 3658]] as const;
export const hubBytes = hubFiles.reduce((sum, [, bytes]) => sum + bytes, 0);
