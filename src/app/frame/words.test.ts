/** @file What stations, phases, the diagnosis and the live region say. */
import { describe, expect, it } from 'vitest';
import type { Evaluation, LabEvent } from '../../worker/protocol.ts';
import { defaultConfig } from '../method/defaults.ts';
import { headline, partChecks } from '../noGpu/diagnosis.ts';
import { phaseCount, phaseLines } from '../run/phases.ts';
import { runResult } from '../run/RunList.tsx';
import { whatIsDiscarded } from '../run/StopButtons.tsx';
import { applyEvents, runFromSummary, type LabRun } from '../runs.ts';
import { initialState, type LabState } from '../store.ts';
import { milestones, modelMilestones } from './milestones.ts';
import { problemPlaces, stationState } from './stationState.ts';

const fresh = runFromSummary({ id: 'a', config: defaultConfig, state: 'preparing', model: 'm', dataset: 'd', startedAt: '', completedSteps: 0 }, 0);
const phase = (id: 'weights' | 'train' | 'evaluate', done: number, total: number): LabEvent => ({ type: 'phase', run: 'a', phase: id, done, total, unit: id === 'weights' ? 'bytes' : 'steps' });
const evaluation: Evaluation = {
  step: 30, heldOutLoss: 1, outOfDomainLoss: 1, groups: [], inDomain: { correct: 158, items: 200, low: 0.73, high: 0.84 }, outOfDomain: { correct: 512, items: 642, low: 0.76, high: 0.83 },
};
const trained: LabRun = applyEvents(
  { ...fresh, state: 'running' },
  [phase('weights', 3_400_000, 3_400_000), { type: 'evaluation', run: 'a', evaluation }, phase('train', 48, 300)],
  0,
);
const training: LabRun = { ...trained, completedSteps: 48 };

describe('phases', () => {
  it('lists what is done, what goes on and what is to come', () =>
    expect(phaseLines(training).map(({ name, state, count }) => `${state} ${name} ${count}`)).toEqual([
      'done Load weights 3.4 of 3.4 MB', 'now Train 48 of 300 steps', 'todo Evaluate next at step 80', 'todo Save ',
    ]));
  it('names both units when they differ', () => expect(phaseCount({ phase: 'weights', done: 900, total: 3_400_000, unit: 'bytes' })).toBe('900 B of 3.4 MB'));
  it('shows nothing as going on after the end', () => expect(phaseLines({ ...training, state: 'stopped' }).some(({ state }) => state === 'now')).toBe(false));
});

describe('milestones', () => {
  it('tells of a phase and of both accuracies, once', () => {
    expect(milestones(fresh, training)).toEqual(['Train.', 'Step 30: in-domain 79.0%, out-of-domain 79.8%.']);
    expect(milestones(training, training)).toEqual([]);
  });
  it('tells of the end with its reason', () =>
    expect(milestones(training, { ...training, state: 'failed', message: 'The device was lost.' })).toEqual(['RPSFT failed at step 48. The device was lost.']));
  it('tells of a model that is being opened', () => {
    const opening = (id: 'download' | 'verify', done: number): LabState['opening'] => ({ origin: { kind: 'built-in' }, precision: 'f32', cancelling: false, progress: { phase: id, done, total: 10, unit: 'bytes' } });
    const before = { ...initialState, opening: opening('download', 1) };
    expect(modelMilestones(initialState, before)).toEqual(['Downloading.']);
    expect(modelMilestones(before, { ...before, opening: opening('download', 2) })).toEqual([]);
    expect(modelMilestones(before, { ...before, opening: undefined, modelNotice: 'Cancelled.' })).toEqual(['Cancelled.']);
  });
  it('says nothing of a recorded run', () => expect(milestones(undefined, { ...training, recorded: true })).toEqual([]));
});

describe('stations', () => {
  const state = (change: Partial<LabState>): LabState => ({ ...initialState, connection: 'ready', ...change });
  it('say that a method does not go with adapters', () => {
    const lora = { rank: 8, alpha: 16, targets: ['q_proj'], rsLora: false };
    expect(stationState('method', state({ config: { ...defaultConfig, method: 'projection', lora } }))).toMatchObject({ ring: 'error', summary: 'Gradient projection', detail: 'Needs all weights' });
    expect(stationState('method', state({ config: { ...defaultConfig, method: 'dft', penalty: 'rpsft' } }))).toMatchObject({ summary: 'DFT + RPSFT', detail: 'λ 10, k 50%, lr 5e-4' });
  });
  it('sum up the next run', () => {
    expect(stationState('method', state({}))).toEqual({ ring: 'ready', summary: 'RPSFT', detail: 'λ 10, k 50%, lr 5e-4' });
    expect(stationState('run', state({}))).toEqual({ ring: 'empty', summary: 'Not started', detail: '400 steps' });
  });
  it('follow the live run', () => expect(stationState('run', state({ runs: [training] }))).toEqual({ ring: 'live', summary: 'Training', detail: 'Step 48 of 400' }));
  it('are not available without an adapter', () => expect(stationState('run', state({ connection: 'unavailable' })).ring).toBe('off'));
  it('count problems where they are', () => {
    expect(problemPlaces(state({}))).toEqual([]);
    expect(problemPlaces(state({ config: { ...defaultConfig, steps: 0, lambda: -1 }, runProblem: 'No.' }))).toEqual([{ station: 'method', count: 2 }, { station: 'run', count: 1 }]);
  });
});

describe('runs in the list', () => {
  it('say how far they got and what they reached', () => {
    expect(runResult({ ...training, state: 'finished' })).toBe('in-domain 79.0%, out-of-domain 79.8%');
    expect(runResult(training)).toBe('running at step 48, in-domain 79.0%, out-of-domain 79.8%');
    expect(whatIsDiscarded(training)).toBe('48 steps and 1 evaluation');
    expect(whatIsDiscarded(fresh)).toBe('0 steps');
  });
});

describe('diagnosis', () => {
  it('says what is there, what is missing, and what cannot be known', () => {
    const problem = { code: 'no-adapter', message: 'No adapter.' } as const;
    expect(headline(problem)).toBe('This browser has no graphics adapter to train on.');
    expect(partChecks({ problem, report: '' }).map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
      'navigator.gpu ok', 'Adapter bad', 'Limits unknown', 'Device unknown', 'shader-f16 unknown',
    ]);
  });
  it('names the adapter that is too small', () => {
    const adapter = { name: 'Small', software: false, features: [], limits: { maxStorageBufferBindingSize: 1_048_576 } };
    const checks = partChecks({ problem: { code: 'limits-too-small', message: '' }, adapter, report: '' });
    expect(checks.map(({ finding }) => finding)).toEqual(['present', 'Small', 'too small for the built-in model', 'not known without it', '1 MiB', 'missing; optional, f32 works without']);
  });
});
