/**
 * @file How far what tuned weights predict has moved from what the pretrained ones do: Kullback-Leibler and Jensen-Shannon
 * divergence of the distributions of the next token, over the whole vocabulary, at every token of a probe set. Logits of
 * both exist for one chunk of tokens at a time and are never stored.
 */
import driftSource from '../../shaders/output-drift.wgsl?raw';
import { batchesOfShape, type Batch } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import { readFloats } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import { compile } from '../graph/compile.ts';
import { floatType } from '../graph/graph.ts';
import { logitsChunk } from '../graph/ops/head-loss.ts';
import { rowGrid, rowLanes } from '../graph/rows.ts';
import { BatchBuffers, decoderGraph, type BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import { Slices, type Cost, type Measuring } from './measuring.ts';
import { Workspace } from './workspace.ts';

/** Means over tokens, in nats. */
export interface Divergences {
  /** KL(base ‖ tuned): what the base model thought likely and the tuned one does not weighs most. */
  readonly baseToTuned: number;
  /** KL(tuned ‖ base) */
  readonly tunedToBase: number;
  /** Between 0 and log 2. */
  readonly jensenShannon: number;
}

export interface OutputDrift extends Divergences {
  /** Tokens at which the next one was predicted: all of the probe set. */
  readonly tokens: number;
  /** By example, in their order. */
  readonly examples: readonly (Divergences & { readonly tokens: number })[];
  readonly cost: Cost;
}

/**
 * Measures `weights` against the model's own. Holds the activations of both forward passes and two chunks of logits.
 * @param shape rows and tokens a row of a forward pass
 * @throws {RangeError} for no examples, or one that is longer than a row
 */
export async function measureOutputDrift(model: Model, weights: WeightSet, examples: readonly TokenisedExample[], shape: BatchShape, padTokenId: number, measuring: Measuring = {}): Promise<OutputDrift> {
  if (examples.length === 0) throw new RangeError('Output drift needs a probe set of at least one example.');
  const batches = [...batchesOfShape(examples, { rows: shape.rows, seqLen: shape.length }, padTokenId)];
  const context = childContext(model.context);
  try {
    const { batch, program, drift } = await recordDrift(context, model, weights, shape);
    const slices = new Slices(measuring, batches.length);
    const sums = new DriftSums(examples.length);
    for (const each of batches) {
      const rows = await slices.run(async () => {
        batch.write(each);
        program.replay();
        const read = await readFloats(context.gpu.device, drift);
        context.gpu.assertHealthy();
        return read;
      });
      sums.add(each, rows);
    }
    const { means } = sums;
    return { ...means, cost: { tokens: 2 * means.tokens, backwardTokens: 0, seconds: slices.seconds } };
  } finally {
    context.pool.destroyAll();
  }
}

/** Both forward passes up to their hidden states, then both logits and what is between them: drift [tokens, 4]. */
async function recordDrift(context: Context, model: Model, weights: WeightSet, shape: BatchShape): Promise<{ batch: BatchBuffers; program: Program; drift: Slice }> {
  const { gpu, pool } = context;
  const batch = new BatchBuffers(context, shape);
  const workspace = new Workspace(context);
  const passes: Call[] = [];
  const [base, tuned] = [model.weights, weights].map((set): Predicting => {
    const { graph, hidden, head, bindings } = decoderGraph(context, model, batch, shape, set);
    const { calls, slices } = compile(graph, [hidden], { facts: gpu.facts, pool, bindings });
    passes.push(...calls);
    return { hidden: slices.get(hidden)!, head: bindings.get(head)!, headType: floatType(head) };
  }) as [Predicting, Predicting];
  const { calls, drift } = comparisonCalls(workspace, model, shape.rows * shape.length, base, tuned);
  return { batch, program: await workspace.record('output drift', [...passes, ...calls]), drift };
}

/** Final-normed states [tokens, hiddenSize] and the head [vocabSize, hiddenSize] that reads them. */
export interface Predicting {
  readonly hidden: Slice;
  readonly head: Slice;
  readonly headType: FloatType;
}

/** Chunk by chunk both logits and what is between them: drift [tokens, 4], of which the first three are the divergences. */
export function comparisonCalls(workspace: Workspace, { config }: Model, tokens: number, base: Predicting, tuned: Predicting): { readonly calls: readonly Call[]; readonly drift: Slice } {
  const { facts } = workspace.context.gpu;
  const { hiddenSize, vocabSize } = config;
  const chunk = logitsChunk(tokens, vocabSize, facts);
  const drift = workspace.storage(4 * tokens, 'output drift');
  const sides = [base, tuned].map((side) => ({ ...side, logits: workspace.storage(chunk * vocabSize, 'logits', 'logits') }));
  const rowsOf = (slice: Slice, first: number, rows: number, width: number): Slice => ({ buffer: slice.buffer, offset: slice.offset + 4 * first * width, size: 4 * rows * width });
  const calls = Array.from({ length: Math.ceil(tokens / chunk) }, (_, i) => i * chunk).flatMap((first): Call[] => {
    const rows = Math.min(chunk, tokens - first);
    const products = sides.flatMap(({ hidden, head, headType, logits }) =>
      workspace.product({ layout: 'NT', m: rows, n: vocabSize, k: hiddenSize, bType: headType }, { a: rowsOf(hidden, first, rows, hiddenSize), b: head, c: logits }),
    );
    const compare = kernel('output drift', driftSource, ['read', 'read', 'write'], { ROWS: rows, VOCABULARY: vocabSize, LANES: rowLanes(facts) });
    return [...products, { kernel: compare, slices: [sides[0]!.logits, sides[1]!.logits, rowsOf(drift, first, rows, 4)], grid: rowGrid(rows) }];
  });
  return { calls, drift };
}

/** Sums of the divergences over the tokens of each example. */
export class DriftSums {
  readonly #examples: { tokens: number; readonly sums: number[] }[];

  constructor(examples: number) {
    this.#examples = Array.from({ length: examples }, () => ({ tokens: 0, sums: [0, 0, 0] }));
  }

  /** @param rows drift [tokens, 4] of a batch */
  add({ exampleOf }: Batch, rows: Float32Array): void {
    for (const [token, example] of exampleOf.entries()) {
      const own = this.#examples[example];
      if (!own) continue;
      own.tokens += 1;
      for (let i = 0; i < 3; i += 1) own.sums[i]! += rows[4 * token + i]!;
    }
  }

  /** Means over all tokens, and by example. */
  get means(): Omit<OutputDrift, 'cost'> {
    const tokens = this.#examples.reduce((count, own) => count + own.tokens, 0);
    const sums = [0, 1, 2].map((i) => this.#examples.reduce((sum, own) => sum + own.sums[i]!, 0));
    return { ...meansOf({ tokens, sums }), examples: this.#examples.map(meansOf) };
  }
}

const meansOf = ({ tokens, sums }: { readonly tokens: number; readonly sums: readonly number[] }): Divergences & { readonly tokens: number } => {
  const [baseToTuned, tunedToBase, jensenShannon] = sums.map((value) => value / tokens) as [number, number, number];
  return { baseToTuned, tunedToBase, jensenShannon, tokens };
};
