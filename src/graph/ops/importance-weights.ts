/**
 * @file What the tokens of a document count by how much likelier the model finds its trained tokens than a reference does:
 * the weights of importance-weighted SFT (arXiv 2507.12856), from the mean so that long answers weigh no more than short.
 */
import importanceWeightsSource from '../../../shaders/importance-weights.wgsl?raw';
import { f32Constant, kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowGrid, rowLanes } from '../rows.ts';
import { IGNORED } from './head-loss.ts';

/** The largest factor on a document, as in the released code of RPSFT, so that none takes over a batch. */
export const LARGEST_SCALE = 16;

interface Attributes {
  /** Tokens of a row of the batch. */
  readonly length: number;
  readonly throughScale: boolean;
}

const importanceWeightsOperation: Operation<Attributes> = {
  name: 'importanceWeights',
  infer([nll, referenceNll, labels, documentStart, weights, tau], { length, throughScale }) {
    const tokens = nll!.shape[0]!;
    if (tokens % length) throw new Error(`importanceWeights: ${tokens} tokens are no whole rows of ${length}.`);
    expectShape('importanceWeights', 'nll', nll!, [tokens]);
    expectShape('importanceWeights', 'nll of the reference', referenceNll!, [tokens]);
    expectShape('importanceWeights', 'the labels', labels!, [tokens], 'u32');
    expectShape('importanceWeights', 'documentStart', documentStart!, [tokens], 'u32');
    expectShape('importanceWeights', 'the weights', weights!, [tokens]);
    expectShape('importanceWeights', 'tau', tau!, [1]);
    return throughScale ? [weights!, weights!] : [weights!];
  },
  calls({ facts, attributes: { length, throughScale }, inputs, outputs }) {
    const tokens = inputs[0]!.shape[0]!;
    const constants = { TOKENS: tokens, LENGTH: length, LANES: rowLanes(facts), LIMIT: f32Constant(LARGEST_SCALE), LOG_LIMIT: Math.log(LARGEST_SCALE), THROUGH_SCALE: throughScale };
    return [
      {
        kernel: kernel('importanceWeights', importanceWeightsSource, [...inputs.map(() => 'read' as const), ...outputs.map(() => 'write' as const)], constants),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: rowGrid(tokens),
      },
    ];
  },
  reference([nll, referenceNll, labels, documentStart, weights, tau], { length, throughScale }) {
    const documentOf = (token: number): number => token - (token % length) + documentStart![token]!;
    const sums = new Map<number, { ratio: number; nll: number; count: number }>();
    for (const token of nll!.keys()) {
      if (labels![token] === IGNORED) continue;
      const before = sums.get(documentOf(token)) ?? { ratio: 0, nll: 0, count: 0 };
      sums.set(documentOf(token), { ratio: before.ratio + referenceNll![token]! - nll![token]!, nll: before.nll + nll![token]!, count: before.count + 1 });
    }
    const scales = weights!.map((_, token) => {
      const { ratio, count } = sums.get(documentOf(token)) ?? { ratio: 0, count: 1 };
      return Math.min(Math.exp((tau![0]! * ratio) / count), LARGEST_SCALE);
    });
    const lossWeights = weights!.map((weight, token) => weight * scales[token]!);
    if (!throughScale) return [lossWeights];
    const slopes = lossWeights.map((weight, token) => {
      const mean = sums.get(documentOf(token));
      return !mean || scales[token] === LARGEST_SCALE ? weight : weight * (1 - (tau![0]! * mean.nll) / mean.count);
    });
    return [lossWeights, slopes];
  },
};

/** All [tokens], documents packed in rows; `tau` [1]. */
export interface ImportanceInputs {
  readonly nll: Tensor;
  readonly referenceNll: Tensor;
  /** u32, `IGNORED` where a token is not trained. */
  readonly labels: Tensor;
  /** u32, index within the row at which the token's document begins. */
  readonly documentStart: Tensor;
  readonly weights: Tensor;
  readonly tau: Tensor;
}

/**
 * s_i weights with s_i = min(exp(tau d_i), 16), d_i the mean over the trained tokens of document i of log p - log p of the
 * reference. They are numbers: nothing is differentiated through them.
 * @param length tokens of a row
 * @param throughScale also gives the weights that the gradient has when s_i is differentiated with the rest
 */
export function importanceWeights(graph: Graph, { nll, referenceNll, labels, documentStart, weights, tau }: ImportanceInputs, length: number, throughScale: boolean): { readonly loss: Tensor; readonly gradient: Tensor } {
  const [loss, gradient] = graph.apply(importanceWeightsOperation, [nll, referenceNll, labels, documentStart, weights, tau], { length, throughScale });
  return { loss: loss!, gradient: gradient ?? loss! };
}
