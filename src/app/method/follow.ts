/** @file What a run is to measure of itself beside the suites and the matrices, and what that will cost. Pure functions, with tests. */
import type { Estimate, FollowConfig, RunConfig } from '../../worker/protocol.ts';
import { formatAbout, formatCount, formatCounted, formatShare } from '../format.ts';
import type { LabRun } from '../runs.ts';

/** The run with another choice of what is followed; nothing where both are off. At first as often as the suites are measured. */
export function withFollow({ follow, ...config }: RunConfig, change: Partial<FollowConfig>): RunConfig {
  const next: FollowConfig = { every: config.evaluateEvery, states: false, outputs: false, ...follow, ...change };
  return next.states || next.outputs ? { ...config, follow: next } : config;
}

/** Seconds of a measurement in the latest run that followed the same. */
function lastSeconds({ states, outputs }: FollowConfig, timed: readonly LabRun[]): number | undefined {
  const run = timed.findLast(({ config: { follow }, followed }) => followed.length > 0 && follow?.states === states && follow.outputs === outputs);
  return run?.followed.at(-1)?.seconds;
}

/** "10 measurements of 1,024 out-of-domain tokens at most: about 3 s here, 5% of the run." Timed on this adapter, or known from an earlier run; else it says that it is not. @param timed runs whose times are those of this machine */
export function followCost({ follow, steps }: RunConfig, estimate: Estimate | undefined, timed: readonly LabRun[]): string {
  if (follow === undefined || !(follow.every >= 1)) return '';
  const measurements = Math.ceil(steps / follow.every);
  const work = `${formatCounted(measurements, 'measurement')} of at most ${formatCount(1024)} out-of-domain tokens, one pass forward each`;
  const unit = lastSeconds(follow, timed);
  const seconds = estimate?.follow?.measurements === measurements && estimate.follow.seconds !== undefined ? estimate.follow.seconds : unit === undefined ? undefined : unit * measurements;
  if (seconds === undefined) return `${work}. The time is not known before it has been tried here.`;
  const share = estimate?.seconds === undefined ? '' : seconds < 0.01 * estimate.seconds ? ', under 1% of the run' : `, ${formatShare(seconds / estimate.seconds)} of the run`;
  return `${work}: ${formatAbout(seconds)} here${share}.`;
}
