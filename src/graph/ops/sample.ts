/**
 * @file The choice of the next token. Everything that changes from token to token is on the GPU, so many tokens are decoded by
 * replaying one program.
 */
import sampleSource from '../../../shaders/sample.wgsl?raw';
import { kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowLanes } from '../rows.ts';

/** Tokens of a sequence that are kept until they are read back. */
export const RING = 32;

/** State of the sequences under generation, a row each; kernels change it in place, but for `requests`. */
export interface DecodeState {
  /** u32 [rows, 4]: seed and stream of the random numbers, the last position that may hold a token, and nothing. */
  readonly requests: Tensor;
  /** u32 [rows, RING]: what was generated, the token of a position at position % RING. */
  readonly tokens: Tensor;
  /** f32 [rows, RING]: probability of each before temperature and truncation. */
  readonly probabilities: Tensor;
  /** u32 [rows]: the token at `positions`, input of the next step. */
  readonly ids: Tensor;
  /** u32 [rows]. */
  readonly positions: Tensor;
  /** u32 [rows]: 1 after an end token or at the last position; nothing of the row changes then. */
  readonly finished: Tensor;
}

/** Inputs logits, settings, then the state -> ids, which every other part of the state is written along with. */
const sampleOperation: Operation<null> = {
  name: 'sample',
  infer([logits, settings, requests, tokens, probabilities, ids, positions, finished]) {
    const rows = logits!.shape[0]!;
    expectShape('sample', 'logits', logits!, [rows, undefined]);
    expectShape('sample', 'the settings', settings!, [8], 'u32');
    expectShape('sample', 'the requests', requests!, [rows, 4], 'u32');
    for (const [what, tensor] of Object.entries({ ids, positions, finished })) expectShape('sample', what, tensor!, [rows], 'u32');
    expectShape('sample', 'tokens', tokens!, [rows, RING], 'u32');
    expectShape('sample', 'probabilities', probabilities!, [rows, RING]);
    return [ids!];
  },
  inPlace: () => ({ output: 0, input: 5 }),
  calls({ facts, inputs }) {
    const [logits, settings, ...state] = inputs;
    const [rows, vocabulary] = logits!.shape as [number, number];
    return [
      {
        kernel: kernel('sample', sampleSource, ['uniform', 'read', 'read', 'write', 'write', 'write', 'write', 'write'], { VOCABULARY: vocabulary, RING, LANES: rowLanes(facts) }),
        slices: [settings!.slice, logits!.slice, ...state.map(({ slice }) => slice)],
        grid: [rows, 1, 1],
      },
    ];
  },
  /** Greedy choice only: the tests hold sampling to its distribution instead. */
  reference([logits, , , , , ids, , finished], _attributes, [type]) {
    const vocabulary = type!.shape[1]!;
    return [
      ids!.map((id, at) => {
        if (finished![at] === 1) return id;
        const row = logits!.subarray(at * vocabulary, (at + 1) * vocabulary);
        return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
      }),
    ];
  },
};

/**
 * Chooses the next token of every row's sequence and advances its state.
 * @param logits [rows, vocabulary]
 * @param settings u32 [8] as `samplingWords` packs them, bound as a uniform buffer
 */
export function sample(graph: Graph, logits: Tensor, settings: Tensor, state: DecodeState): Tensor {
  const { requests, tokens, probabilities, ids, positions, finished } = state;
  return graph.apply(sampleOperation, [logits, settings, requests, tokens, probabilities, ids, positions, finished], null)[0]!;
}

export interface Sampling {
  /** 0 = greedy. */
  readonly temperature: number;
  /** Keep the k likeliest tokens; 0 = all. */
  readonly topK: number;
  /** Keep the likeliest tokens that together reach this probability; 1 = all. */
  readonly topP: number;
  /** Of requests that bring none of their own. */
  readonly seed: number;
}

/** The settings as the kernel reads them. @param ends one to four ids that end a sequence */
export function samplingWords({ temperature, topK, topP }: Sampling, ends: readonly number[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(8);
  const floats = new Float32Array(words.buffer);
  floats[0] = temperature;
  words[1] = topK;
  floats[2] = topP;
  for (let i = 0; i < 4; i++) words[4 + i] = ends[i] ?? ends[0] ?? 0xffffffff;
  return words;
}
