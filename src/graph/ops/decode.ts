/**
 * @file Decoding one token a sequence: attention over a key-value cache, and the choice of the next token. Everything
 * that changes from token to token is on the GPU, so many tokens are decoded by replaying one program.
 */
import appendSource from '../../../shaders/decode-append.wgsl?raw';
import attentionSource from '../../../shaders/decode-attention.wgsl?raw';
import sampleSource from '../../../shaders/decode-sample.wgsl?raw';
import { f32Constant, kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowLanes } from '../rows.ts';

export interface CacheShape {
  /** Positions the cache holds. */
  readonly length: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** Inputs qkv, positions, keys, values -> output [sequences, heads headDim]; the caches gain the token's key and value. */
const decodeAttentionOperation: Operation<CacheShape> = {
  name: 'decodeAttention',
  infer([qkv, positions, keys, values], { length, heads, keyValueHeads, headDim }) {
    const sequences = qkv!.shape[0]!;
    const cache = [sequences, length, keyValueHeads * headDim];
    expectShape('decodeAttention', 'qkv', qkv!, [sequences, (heads + 2 * keyValueHeads) * headDim]);
    expectShape('decodeAttention', 'the positions', positions!, [sequences], 'u32');
    expectShape('decodeAttention', 'the key cache', keys!, cache);
    expectShape('decodeAttention', 'the value cache', values!, cache);
    return [{ shape: [sequences, heads * headDim], dtype: 'f32' }];
  },
  calls({ facts, attributes: { length, heads, keyValueHeads, headDim }, inputs: [qkv, positions, keys, values], outputs: [output] }) {
    const sequences = qkv!.shape[0]!;
    const width = keyValueHeads * headDim;
    const cached = [keys!.slice, values!.slice];
    return [
      {
        kernel: kernel('decodeAppend', appendSource, ['read', 'read', 'write', 'write'], { SEQUENCES: sequences, LENGTH: length, WIDTH: width, QUERY_WIDTH: heads * headDim }),
        slices: [qkv!.slice, positions!.slice, ...cached],
        grid: [Math.ceil((sequences * width) / 64), 1, 1],
      },
      {
        kernel: kernel('decodeAttention', attentionSource, ['read', 'read', 'read', 'read', 'write'], {
          LENGTH: length,
          HEADS: heads,
          KEY_VALUE_HEADS: keyValueHeads,
          HEAD_DIM: headDim,
          SCALE: f32Constant(1 / Math.sqrt(headDim)),
          // Partial outputs of the lanes lie in workgroup memory, of which 16 KiB are there.
          LANES: Math.min(rowLanes(facts), Math.max(1, Math.floor(3072 / headDim))),
        }),
        slices: [qkv!.slice, positions!.slice, ...cached, output!.slice],
        grid: [heads, sequences, 1],
      },
    ];
  },
  reference([qkv, positions, keys, values], { length, heads, keyValueHeads, headDim }) {
    const width = keyValueHeads * headDim;
    const row = (heads + 2 * keyValueHeads) * headDim;
    const output = new Float64Array(positions!.length * heads * headDim);
    for (const [sequence, position] of positions!.entries()) {
      for (let head = 0; head < heads; head++) {
        const column = Math.floor(head / (heads / keyValueHeads)) * headDim;
        const key = (at: number, i: number): number => (at === position ? qkv![sequence * row + heads * headDim + column + i]! : keys![(sequence * length + at) * width + column + i]!);
        const value = (at: number, i: number): number => (at === position ? qkv![sequence * row + heads * headDim + width + column + i]! : values![(sequence * length + at) * width + column + i]!);
        const weights = Array.from({ length: position + 1 }, (_, at) => {
          let score = 0;
          for (let i = 0; i < headDim; i++) score += qkv![sequence * row + head * headDim + i]! * key(at, i);
          return Math.exp(score / Math.sqrt(headDim));
        });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < headDim; i++) output[(sequence * heads + head) * headDim + i] = weights.reduce((sum, weight, at) => sum + weight * value(at, i), 0) / total;
      }
    }
    return [output];
  },
};

/** State of sequences under generation; kernels change it in place. */
export interface DecodeState {
  /** u32 [sequences]: tokens of the prompt. */
  readonly promptLength: Tensor;
  /** u32 [sequences, length]: prompt, then what was generated. */
  readonly tokens: Tensor;
  /** f32 [sequences, length]: probability of each generated token before temperature and truncation. */
  readonly probabilities: Tensor;
  /** u32 [sequences]: the token at `positions`, input of the next step. */
  readonly ids: Tensor;
  /** u32 [sequences]. */
  readonly positions: Tensor;
  /** u32 [sequences]: 1 after an end token or at the last position. */
  readonly finished: Tensor;
}

/** Inputs logits, settings, then the state -> ids, which every other part of the state is written along with. */
const sampleOperation: Operation<{ readonly length: number }> = {
  name: 'sample',
  infer([logits, settings, promptLength, tokens, probabilities, ids, positions, finished], { length }) {
    const sequences = logits!.shape[0]!;
    expectShape('sample', 'logits', logits!, [sequences, undefined]);
    expectShape('sample', 'the settings', settings!, [8], 'u32');
    for (const [what, tensor] of Object.entries({ promptLength, ids, positions, finished })) expectShape('sample', what, tensor!, [sequences], 'u32');
    expectShape('sample', 'tokens', tokens!, [sequences, length], 'u32');
    expectShape('sample', 'probabilities', probabilities!, [sequences, length]);
    return [ids!];
  },
  inPlace: () => ({ output: 0, input: 5 }),
  calls({ facts, attributes: { length }, inputs }) {
    const [logits, settings, ...state] = inputs;
    const [sequences, vocabulary] = logits!.shape as [number, number];
    return [
      {
        kernel: kernel('sample', sampleSource, ['uniform', 'read', 'read', 'write', 'write', 'write', 'write', 'write'], { VOCABULARY: vocabulary, LENGTH: length, LANES: rowLanes(facts) }),
        slices: [settings!.slice, logits!.slice, ...state.map(({ slice }) => slice)],
        grid: [sequences, 1, 1],
      },
    ];
  },
  /** Greedy choice only: the tests hold sampling to its distribution instead. */
  reference([logits, , promptLength, tokens, , ids, positions, finished], { length }, [type]) {
    const vocabulary = type!.shape[1]!;
    return [
      ids!.map((id, sequence) => {
        if (finished![sequence] === 1) return id;
        const next = positions![sequence]! + 1;
        if (next < promptLength![sequence]!) return tokens![sequence * length + next]!;
        const row = logits!.subarray(sequence * vocabulary, (sequence + 1) * vocabulary);
        return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
      }),
    ];
  },
};

/**
 * Attends from one token a sequence to everything up to it.
 * @param qkv rotated queries, keys and values [sequences, (heads + 2 keyValueHeads) headDim]
 * @param positions u32 [sequences]
 * @param keys state [sequences, length, keyValueHeads headDim], written at `positions`; `values` likewise
 */
export const decodeAttention = (graph: Graph, qkv: Tensor, positions: Tensor, keys: Tensor, values: Tensor, shape: CacheShape): Tensor =>
  graph.apply(decodeAttentionOperation, [qkv, positions, keys, values], shape)[0]!;

/**
 * Chooses every sequence's next token and advances its state.
 * @param settings u32 [8] as `samplingWords` packs them, bound as a uniform buffer
 */
export function sample(graph: Graph, logits: Tensor, settings: Tensor, state: DecodeState, length: number): Tensor {
  const { promptLength, tokens, probabilities, ids, positions, finished } = state;
  return graph.apply(sampleOperation, [logits, settings, promptLength, tokens, probabilities, ids, positions, finished], { length })[0]!;
}

export interface Sampling {
  /** 0 = greedy. */
  readonly temperature: number;
  /** Keep the k likeliest tokens; 0 = all. */
  readonly topK: number;
  /** Keep the likeliest tokens that together reach this probability; 1 = all. */
  readonly topP: number;
  readonly seed: number;
}

/** The settings as the kernel reads them. @param ends one to four ids that end a sequence */
export function samplingWords({ temperature, topK, topP, seed }: Sampling, ends: readonly number[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(8);
  const floats = new Float32Array(words.buffer);
  floats[0] = temperature;
  words[1] = topK;
  floats[2] = topP;
  words[3] = seed;
  for (let i = 0; i < 4; i++) words[4 + i] = ends[i] ?? ends[0] ?? 0xffffffff;
  return words;
}
