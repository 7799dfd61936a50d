import { describe, expect, it } from 'vitest';
import { madeUpRun } from '../charts/testing.ts';
import {
  accuracyCurve,
  breaksOf,
  itemsText,
  lossCurve,
  outOfDomainAxis,
  plannedCurve,
  stepAxis,
  suiteLossAxis,
  suiteLossCurve,
  valueAxis,
  type DrawnRun,
} from './curves.ts';
import { figureSet } from './figureSet.ts';
import { plannedLearningRate, samePlan } from './plan.ts';

const drawn = (run = madeUpRun()): DrawnRun => ({ run, name: 'RPSFT', emphasis: 'current' });

describe('curves', () => {
  it('give accuracy with band, interval and counts', () => {
    const run = madeUpRun();
    const curve = accuracyCurve(drawn(run), 'outOfDomain');
    expect(curve.line).toHaveLength(run.evaluations.length);
    expect(curve.line[0]).toMatchObject({ x: 0, low: run.evaluations[0]!.outOfDomain.low });
    expect(curve.detail?.(30)).toMatch(/^\d+\.\d–\d+\.\d%$/);
    expect(curve.detail?.(31)).toBe('');
    expect(itemsText([run], 'inDomain')).toBe('100–200');
  });

  it('turn a step that was not finite into a gap with its reason', () => {
    const run = madeUpRun({}, 60);
    const steps = run.steps.map((step) =>
      step.step === 31 || step.step === 32 ? { ...step, loss: NaN, skipped: true } : step.step === 40 ? { ...step, loss: Infinity } : step,
    );
    expect(breaksOf(steps, 'gradientNorm')).toEqual([{ from: 31, to: 32, short: 'skipped', reason: 'steps 31–32: updates skipped' }]);
    expect(breaksOf(steps, 'loss')).toEqual([
      { from: 31, to: 32, short: 'NaN', reason: 'steps 31–32: NaN, updates skipped' },
      { from: 40, to: 40, short: 'infinite', reason: 'step 40: infinite' },
    ]);
    const curve = lossCurve(drawn({ ...run, steps }), 0.9, 'log');
    expect(curve.line.filter(({ y }) => y === null).map(({ x }) => x)).toEqual([31, 32, 40]);
  });

  it('give the loss of a suite, with a gap where it is not finite', () => {
    const run = madeUpRun();
    const evaluations = run.evaluations.map((evaluation, index) => ({ ...evaluation, outOfDomainLoss: index === 1 ? Number.NaN : 2 + index / 100 }));
    const curve = suiteLossCurve(drawn({ ...run, evaluations }), 'outOfDomain');
    expect(curve.line.slice(0, 3).map(({ y }) => y)).toEqual([2, null, 2.02]);
    expect([curve.detail?.(0), curve.detail?.(30)]).toEqual(['perplexity 7.39', '']);
    expect(suiteLossAxis([curve]).domain[0]).toBeGreaterThan(0);
  });

  it('draw held-out loss from the first evaluation of the run on', () => {
    expect(lossCurve(drawn(), 0.9, 'log').rings?.[0]?.x).toBe(30);
  });
});

describe('axes', () => {
  it('start out-of-domain accuracy at a ten below everything drawn', () => {
    expect(outOfDomainAxis(0.632).domain).toEqual([0.6, 1]);
    expect(outOfDomainAxis(0.04).domain).toEqual([0, 1]);
    expect(outOfDomainAxis(0.94).domain).toEqual([0.8, 1]);
    expect(outOfDomainAxis(0.6).ticks).toEqual([0.6, 0.7, 0.8, 0.9, 1]);
  });

  it('hold all values of all runs', () => {
    const series = [lossCurve(drawn(), 0.9, 'log'), lossCurve(drawn(madeUpRun({ method: 'sft' })), 0.9, 'log')];
    const { domain } = valueAxis(series, 'log', 6, String);
    const values = series.flatMap(({ raw = [] }) => raw.flatMap(({ y }) => (y === null ? [] : [y])));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(domain[0]);
    expect(Math.max(...values)).toBeLessThanOrEqual(domain[1]);
  });

  it('end with the longest run', () => {
    const { end, now } = figureSet([madeUpRun({ steps: 600 }, 120), madeUpRun({ seed: 2 }, 120)], madeUpRun().config, false);
    expect(end).toBe(600);
    expect(stepAxis(end, 6).domain).toEqual([0, 600]);
    expect(now).toEqual({ value: 120, label: 'now' });
  });

  it('say "paused" for a paused run, and nothing for a finished one', () => {
    const { config } = madeUpRun();
    expect(figureSet([{ ...madeUpRun({}, 120), state: 'paused' }], config, false).now?.label).toBe('paused');
    expect(figureSet([madeUpRun()], config, false).now).toBeUndefined();
  });
});

describe('the plan', () => {
  const { config } = madeUpRun({ learningRate: 1, warmupSteps: 10, steps: 110 });
  it('warms up and then follows the schedule', () => {
    expect(plannedLearningRate(config, 5)).toBe(0.5);
    expect(plannedLearningRate(config, 110)).toBe(1);
    expect(plannedLearningRate({ ...config, schedule: 'linear' }, 60)).toBe(0.5);
    expect(plannedLearningRate({ ...config, schedule: 'cosine' }, 60)).toBeCloseTo(0.5, 12);
    expect(plannedLearningRate({ ...config, schedule: 'cosine', warmupSteps: 0 }, 110)).toBeCloseTo(0, 12);
    expect(plannedCurve(config)).toHaveLength(110);
  });

  it('is the same for the same rate, schedule and warm-up', () => {
    expect(samePlan(config, { ...config, steps: 200 })).toBe(true);
    expect(samePlan({ ...config, schedule: 'linear' }, { ...config, schedule: 'linear', steps: 200 })).toBe(false);
    expect(samePlan(config, { ...config, learningRate: 2 })).toBe(false);
  });
});

describe('before the first evaluation', () => {
  const waiting = (change: Partial<ReturnType<typeof madeUpRun>>): string =>
    figureSet([{ ...madeUpRun({}, 0), ...change }], madeUpRun().config, false).waiting;
  it('says what has to be done first, with its count', () => {
    expect(
      waiting({ state: 'preparing', phase: 'decompose', phases: [{ phase: 'decompose', done: 12, total: 29, unit: 'matrices' }] }),
    ).toBe('Decomposing matrices first: 12 of 29');
    expect(
      waiting({ state: 'preparing', phase: 'read-bases', phases: [{ phase: 'read-bases', done: 12, total: 29, unit: 'matrices' }] }),
    ).toBe('Reading kept bases first: 12 of 29');
    expect(
      waiting({ state: 'preparing', phase: 'evaluate-base', phases: [{ phase: 'evaluate-base', done: 120, total: 844, unit: 'items' }] }),
    ).toBe('Measuring the base model: 120 of 844 items');
  });

  it('says when it will be', () => {
    expect(waiting({})).toBe('First evaluation at step 30');
    expect(figureSet([], { ...madeUpRun().config, steps: 20 }, false).waiting).toBe('First evaluation at step 20');
  });
});
