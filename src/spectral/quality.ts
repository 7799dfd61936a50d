/**
 * @file What is known of a basis from measurements of it: residuals of its singular pairs against the gap to the values that were left out
 * (Davis & Kahan; Golub & Van Loan, Matrix Computations, section 8.6.1).
 */

/** How well a basis is known to hold, from what was measured of it. */
export interface BasisQuality {
  /** Energy ‖UᵀW‖² that the best block of k has and this one lacks, as a share of the former; an upper estimate. */
  readonly lostEnergy: number;
  /** Mean squared cosine between this subspace and the exact one, a lower estimate; directions as long as the k-th to 1e-3 may stand for each other. */
  readonly overlap: number;
  /** Rounds of deflation it took; 1 where the first held. */
  readonly rounds: number;
}

/** The contract of every basis. */
const MOST_LOST_ENERGY = 1e-4;
const LEAST_OVERLAP = 0.999;

/** Singular values that agree to this part cannot be told apart, and either direction will do. */
const TIED = 1e-3;

/** Below this part of the largest, a singular value is rounding of an f32 matrix, and its direction is any. */
const NOTHING = 1e-6;

/** Whether a basis keeps the contract: at most 1e-4 of the energy lost, at least 0.999 of the subspace there. */
export const holds = ({ lostEnergy, overlap }: Pick<BasisQuality, 'lostEnergy' | 'overlap'>): boolean => lostEnergy <= MOST_LOST_ENERGY && overlap >= LEAST_OVERLAP;

/**
 * @param sigma the k singular values, largest first
 * @param squaredResiduals ‖W v_i - sigma_i u_i‖² of each
 * @param beyond the singular values that were left out, largest first
 */
export function estimateQuality(sigma: ArrayLike<number>, squaredResiduals: ArrayLike<number>, beyond: readonly number[]): Pick<BasisQuality, 'lostEnergy' | 'overlap'> {
  const k = sigma.length;
  const largest = sigma[0]!;
  const last = sigma[k - 1]!;
  const next = (beyond.find((value) => value < last * (1 - TIED)) ?? 0) ** 2;
  let outside = 0;
  let lost = 0;
  let energy = 0;
  for (let i = 0; i < k; i += 1) {
    const value = sigma[i]! * sigma[i]!;
    energy += value;
    if (sigma[i]! <= NOTHING * largest) continue;
    // W Wᵀ u is sigma_i times W v_i: the residual of that eigenproblem over the distance to the nearest value that was left out.
    const squaredSine = Math.min(1, (value * squaredResiduals[i]!) / (value - next) ** 2);
    lost += squaredSine * value;
    if (sigma[i]! > last * (1 + TIED) || beyond.length === 0 || beyond[0]! < last * (1 - TIED)) outside += squaredSine;
  }
  return { lostEnergy: energy > 0 ? lost / energy : 0, overlap: 1 - outside / k };
}
