/**
 * @file What a run minimises on the data: SFT, DFT, IW-SFT and KL-SFT as losses on a decoder's graph. Penalties on the
 * weights (penalty.ts) add to any of them.
 *
 * The reference of IW-SFT and KL-SFT is the pretrained model, in the buffers that are held anyway: its forward pass is
 * part of the recorded step, comes first, and leaves the losses or the last hidden states of its tokens behind. Under LoRA
 * it is the same weights without the adapter.
 */
import type { Context } from '../gpu/context.ts';
import type { Tensor } from '../graph/graph.ts';
import { headLoss } from '../graph/ops/head-loss.ts';
import { importanceWeights } from '../graph/ops/importance-weights.ts';
import type { LossBuilder, LossParts } from '../models/decoder.ts';
import { plainLoss } from '../models/decoder.ts';
import type { WeightSet } from '../models/weights.ts';
import type { ObjectiveId } from './registry.ts';
import { defaultOf } from './registry.ts';

/** N is the number of trained tokens of a step; log p and q are those of the model and of the reference. */
export type Objective =
  /** (1/N) Σ -log p. */
  | { readonly kind: 'sft' }
  /** (1/N) Σ -p log p with p held fixed where it is differentiated (arXiv 2508.05629). */
  | { readonly kind: 'dft' }
  /**
   * (1/N) Σ_i s_i Σ_t -log p with s_i = min(exp(tau d_i), 16), d_i the mean of log p - log q over the trained tokens of
   * document i (arXiv 2507.12856). s_i is held fixed where the loss is differentiated, unless `throughScale`: the form that
   * the authors of RPSFT released, under which the gradient of tokens with a mean loss above 1/tau changes its sign.
   */
  | { readonly kind: 'iw-sft'; readonly tau: number; readonly throughScale?: boolean }
  /** SFT + (beta/N) Σ KL(p || q) over the whole vocabulary. */
  | { readonly kind: 'kl-sft'; readonly beta: number };

/** The coefficients of the objectives that have some. */
export interface ObjectiveSettings {
  readonly tau?: number | undefined;
  readonly throughScale?: boolean | undefined;
  readonly beta?: number | undefined;
}

/** An objective with its coefficients, those of the registry where they are left out. */
export function objectiveOf(kind: ObjectiveId, { tau = defaultOf('iw-sft', 'tau'), throughScale = false, beta = defaultOf('kl-sft', 'beta') }: ObjectiveSettings): Objective {
  switch (kind) {
    case 'iw-sft':
      return { kind, tau, throughScale };
    case 'kl-sft':
      return { kind, beta };
    case 'sft':
    case 'dft':
      return { kind };
  }
}

/** The loss of an objective as nodes of a decoder's graph. @param reference the pretrained weights */
export function lossOf({ pool }: Context, objective: Objective, reference: WeightSet): LossBuilder {
  const coefficient = ({ graph, bindings }: LossParts, name: string, value: number): Tensor => {
    const source = graph.source('constant', name, [1]);
    bindings.set(source, pool.upload(Float32Array.of(value), 'other', name));
    return source;
  };
  switch (objective.kind) {
    case 'sft':
      return plainLoss;
    case 'dft':
      return ({ graph, labels, weights, forward }) => {
        const { hidden, head } = forward();
        return headLoss(graph, hidden, head, labels, weights, { objective: 'dft' });
      };
    case 'iw-sft':
      return (parts) => {
        const { graph, labels, weights, documentStart, shape, forward, forwardOf } = parts;
        const q = forwardOf(reference);
        const { nll: referenceNll } = headLoss(graph, q.hidden, q.head, labels, weights);
        const { hidden, head } = forward();
        // The factors need every loss of a document, before any logit has its gradient: the logits are made twice.
        const { nll } = headLoss(graph, hidden, head, labels, weights);
        const tau = coefficient(parts, 'tau', objective.tau);
        const scaled = importanceWeights(graph, { nll, referenceNll, labels, documentStart, weights, tau }, shape.length, objective.throughScale ?? false);
        return headLoss(graph, hidden, head, labels, scaled.loss, { gradientWeights: scaled.gradient });
      };
    case 'kl-sft':
      return (parts) => {
        const { graph, labels, weights, forward, forwardOf } = parts;
        const q = forwardOf(reference);
        const { hidden, head } = forward();
        return headLoss(graph, hidden, head, labels, weights, { divergence: { x: q.hidden, head: q.head, beta: coefficient(parts, 'beta', objective.beta) } });
      };
  }
}
