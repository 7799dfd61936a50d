/**
 * @file Teacher-forced evaluation: one forward pass gives the loss of every item and whether greedy decoding would
 * write exactly its completion, because the first wrong arg max is where greedy decoding leaves the given text.
 */
import type { Batch } from '../data/batches.ts';
import { batchesOfShape } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { childContext } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import { IGNORED } from '../graph/ops/head-loss.ts';
import type { BatchShape } from '../models/decoder.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';

/** What the forward pass says of one item. */
export interface ItemResult {
  /** Every trained token, the end of text included, is the most likely one. */
  readonly exact: boolean;
  /** Summed negative log-likelihood of the trained tokens. */
  readonly nll: number;
  readonly trainedTokens: number;
  /** Where greedy decoding would leave the given text: index within the example, and the token it would write there. */
  readonly firstWrong?: { readonly index: number; readonly id: number };
}

/** A recorded forward pass over one set of weights; cheap to run again as they change. */
export class Evaluator {
  private constructor(
    private readonly context: Context,
    private readonly shape: BatchShape,
    private readonly padTokenId: number,
    private readonly batch: BatchBuffers,
    private readonly program: Program,
    private readonly outputs: readonly [nll: Slice, argmax: Slice],
  ) {}

  /** @param weights read at every evaluation: the model's own, or those a trainer changes */
  static async create(model: Model, weights: WeightSet, shape: BatchShape, padTokenId: number): Promise<Evaluator> {
    const context = childContext(model.context);
    try {
      const batch = new BatchBuffers(context, shape);
      const { graph, nll, argmax, bindings } = decoderGraph(context, model, batch, shape, weights);
      const { calls, slices } = compile(graph, [nll, argmax], { facts: context.gpu.facts, pool: context.pool, bindings });
      const program = await Program.record(context.gpu.device, context.pipelines, 'evaluate', calls);
      return new Evaluator(context, shape, padTokenId, batch, program, [slices.get(nll)!, slices.get(argmax)!]);
    } catch (error) {
      context.pool.destroyAll();
      throw error;
    }
  }

  /**
   * Results of all examples, in their order.
   * @throws RangeError for an example longer than the evaluator's rows
   */
  async evaluate(examples: readonly TokenisedExample[], onProgress?: (done: number) => void): Promise<ItemResult[]> {
    const results: ItemResult[] = Array.from({ length: examples.length });
    let done = 0;
    for (const batch of batchesOfShape(examples, { rows: this.shape.rows, seqLen: this.shape.length }, this.padTokenId)) {
      this.batch.write(batch);
      this.program.replay();
      const [nll, argmax] = await readBack(this.context.gpu.device, this.outputs);
      this.context.gpu.assertHealthy();
      collect(results, batch, new Float32Array(nll!), new Uint32Array(argmax!));
      done += batch.indices.length;
      onProgress?.(done);
    }
    return results;
  }

  destroy(): void {
    this.context.pool.destroyAll();
  }
}

function collect(results: ItemResult[], { exampleOf, labels, positions }: Batch, nll: Float32Array, argmax: Uint32Array): void {
  for (const [token, label] of labels.entries()) {
    if (label === IGNORED) continue;
    const example = exampleOf[token]!;
    const before = results[example] ?? { exact: true, nll: 0, trainedTokens: 0 };
    const right = argmax[token] === label;
    results[example] = {
      ...before,
      exact: before.exact && right,
      nll: before.nll + nll[token]!,
      trainedTokens: before.trainedTokens + 1,
      ...(before.exact && !right ? { firstWrong: { index: positions[token]! + 1, id: argmax[token]! } } : {}),
    };
  }
}

/** Mean negative log-likelihood of the trained tokens. */
export function meanLoss(results: readonly ItemResult[]): number {
  const tokens = results.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0);
  return results.reduce((sum, { nll }) => sum + nll, 0) / tokens;
}
