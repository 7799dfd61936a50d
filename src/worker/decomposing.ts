/** @file What comes of the decomposition that a run begins with. */
import type { LabDecomposition } from '../engine.ts';
import { worstBasis } from '../spectral/worst.ts';
import type { DecompositionSummary } from './protocol.ts';

/** The run was stopped while its matrices were decomposed. */
export class StoppedBeforeTrainingError extends Error {
  override readonly name = 'StoppedBeforeTrainingError';
}

/** What a run says of its bases. */
export function summaryOf({ bases, origin }: LabDecomposition): DecompositionSummary {
  const worst = worstBasis(bases);
  return { matrices: bases.reduce((sum, { batch }) => sum + batch.names.length, 0), ...origin, ...(worst ? { worst } : {}) };
}
