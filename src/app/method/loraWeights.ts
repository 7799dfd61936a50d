/** @file How many weights LoRA trains, and how much they count. Pure, with tests. */
import type { LoraConfig, ModelSummary } from '../../worker/protocol.ts';

/**
 * Weights of A [r, in] and B [out, r] over all layers of the targets. The summary tells in × out; one of the two is the width of the model in every
 * linear layer of the families Gimbal knows, so the other follows.
 */
export function loraWeights({ linears, hiddenSize }: Pick<ModelSummary, 'linears' | 'hiddenSize'>, targets: readonly string[], rank: number): number {
  const chosen = linears.filter(({ name }) => targets.includes(name));
  return rank * chosen.reduce((sum, { count, weights }) => sum + count * hiddenSize + weights / hiddenSize, 0);
}

/** s in W = W0 + s B A. */
export const loraScale = ({ rank, alpha, rsLora }: LoraConfig): number => alpha / (rsLora ? Math.sqrt(rank) : rank);
