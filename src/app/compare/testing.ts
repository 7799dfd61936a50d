/** @file Runs with given evaluations, for the tests of the comparison. */
import type { RunConfig } from '../../worker/protocol.ts';
import { accuracyOf, madeUpRun } from '../charts/testing.ts';
import type { LabRun } from '../runs.ts';

/** A finished run with evaluations of the given accuracies in-domain and out-of-domain, 30 steps apart, on 1,000 items each. */
export function runOf(config: Partial<RunConfig>, points: readonly (readonly [inDomain: number, outOfDomain: number])[], change: Partial<LabRun> = {}): LabRun {
  const run = madeUpRun({ steps: 30 * (points.length - 1), ...config });
  const evaluations = points.map(([inDomain, outOfDomain], index) => ({
    step: index * 30, heldOutLoss: 1, outOfDomainLoss: 1, inDomain: accuracyOf(inDomain, 1000), outOfDomain: accuracyOf(outOfDomain, 1000), groups: [],
  }));
  return { ...run, id: `${run.id}-${run.config.lambda}`, evaluations, ...change };
}
