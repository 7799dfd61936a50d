/** @file What a run is asked to measure of itself, and what it says that this will cost. */
import { describe, expect, it } from 'vitest';
import type { Estimate, FollowConfig } from '../../worker/protocol.ts';
import { madeUpRun } from '../charts/testing.ts';
import type { LabRun } from '../runs.ts';
import { defaultConfig } from './defaults.ts';
import { followCost, withFollow } from './follow.ts';

const config = { ...defaultConfig, steps: 100, evaluateEvery: 25 };
const states: FollowConfig = { every: 25, states: true, outputs: false };

describe('withFollow', () => {
  it('begins as often as the suites are measured, and goes when both are off', () => {
    const first = withFollow(config, { states: true });
    expect(first.follow).toEqual(states);
    const both = withFollow(withFollow(first, { every: 10 }), { outputs: true });
    expect(both.follow).toEqual({ every: 10, states: true, outputs: true });
    const off = withFollow(withFollow(both, { states: false }), { outputs: false });
    expect(off).toEqual(config);
    expect(off).not.toHaveProperty('follow');
  });
});

describe('followCost', () => {
  const followed = { ...config, follow: states };
  const work = '4 measurements of at most 1,024 out-of-domain tokens, one pass forward each';
  const estimateOf = (seconds: number | undefined, follow: NonNullable<Estimate['follow']>): Estimate => ({
    bytes: [], tokensPerStep: 1, epochs: 1, warnings: [], rank: { least: 1, most: 1, degenerate: [] }, follow, ...(seconds === undefined ? {} : { seconds }),
  });
  const timed = (follow: FollowConfig, ...seconds: readonly number[]): LabRun => ({
    ...madeUpRun({ follow }), followed: seconds.map((each, index) => ({ step: 25 * (index + 1), tokens: 1024, seconds: each })),
  });

  it('is silent where nothing is followed, or the field holds no number', () => {
    expect(followCost(config, undefined, [])).toBe('');
    expect(followCost({ ...config, follow: { ...states, every: Number.NaN } }, undefined, [])).toBe('');
  });

  it('says that it does not know a time before one was taken', () => {
    expect(followCost(followed, undefined, [])).toBe(`${work}. The time is not known before it has been tried here.`);
    expect(followCost({ ...followed, steps: 101 }, undefined, [])).toMatch(/^5 measurements /);
    expect(followCost(followed, estimateOf(200, { measurements: 4 }), [])).toContain('not known');
  });

  it('takes the time of the estimate, as a share of the run', () => {
    expect(followCost(followed, estimateOf(200, { measurements: 4, seconds: 10 }), [timed(states, 9)])).toBe(`${work}: about 10 s here, 5% of the run.`);
    expect(followCost(followed, estimateOf(2000, { measurements: 4, seconds: 10 }), [])).toBe(`${work}: about 10 s here, under 1% of the run.`);
    expect(followCost(followed, estimateOf(undefined, { measurements: 4, seconds: 10 }), [])).toBe(`${work}: about 10 s here.`);
  });

  it('takes the last measurement of the latest run that followed the same while the estimate is of another plan', () => {
    const runs = [timed(states, 7), timed(states, 1, 2), timed(states), timed({ ...states, outputs: true }, 5)];
    expect(followCost(followed, estimateOf(undefined, { measurements: 8, seconds: 10 }), runs)).toBe(`${work}: about 8 s here.`);
  });
});
