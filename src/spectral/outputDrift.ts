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
    const sums = examples.map(() => ({ tokens: 0, sums: [0, 0, 0] as [number, number, number] }));
    for (const each of batches) {
      const rows = await slices.run(async () => {
        batch.write(each);
        program.replay();
        const read = await readFloats(context.gpu.device, drift);
        context.gpu.assertHealthy();
        return read;
      });
      addRows(sums, each, rows);
    }
    const tokens = sums.reduce((count, own) => count + own.tokens, 0);
    const whole = { tokens, sums: [0, 1, 2].map((i) => sums.reduce((sum, own) => sum + own.sums[i]!, 0)) };
    return { ...meansOf(whole), examples: sums.map(meansOf), cost: { tokens: 2 * tokens, backwardTokens: 0, seconds: slices.seconds } };
  } finally {
    context.pool.destroyAll();
  }
}

/** Both forward passes up to their hidden states, then chunk by chunk both logits and what is between them: drift [tokens, 4]. */
async function recordDrift(context: Context, model: Model, weights: WeightSet, shape: BatchShape): Promise<{ batch: BatchBuffers; program: Program; drift: Slice }> {
  const { gpu, pool } = context;
  const batch = new BatchBuffers(context, shape);
  const workspace = new Workspace(context);
  const tokens = shape.rows * shape.length;
  const { hiddenSize, vocabSize } = model.config;
  const chunk = logitsChunk(tokens, vocabSize, gpu.facts);
  const drift = workspace.storage(4 * tokens, 'output drift');
  const passes: Call[] = [];
  const sides = [model.weights, weights].map((set) => {
    const { graph, hidden, head, bindings } = decoderGraph(context, model, batch, shape, set);
    const { calls, slices } = compile(graph, [hidden], { facts: gpu.facts, pool, bindings });
    passes.push(...calls);
    return { hidden: slices.get(hidden)!, head: bindings.get(head)!, headType: floatType(head), logits: workspace.storage(chunk * vocabSize, 'logits', 'logits') };
  });
  const rowsOf = (slice: Slice, first: number, rows: number, width: number): Slice => ({ buffer: slice.buffer, offset: slice.offset + 4 * first * width, size: 4 * rows * width });
  const chunks = Array.from({ length: Math.ceil(tokens / chunk) }, (_, i) => i * chunk).flatMap((first): Call[] => {
    const rows = Math.min(chunk, tokens - first);
    const products = sides.flatMap(({ hidden, head, headType, logits }) =>
      workspace.product({ layout: 'NT', m: rows, n: vocabSize, k: hiddenSize, bType: headType }, { a: rowsOf(hidden, first, rows, hiddenSize), b: head, c: logits }),
    );
    const compare = kernel('output drift', driftSource, ['read', 'read', 'write'], { ROWS: rows, VOCABULARY: vocabSize, LANES: rowLanes(gpu.facts) });
    return [...products, { kernel: compare, slices: [sides[0]!.logits, sides[1]!.logits, rowsOf(drift, first, rows, 4)], grid: rowGrid(rows) }];
  });
  return { batch, program: await workspace.record('output drift', [...passes, ...chunks]), drift };
}

interface Sums {
  tokens: number;
  readonly sums: number[];
}

function addRows(sums: readonly Sums[], { exampleOf }: Batch, rows: Float32Array): void {
  for (const [token, example] of exampleOf.entries()) {
    const own = sums[example];
    if (!own) continue;
    own.tokens += 1;
    for (let i = 0; i < 3; i += 1) own.sums[i]! += rows[4 * token + i]!;
  }
}

const meansOf = ({ tokens, sums }: Sums): Divergences & { readonly tokens: number } => {
  const [baseToTuned, tunedToBase, jensenShannon] = sums.map((value) => value / tokens) as [number, number, number];
  return { baseToTuned, tunedToBase, jensenShannon, tokens };
};
