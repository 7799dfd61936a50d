/** @file The basis of a decomposition that is known to hold least. */
import type { Basis } from './decompose.ts';
import type { BasisQuality } from './quality.ts';

export interface WorstBasis extends Pick<BasisQuality, 'lostEnergy' | 'overlap'> {
  /** Of the matrix. */
  readonly name: string;
}

/** The one that spans least of the exact subspace; of equal ones, the one that lacks most energy. Undefined where nothing was measured. */
export function worstBasis(bases: readonly Basis[]): WorstBasis | undefined {
  const measured = bases.flatMap(({ batch, quality }) => quality.map(({ lostEnergy, overlap }, z): WorstBasis => ({ name: batch.names[z]!, lostEnergy, overlap })));
  return measured.toSorted((a, b) => a.overlap - b.overlap || b.lostEnergy - a.lostEnergy)[0];
}
