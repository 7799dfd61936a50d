/** @file A run from its events. */
import { describe, expect, it } from 'vitest';
import type { Evaluation, LabEvent, RunSummary, StepMetrics } from '../worker/protocol.ts';
import { defaultConfig } from './method/defaults.ts';
import { applyEvents, remainingSeconds, runFromSummary, runSpeed, timedHere, type LabRun } from './runs.ts';

const summary: RunSummary = { id: 'a', config: { ...defaultConfig, steps: 300, evaluateEvery: 30, driftEvery: 30 }, state: 'preparing', model: 'm', dataset: 'd', startedAt: '2026-01-01T00:00:00Z', completedSteps: 0 };
const step = (number: number, tokensPerSecond = 100): StepMetrics => ({
  step: number, loss: 1, penalty: 0, gradientNorm: 1, learningRate: 1e-4, trainedTokens: 10, tokensPerSecond, skipped: false,
});
const steps = (...numbers: number[]): LabEvent => ({ type: 'steps', run: 'a', steps: numbers.map((number) => step(number)) });
const evaluation = (at: number): LabEvent => {
  const accuracy = { correct: 1, items: 2, low: 0, high: 1 };
  const value: Evaluation = { step: at, heldOutLoss: 1, outOfDomainLoss: 1, inDomain: accuracy, outOfDomain: accuracy, groups: [] };
  return { type: 'evaluation', run: 'a', evaluation: value };
};
const running: LabEvent = { type: 'state', run: 'a', state: 'running' };
const fresh = (): LabRun => runFromSummary(summary, 0);

describe('applyEvents', () => {
  it('adds steps, evaluations and phases up', () => {
    const run = applyEvents(fresh(), [running, evaluation(0), steps(1, 2), steps(3), { type: 'phase', run: 'a', phase: 'train', done: 3, total: 300, unit: 'steps' }], 10);
    expect(run.state).toBe('running');
    expect(run.steps.map((metrics) => metrics.step)).toEqual([1, 2, 3]);
    expect(run.evaluations.map((value) => value.step)).toEqual([0]);
    expect(run.completedSteps).toBe(3);
    expect(run.phase).toBe('train');
  });

  it('replaces what a resumed run repeats', () => {
    const crashed = applyEvents(fresh(), [running, steps(1, 2, 3, 4), evaluation(2), evaluation(4)], 10);
    const resumed = applyEvents(crashed, [steps(3), steps(4, 5), evaluation(4)], 20);
    expect(resumed.steps.map((metrics) => metrics.step)).toEqual([1, 2, 3, 4, 5]);
    expect(resumed.evaluations.map((value) => value.step)).toEqual([2, 4]);
  });

  it('has what is known of its bases, which a resumed run reads again', () => {
    const decomposed = (from: 'decomposed' | 'kept'): LabEvent => ({ type: 'decomposed', run: 'a', decomposition: { matrices: 36, from, seconds: 1, notes: [] } });
    const run = applyEvents(fresh(), [decomposed('decomposed'), running, steps(1)], 10);
    expect(run.decomposition).toMatchObject({ from: 'decomposed', matrices: 36 });
    expect(applyEvents(run, [decomposed('kept')], 20).decomposition).toMatchObject({ from: 'kept' });
  });

  it('keeps the place of a phase that reports again', () => {
    const phase = (id: 'train' | 'evaluate', done: number): LabEvent => ({ type: 'phase', run: 'a', phase: id, done, total: 10, unit: 'steps' });
    const run = applyEvents(fresh(), [phase('train', 1), phase('evaluate', 10), phase('train', 2)], 10);
    expect(run.phases.map((progress) => [progress.phase, progress.done])).toEqual([['train', 2], ['evaluate', 10]]);
    expect(run.phase).toBe('train');
  });

  it('keeps the reason of a failure', () => {
    const run = applyEvents(fresh(), [{ type: 'state', run: 'a', state: 'failed', message: 'The device was lost.' }], 10);
    expect(run.message).toBe('The device was lost.');
  });
});

it('was timed here unless it was recorded or is kept from another adapter', () => {
  const runs = ['live', 'own', 'brought', 'recorded'].map((id): LabRun => ({ ...fresh(), id, recorded: id === 'recorded' }));
  const on = (adapter: string) => ({ environment: { adapter, browser: 'A browser 1', dataHashes: {} } });
  expect(timedHere(runs, { own: on('Here'), brought: on('Elsewhere') }, 'Here').map(({ id }) => id)).toEqual(['live', 'own']);
});

describe('pace', () => {
  it('extrapolates from the time since the first steps', () => {
    let run = applyEvents(fresh(), [running], 0);
    run = applyEvents(run, [steps(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)], 5000);
    expect(remainingSeconds(run)).toBeUndefined();
    run = applyEvents(run, [steps(11, 12, 13, 14, 15, 16, 17, 18, 19, 20)], 6000);
    // 280 steps at 10 a second: the slow first steps, which compile, do not count.
    expect(remainingSeconds(run)).toBeCloseTo(28, 6);
  });

  it('leaves out the time of a pause', () => {
    let run = applyEvents(fresh(), [running, steps(1)], 0);
    run = applyEvents(run, [steps(2), { type: 'state', run: 'a', state: 'paused' }], 1000);
    run = applyEvents(run, [running], 61_000);
    run = applyEvents(run, [steps(3)], 62_000);
    expect(run.activeMs).toBe(2000);
    expect(remainingSeconds(run)).toBeCloseTo(297, 6);
  });

  it('says nothing of a run that has ended', () => {
    const run = applyEvents(applyEvents(fresh(), [running, steps(1)], 0), [steps(2), { type: 'state', run: 'a', state: 'finished' }], 1000);
    expect(remainingSeconds(run)).toBeUndefined();
  });

  it('averages speeds over equal work', () => {
    const run: LabRun = { ...fresh(), state: 'finished', steps: [step(1, 100), step(2, 300), step(3, Number.NaN)] };
    expect(runSpeed(run)).toBeCloseTo(150, 9);
  });
});
