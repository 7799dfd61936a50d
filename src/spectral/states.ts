/** @file Hidden states of a probe set: which of its tokens are read, and what a forward pass leaves after each layer and before the head. */
import type { Batch } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import { readBack } from '../gpu/buffers.ts';
import { childContext } from '../gpu/context.ts';
import { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import { BatchBuffers, decoderGraph, type BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Slices } from './measuring.ts';

/** Tokens of a probe set where no other number is asked for. */
export const PROBE_TOKENS = 1024;

export const allLayers = ({ config }: Model): number[] => Array.from({ length: config.numHiddenLayers }, (_, layer) => layer);

export const countTokens = (examples: readonly TokenisedExample[]): number => examples.reduce((sum, { ids }) => sum + ids.length, 0);

/** The first examples of `count` tokens together, the last of them cut. */
export function firstTokens(examples: TokenisedList, count: number): TokenisedExample[] {
  const first: TokenisedExample[] = [];
  let left = count;
  for (const { ids, trained, truncated } of examples) {
    if (left <= 0) break;
    first.push({ ids: ids.slice(0, left), trained: trained.slice(0, left), truncated: truncated || ids.length > left });
    left -= ids.length;
  }
  return first;
}

/** What is read of a probe set. */
interface StateReading {
  readonly shape: BatchShape;
  readonly layers: readonly number[];
  readonly tokens: number;
}

/** Hidden states [tokens, hiddenSize] after each of `layers` and final-normed, of all tokens that are no padding. */
export async function statesOf(model: Model, weights: WeightSet, batches: readonly Batch[], { shape, layers, tokens }: StateReading, slices: Slices): Promise<readonly Float32Array<ArrayBuffer>[]> {
  const width = model.config.hiddenSize;
  const context = childContext(model.context);
  const { gpu, pool, pipelines } = context;
  try {
    const buffers = new BatchBuffers(context, shape);
    const { graph, hidden, residuals, bindings } = decoderGraph(context, model, buffers, shape, weights);
    const taps = [...layers.map((layer) => residuals[layer]!), hidden];
    const compiled = compile(graph, taps, { facts: gpu.facts, pool, bindings });
    const program = await Program.record(gpu.device, pipelines, 'hidden states', compiled.calls);
    const states = new StateRows(taps.length, tokens, width);
    for (const batch of batches) {
      const read = await slices.run(async () => {
        buffers.write(batch);
        program.replay();
        const bytes = await readBack(gpu.device, taps.map((tap) => compiled.slices.get(tap)!));
        gpu.assertHealthy();
        return bytes;
      });
      states.add(batch, read);
    }
    return states.places;
  } finally {
    pool.destroyAll();
  }
}

/** Tokens of a batch that are no padding. */
export const keptTokens = ({ exampleOf }: Batch): number[] => [...exampleOf.keys()].filter((token) => exampleOf[token]! >= 0);

/** States of all places, filled batch by batch. */
export class StateRows {
  /** [tokens, width] each */
  readonly places: readonly Float32Array<ArrayBuffer>[];
  #at = 0;

  constructor(
    places: number,
    tokens: number,
    private readonly width: number,
  ) {
    this.places = Array.from({ length: places }, () => new Float32Array(tokens * width));
  }

  /** @param read what a forward pass has left at each place */
  add(batch: Batch, read: readonly ArrayBuffer[]): void {
    const { width } = this;
    const kept = keptTokens(batch);
    for (const [i, states] of this.places.entries()) {
      const rows = new Float32Array(read[i]!);
      for (const [j, token] of kept.entries()) states.set(rows.subarray(token * width, (token + 1) * width), (this.#at + j) * width);
    }
    this.#at += kept.length;
  }
}
