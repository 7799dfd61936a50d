/** @file GRPO on the page: its name, its settings and the way back, and what is drawn of it. */
import { describe, expect, it } from 'vitest';
import { runNames } from '../charts/names.ts';
import type { Evaluation, RunConfig, StepMetrics } from '../../worker/protocol.ts';
import { madeUpRun } from '../charts/testing.ts';
import { groupRuns } from '../compare/groups.ts';
import { meanPath } from '../compare/statistics.ts';
import { runOf } from '../compare/testing.ts';
import { configForModel, defaultConfig, defaultReinforce, usualConfig } from '../method/defaults.ts';
import { checkConfig } from '../method/fields.ts';
import { readHash, writeHash } from '../method/hash.ts';
import { reinforced, supervised } from '../method/reinforce.ts';
import { configRows } from '../run/configRows.ts';
import { reinforceRun, startObstacle } from '../run/control.ts';
import { chooseMethod, initialState, startRunFrom, superviseRun, useLab, type LabState } from '../store.ts';
import { pathOf, type LabRun } from '../runs.ts';
import { accuracyCurve, lossCurve, reinforceCurve } from './curves.ts';
import { findingOf, outOfDomainAt } from './findings.ts';
import { reinforceNotice } from './reinforceNotice.ts';

const builtIn = { source: 'built-in', contextLength: 128, linears: [] } as const;
const grpo = reinforced({ ...defaultConfig, startFrom: 'run-1' }, builtIn);

describe('GRPO in the edited run', () => {
  it('is named after what it starts from', () => {
    const model = { ...grpo };
    delete (model as { startFrom?: string }).startFrom;
    expect(runNames([{ config: grpo }, { config: { ...grpo, method: 'sft', lambda: 0 } }, { config: model }])).toEqual(['GRPO from RPSFT', 'GRPO from SFT', 'GRPO']);
    expect(runNames([{ config: grpo }, { config: { ...grpo, reinforce: { ...defaultReinforce, samples: 16 } } }])).toEqual(['GRPO from RPSFT 8 answers', 'GRPO from RPSFT 16 answers']);
    expect(runNames([{ config: grpo }, { config: { ...grpo, lambda: 3 } }]), 'a penalty it does not have tells nothing apart').toEqual(['GRPO from RPSFT (1)', 'GRPO from RPSFT (2)']);
  });

  it('takes what was measured on the built-in model, and gives back what is usual', () => {
    expect(grpo).toMatchObject({ learningRate: 1e-4, steps: 100, warmupSteps: 5, reinforce: defaultReinforce });
    const back = supervised(grpo, builtIn);
    expect(back).toEqual({ ...usualConfig(builtIn, defaultConfig), startFrom: 'run-1' });
    expect(supervised(back, builtIn)).toBe(back);
  });

  it('is set up from an ended run, follows the run it starts from, and goes back', () => {
    const [rpsft, sft] = [madeUpRun(), madeUpRun({ method: 'sft', lambda: 0 })];
    const edited = (): typeof defaultConfig => useLab.getState().config;
    useLab.setState({ ...initialState, runs: [rpsft, sft] });
    reinforceRun(rpsft);
    expect(edited()).toMatchObject({ method: 'rpsft', startFrom: rpsft.id, reinforce: defaultReinforce, steps: 100 });
    startRunFrom(sft.id);
    expect(edited()).toMatchObject({ method: 'sft', startFrom: sft.id, reinforce: defaultReinforce });
    superviseRun();
    expect(edited()).not.toHaveProperty('reinforce');
    expect(edited()).toMatchObject({ startFrom: sft.id, steps: defaultConfig.steps });
    reinforceRun(rpsft);
    chooseMethod('l2sp');
    expect(edited()).not.toHaveProperty('reinforce');
    expect(edited()).toMatchObject({ method: 'l2sp', steps: defaultConfig.steps });
    useLab.setState(initialState);
  });

  it('names allowed ranges, and leaves the rows of a step alone', () => {
    expect(checkConfig({ ...grpo, batchSize: 0 })).toEqual({});
    expect(checkConfig({ ...grpo, accumulation: 257 })).toEqual({ accumulation: 'No more than the 256 answers of a step' });
    expect(checkConfig({ ...grpo, reinforce: { ...defaultReinforce, samples: 1, clipLow: 2 } })).toEqual({ samples: 'A whole number between 2 and 128', clipLow: 'Between 0 and 1' });
    expect(checkConfig({ ...grpo, maxLength: 36 })).toEqual({ maxNewTokens: 'Leaves no room for a question in a row of 36 tokens' });
  });

  it('lists its settings, not those of the method before', () => {
    const rows = new Map(configRows(grpo));
    expect([rows.get('Method'), rows.get('Answers'), rows.get('Steps'), rows.has('λ')]).toEqual(['GRPO from RPSFT', '8 answers to each of 32 questions', '100 steps of 256 answers', false]);
  });

  it('is in the address by what is not usual, without the run that it starts from', () => {
    expect(writeHash(grpo, 'compare')).toBe('tab=compare&grpo=on');
    const { startFrom: _of, ...free } = grpo;
    const set = { ...free, steps: 30, learningRate: 2e-4, reinforce: { ...defaultReinforce, samples: 4, clipHigh: 0.4, maxNewTokens: 20 } };
    const hash = writeHash({ ...set, startFrom: 'run-1' }, 'train');
    expect(new URLSearchParams(hash).get('samples')).toBe('4');
    expect(readHash(hash)).toEqual({ config: set, tab: 'train' });
    expect(readHash('grpo=on&samples=1&prompts=x').config.reinforce, 'what is out of range is as if it were not there').toEqual(defaultReinforce);
    expect(readHash('samples=4').config).toEqual(defaultConfig);
  });

  it('takes what is usual for another model, where nobody has touched it', () => {
    const other = { source: 'hub', contextLength: 2048, linears: [] } as const;
    const moved = configForModel(grpo, builtIn, other);
    expect(moved).toMatchObject({ learningRate: 4e-6, accumulation: 16, maxLength: 512, reinforce: { ...defaultReinforce, prompts: 8, maxNewTokens: 256 } });
    expect(moved).not.toHaveProperty('startFrom');
    expect(configForModel(moved, other, builtIn)).toMatchObject({ learningRate: 1e-4, accumulation: 4, reinforce: defaultReinforce });
    const touched = { ...grpo, reinforce: { ...defaultReinforce, samples: 4 } };
    expect(configForModel(touched, builtIn, other).reinforce).toEqual(touched.reinforce);
  });
});

describe('GRPO on data that it cannot learn from', () => {
  it('is not started, and the estimate says why', () => {
    const obstacle = 'No row of talk.jsonl has a gold answer.';
    const train = { trainedTokens: 9 } as LabState['datasets']['train'] & object;
    const estimate = { bytes: [], tokensPerStep: 0, epochs: 0, warnings: [], rank: { least: 1, most: 1, degenerate: [] }, obstacle };
    useLab.setState({ ...initialState, connection: 'ready', datasets: { train }, config: grpo, estimate });
    expect(startObstacle()).toBe(obstacle);
    useLab.setState({ config: defaultConfig });
    expect(startObstacle(), 'supervised it can be').toBeUndefined();
    useLab.setState(initialState);
  });
});

describe('a run of GRPO that learns nothing', () => {
  const noticeOf = (step: Partial<StepMetrics>, steps = 12, change: Partial<LabRun> = {}): string | undefined => {
    const made = { ...madeUpRun({ ...grpo, steps: 60 }, steps), ...change };
    return reinforceNotice({ ...made, steps: made.steps.map((each) => ({ ...each, reward: 0.5, mixedGroups: 0.5, ended: 1, ...step })) });
  };

  it('is told what to change', () => {
    expect(noticeOf({})).toBeUndefined();
    expect(noticeOf({ mixedGroups: 0, reward: 0 })).toBe('In the last 10 steps no group has taught anything: every answer was wrong. Start from a run that is right now and then, or sample more than 8 answers to a question.');
    expect(noticeOf({ mixedGroups: 0, reward: 0, ended: 0.25 })).toContain('75% of the answers are cut off at 36 tokens: allow longer ones. Or start from');
    expect(noticeOf({ mixedGroups: 0, reward: 1 })).toContain('every answer was right. This data has nothing left to teach');
    expect(noticeOf({ mixedGroups: 0 })).toContain('all right or all wrong');
    expect(noticeOf({ ended: 0.25 })).toBe('In the last 10 steps 75% of the answers are cut off at 36 tokens, and are judged by what they say up to there. Allow longer answers.');
  });

  it('is not judged before there is enough to see, unless it has ended', () => {
    expect(noticeOf({ mixedGroups: 0, reward: 0 }, 9)).toBeUndefined();
    expect(noticeOf({ mixedGroups: 0, reward: 0 }, 1, { state: 'stopped' })).toContain('In its last step no group has taught anything');
  });
});

describe('where a run of GRPO starts', () => {
  const sft = runOf({ method: 'sft', lambda: 0 }, [[0, 0.95], [0.4, 0.8]], { id: 'sft' });
  const start: Evaluation = { ...sft.evaluations[1]!, step: 0 };
  const { startFrom: _of, ...free } = grpo;
  const reinforceOf = (change: Partial<RunConfig>, own: Partial<LabRun> = {}): LabRun => runOf({ ...free, method: 'sft', lambda: 0, startFrom: 'sft', ...change }, [[0, 0.95], [0.6, 0.78]], { start, ...own });
  const run = reinforceOf({});

  it('begins its curves and its path, which are read against the base model', () => {
    expect(pathOf(run).map(({ step, inDomain }) => [step, inDomain.correct])).toEqual([[0, 400], [30, 600]]);
    expect(accuracyCurve({ run, name: 'GRPO', emphasis: 'current' }, 'inDomain').line.map(({ y }) => y)).toEqual([0.4, 0.6]);
    const [first, last] = meanPath([run]);
    expect([first!.gain.mean, last!.gain.mean]).toEqual([0.4, 0.6]);
    expect(first!.change.mean).toBeCloseTo(-0.15, 9);
    expect(outOfDomainAt(run, 0.5)!.share, 'halfway between its start and its end').toBeCloseTo(0.79, 9);
    expect(outOfDomainAt(run, 0.2), 'it was past this when it began').toEqual({ share: 0.8, interpolated: false });
  });

  it('is what the finding reads it against, and says so', () => {
    const { line, detail } = findingOf({ run, name: 'GRPO from SFT' }, []);
    expect(line.map((phrase) => (typeof phrase === 'string' ? phrase : phrase.strong)).join('')).toBe('Since its start: gained 20.0 points in-domain; the change out-of-domain is within its uncertainty.');
    expect(detail).toContain('against the run it starts from. Against the base model +60.0 points in-domain, −17.0 out-of-domain.');
  });

  it('names it, and seeds that go on from seeds of one setting are one group', () => {
    const other = runOf({ method: 'sft', lambda: 0, learningRate: 1e-3 }, [[0, 0.95], [0.5, 0.7]], { id: 'fast' });
    const seed = runOf({ method: 'sft', lambda: 0, seed: 2 }, [[0, 0.95], [0.4, 0.8]], { id: 'sft-2' });
    const runs = [sft, other, seed, reinforceOf({}, { id: 'a' }), reinforceOf({ startFrom: 'sft-2', seed: 2 }, { id: 'b' }), reinforceOf({ startFrom: 'fast' }, { id: 'c' })];
    expect(groupRuns(runs).map(({ name, runs: of }) => [name, of.length])).toEqual([['SFT lr 5e-4', 2], ['SFT lr 1e-3', 1], ['GRPO from SFT (lr 5e-4)', 2], ['GRPO from SFT (lr 1e-3)', 1]]);
    expect(runNames([sft, reinforceOf({}, { id: 'a' })])).toEqual(['SFT', 'GRPO from SFT']);
  });
});

describe('curves of GRPO', () => {
  const made = madeUpRun({ ...grpo, steps: 3 });
  const run = { ...made, steps: made.steps.map((step) => ({ ...step, reward: step.step / 4, answerTokens: 9, entropy: 0.5 })) };
  const drawn = { run, name: 'GRPO', emphasis: 'current' } as const;

  it('draw reward by step', () => expect(reinforceCurve(drawn, 'reward', 0, String).raw).toEqual([0.25, 0.5, 0.75].map((y, index) => ({ x: index + 1, y }))));

  it('draw what was cut off as what did not end', () => {
    const ended = { ...run, steps: run.steps.map((step) => ({ ...step, ended: 0.75 })) };
    expect(reinforceCurve({ ...drawn, run: ended }, 'cutOff', 0, String).raw!.map(({ y }) => y)).toEqual([0.25, 0.25, 0.25]);
  });

  it('draw no loss of a token', () => expect(lossCurve(drawn, 0, 'log').raw!.every(({ y }) => y === null)).toBe(true));
});
