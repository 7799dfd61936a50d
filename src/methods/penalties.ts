/** @file The penalty of each id over directions that were found before. */
import { l2spPenalty } from './l2sp.ts';
import type { HeldDirections, Penalty, PenaltyTargets } from './penalty.ts';
import { gradientProjection } from './projection.ts';
import type { PenaltyId } from './registry.ts';
import { rpsftPenalty } from './rpsft.ts';
import { twoSidedPenalty } from './twoSided.ts';

/** @param directions of the kind that `heldBy` tells; `l2sp` reads none */
export function penaltyTerm(id: PenaltyId, directions: HeldDirections): (targets: PenaltyTargets) => Penalty {
  switch (id) {
    case 'l2sp':
      return l2spPenalty;
    case 'two-sided-rpsft':
      return (targets) => twoSidedPenalty(targets, directions);
    case 'projection':
      return (targets) => gradientProjection(targets, directions);
    case 'rpsft':
    case 'random-basis':
    case 'tail-basis':
      return (targets) => rpsftPenalty(targets, directions);
  }
}

export const NO_DIRECTIONS: HeldDirections = { bases: [], degenerate: [] };
