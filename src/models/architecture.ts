/**
 * @file What the engine knows of a model family: its sizes, its parameters and its decoder as a graph. A family is one
 * file that gives an `Architecture` from config.json; `architectureOf` chooses it by `model_type`.
 */
import type { Graph, Tensor } from '../graph/graph.ts';
import type { TokensById } from '../graph/ops/embedding.ts';
import { ModelConfigError } from './configFields.ts';
import type { LinearModule } from './linears.ts';
import { gpt2Architecture } from './gpt2.ts';
import { gptNeoxArchitecture } from './gptNeox.ts';
import { llamaArchitecture } from './llama.ts';
import type { ParameterSpec } from './parameters.ts';
import type { GraphWeights } from './weights.ts';

/** The sizes that all families have, in the words of Llama's config.json. */
export interface DecoderConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Standard deviation of a fresh matrix. */
  readonly initializerRange: number;
}

/** What the decoder reads: tokens of a packed batch, or one token of each sequence under generation. */
export interface DecoderInputs {
  readonly ids: Tensor;
  readonly positions: Tensor;
  /** For the gradients of the embeddings of tokens and of learned positions. */
  readonly byId?: TokensById;
  readonly byPosition?: TokensById;
  /** Cosines and sines [positions, rotated size]; absent for families with learned positions. */
  readonly ropeTable?: Tensor;
  /** Mixes the values of a layer's rotated queries, keys and values: [tokens, heads + 2 keyValueHeads] -> [tokens, heads], times headDim. */
  readonly attend: (rotated: Tensor, layer: number) => Tensor;
}

/** What a decoder makes of its inputs. */
export interface DecoderOutputs {
  /** Final-normed hidden states [tokens, hiddenSize]. */
  readonly hidden: Tensor;
  /** The weight of the head [vocabSize, hiddenSize]. */
  readonly head: Tensor;
  /** The residual stream after each layer [tokens, hiddenSize]; who does not ask for one pays nothing for it. */
  readonly residuals: readonly Tensor[];
}

/** Under which names weight files hold a family's tensors. */
export interface WeightNames {
  /** What a bare decoder, saved without its head, leaves off its names. */
  readonly prefix: string;
  /** The embedding and the head; a tied matrix may be stored under either. */
  readonly embedding: string;
  readonly head: string;
  /** Tensors of older files that hold no weights, such as causal masks. */
  readonly buffers: RegExp;
}

export interface Architecture {
  /** For people: `Llama`, `Qwen2`, ... */
  readonly name: string;
  readonly config: DecoderConfig;
  readonly parameters: readonly ParameterSpec[];
  readonly names: WeightNames;
  /** Every linear layer of the decoder blocks. */
  readonly linears: readonly LinearModule[];
  /** Last parts of the modules that PEFT adapts when none are named. */
  readonly defaultTargets: readonly string[];
  /** The table `DecoderInputs.ropeTable` is bound to; absent for families with learned positions. */
  readonly ropeTable?: (positions: number) => { readonly width: number; readonly values: Float32Array<ArrayBuffer> };
  /** The decoder up to its final norm. */
  build(graph: Graph, weights: GraphWeights, inputs: DecoderInputs): DecoderOutputs;
}

/** Families by `model_type`. */
const FAMILIES: ReadonlyMap<unknown, (configJson: Readonly<Record<string, unknown>>) => Architecture> = new Map([
  ['llama', (config) => llamaArchitecture(config, 'llama')],
  ['mistral', (config) => llamaArchitecture(config, 'mistral')],
  ['qwen2', (config) => llamaArchitecture(config, 'qwen2')],
  ['qwen3', (config) => llamaArchitecture(config, 'qwen3')],
  ['gpt2', gpt2Architecture],
  ['gpt_neox', gptNeoxArchitecture],
]);

/** @throws {ModelConfigError} naming the field and its value when the architecture or an option of it is not supported */
export function architectureOf(configJson: Readonly<Record<string, unknown>>): Architecture {
  const family = FAMILIES.get(configJson['model_type']);
  if (!family) throw new ModelConfigError('model_type', configJson['model_type'], `supported are ${[...FAMILIES.keys()].map((type) => JSON.stringify(type)).join(', ')}`);
  return family(configJson);
}
