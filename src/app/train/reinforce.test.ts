/** @file GRPO on the page: its name, its settings and the way back, and what is drawn of it. */
import { describe, expect, it } from 'vitest';
import { runNames } from '../charts/names.ts';
import { madeUpRun } from '../charts/testing.ts';
import { defaultConfig, usualConfig } from '../method/defaults.ts';
import { checkConfig } from '../method/fields.ts';
import { writeHash } from '../method/hash.ts';
import { defaultReinforce, reinforced, supervised } from '../method/reinforce.ts';
import { configRows } from '../run/configRows.ts';
import { reinforceRun } from '../run/control.ts';
import { chooseMethod, initialState, startRunFrom, superviseRun, useLab } from '../store.ts';
import { lossCurve, reinforceCurve } from './curves.ts';

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
    expect(grpo).toMatchObject({ learningRate: 1e-4, steps: 60, warmupSteps: 5, reinforce: defaultReinforce });
    const back = supervised(grpo, builtIn);
    expect(back).toEqual({ ...usualConfig(builtIn, defaultConfig), startFrom: 'run-1' });
    expect(supervised(back, builtIn)).toBe(back);
  });

  it('is set up from an ended run, follows the run it starts from, and goes back', () => {
    const [rpsft, sft] = [madeUpRun(), madeUpRun({ method: 'sft', lambda: 0 })];
    const edited = (): typeof defaultConfig => useLab.getState().config;
    useLab.setState({ ...initialState, runs: [rpsft, sft] });
    reinforceRun(rpsft);
    expect(edited()).toMatchObject({ method: 'rpsft', startFrom: rpsft.id, reinforce: defaultReinforce, steps: 60 });
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
    expect(checkConfig({ ...grpo, accumulation: 65 })).toEqual({ accumulation: 'No more than the 64 answers of a step' });
    expect(checkConfig({ ...grpo, reinforce: { ...defaultReinforce, samples: 1, clipLow: 2 } })).toEqual({ samples: 'A whole number between 2 and 128', clipLow: 'Between 0 and 1' });
  });

  it('lists its settings, not those of the method before, and stays out of the address', () => {
    const rows = new Map(configRows(grpo));
    expect([rows.get('Method'), rows.get('Answers'), rows.get('Steps'), rows.has('λ')]).toEqual(['GRPO from RPSFT', '8 answers to each of 8 questions', '60 steps of 64 answers', false]);
    expect(writeHash(grpo, 'compare')).toBe('tab=compare');
  });
});

describe('curves of GRPO', () => {
  const made = madeUpRun({ ...grpo, steps: 3 });
  const run = { ...made, steps: made.steps.map((step) => ({ ...step, reward: step.step / 4, answerTokens: 9, entropy: 0.5 })) };
  const drawn = { run, name: 'GRPO', emphasis: 'current' } as const;

  it('draw reward by step', () => expect(reinforceCurve(drawn, 'reward', 0, String).raw).toEqual([0.25, 0.5, 0.75].map((y, index) => ({ x: index + 1, y }))));

  it('draw no loss of a token', () => expect(lossCurve(drawn, 0, 'log').raw!.every(({ y }) => y === null)).toBe(true));
});
