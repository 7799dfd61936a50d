/**
 * @file L2-SP (Li, Grandvalet & Davoine, arXiv 1802.01483): λ Σ ‖W - W0‖² pulls the weights back to where they started.
 *
 * The sum is over the 2-D weights, as RPSFT's is (of which this is the case k = min(m, n)), so that the two can be
 * compared at one λ; norm gains move freely. In a shard these weights lie together and their padding is zero on both
 * sides, so a shard is one run of numbers.
 */
import { AdaptedWeights } from '../models/adapter.ts';
import { Workspace } from '../spectral/workspace.ts';
import { l2spOfAdapter } from './adapterPenalty.ts';
import { distanceCall, distancePartials, partialSums, type DenseTargets, type Penalty, type PenaltyTargets, type Runs } from './penalty.ts';

export function l2spPenalty(targets: PenaltyTargets): Penalty {
  const { weights } = targets;
  return weights instanceof AdaptedWeights ? l2spOfAdapter({ ...targets, weights }) : densePenalty({ ...targets, weights: weights.trained });
}

function densePenalty(targets: DenseTargets): Penalty {
  const workspace = new Workspace(targets.context);
  const runs = targets.weights.layout.matrixElements.map((size, shard): Runs => ({ shard, offsets: [0], size })).filter(({ size }) => size > 0);
  const { ranges, sum } = partialSums(workspace, targets, runs.map(distancePartials));
  return { calls: [...runs.map((run, i) => distanceCall(workspace, targets, run, ranges[i]!)), sum], value: targets.value };
}
