import { describe, expect, it } from 'vitest';
import type { MethodId, PenaltyId } from '../../worker/protocol.ts';
import { defaultConfig, usualConfig } from '../method/defaults.ts';
import { pickSettings, type MethodSettings } from '../method/methodSettings.ts';
import { countedRuns, groupRuns, isComparable, settingsKey, type KeptRun } from './groups.ts';
import { settingsTable, sharedSentence } from './settings.ts';
import { newConfigs, parseList, sweepConfigs } from './sweep.ts';
import { runOf } from './testing.ts';

const points = [[0, 0.9], [0.5, 0.8]] as const;
const keptOf = (change: Partial<KeptRun>): KeptRun => ({ notes: { tags: [], pinned: false }, environment: { adapter: 'A', browser: 'B', dataHashes: {} }, bytes: 1, hasWeights: true, ...change });

describe('groupRuns', () => {
  it('puts seeds of one setting together and names groups by what differs', () => {
    const runs = [runOf({ lambda: 1, seed: 1 }, points), runOf({ lambda: 10, seed: 1 }, points), runOf({ lambda: 1, seed: 2 }, points)];
    const groups = groupRuns(runs);
    expect(groups.map(({ name, runs: { length } }) => [name, length])).toEqual([['RPSFT λ 1', 2], ['RPSFT λ 10', 1]]);
  });

  it('does not tell runs apart by settings that their method does not use', () => {
    expect(settingsKey({ ...defaultConfig, method: 'sft', lambda: 1, rankFraction: 0.1 })).toBe(settingsKey({ ...defaultConfig, method: 'sft', lambda: 2, rankFraction: 0.2 }));
    expect(settingsKey({ ...defaultConfig, lambda: 1 })).not.toBe(settingsKey({ ...defaultConfig, lambda: 2 }));
  });

  it('adds waiting runs to the group of their setting, or as a group of their own', () => {
    const run = runOf({ lambda: 1 }, points);
    const groups = groupRuns([run], [{ id: 'q1', config: { ...run.config, seed: 5 }, dataset: 'Demo word problems', state: 'waiting' }, { id: 'q2', config: { ...run.config, method: 'sft' }, dataset: 'Demo word problems', state: 'waiting' }]);
    expect(groups.map(({ runs, queued }) => [runs.length, queued.length])).toEqual([[1, 1], [0, 1]]);
  });

  it('takes over the name that a person gave, tags and pins', () => {
    const run = runOf({}, points);
    const [group] = groupRuns([run], [], { [run.id]: keptOf({ notes: { name: 'The good one', tags: ['paper'], pinned: true } }) });
    expect(group).toMatchObject({ name: 'The good one', tags: ['paper'], pinned: true });
  });
});

describe('countedRuns', () => {
  it('prefers finished runs to stopped ones, those to the live one, and never counts failed ones', () => {
    const finished = runOf({ seed: 1 }, points);
    const stopped = runOf({ seed: 2 }, points, { state: 'stopped' });
    const live = runOf({ seed: 3 }, points, { state: 'running' });
    const failed = runOf({ seed: 4 }, points, { state: 'failed' });
    const count = (...runs: readonly typeof finished[]): readonly number[] => countedRuns({ runs }).map(({ config }) => config.seed);
    expect(count(finished, stopped, live, failed)).toEqual([1]);
    expect(count(stopped, live, failed)).toEqual([2]);
    expect(count(live, failed)).toEqual([3]);
    expect(count(failed)).toEqual([]);
    expect(count(runOf({}, [[0, 0.9]]))).toEqual([]);
  });
});

describe('isComparable', () => {
  it('looks at model, suites and hashes, but not at the training data', () => {
    const [a, b] = [runOf({ seed: 1 }, points), runOf({ seed: 2 }, points)];
    const kept = (train: string, suite: string): KeptRun => keptOf({ environment: { adapter: 'A', browser: 'B', dataHashes: { [a.dataset]: train, 'held-out.jsonl': suite } } });
    expect(isComparable(a, b, { [a.id]: kept('1', 'x'), [b.id]: kept('2', 'x') })).toBe(true);
    expect(isComparable(a, b, { [a.id]: kept('1', 'x'), [b.id]: kept('1', 'y') })).toBe(false);
    expect(isComparable(a, b, { [a.id]: kept('1', 'x') })).toBe(true);
    expect(isComparable(a, { ...b, model: 'Another' })).toBe(false);
  });
});

describe('settingsTable', () => {
  it('has a column for each setting that differs, and a sentence for the rest', () => {
    const table = settingsTable(groupRuns([runOf({ lambda: 1 }, points), runOf({ method: 'sft' }, points)]));
    expect(table.columns).toEqual(['Method', 'λ', 'k']);
    expect(table.rows).toEqual([['RPSFT', '1', '50% of the rank'], ['SFT', undefined, undefined]]);
    expect(sharedSentence(table)).toMatch(/^The same in all: learning rate 5e-4, constant; .*model Built-in; data Demo word problems\.$/);
    expect(sharedSentence(settingsTable([]))).toBe('');
  });
});

describe('sweepConfigs', () => {
  const settings = (method: MethodId, penalty?: PenaltyId): MethodSettings => pickSettings(usualConfig(undefined, { method, penalty }));
  const sft = { settings: settings('sft'), values: {} };
  const sweep = { methods: [sft, { settings: settings('rpsft'), values: { lambda: [1, 10], rankFraction: [0.2, 0.5] } }, { settings: settings('l2sp'), values: { lambda: [0.01] } }], rates: [1e-4, 5e-4], seeds: 3 };

  it('crosses methods with their own parameters, rates and seeds, one seed of everything first', () => {
    const configs = sweepConfigs({ ...defaultConfig, seed: 4 }, sweep);
    expect(configs).toHaveLength((1 + 4 + 1) * 2 * 3);
    expect(new Set(configs.map((config) => `${settingsKey(config)} ${config.seed}`)).size).toBe(configs.length);
    expect(configs.slice(0, 12).every(({ seed }) => seed === 4)).toBe(true);
    expect(configs.at(-1)).toMatchObject({ method: 'l2sp', lambda: 0.01, learningRate: 5e-4, seed: 6 });
  });

  it('keeps the penalty beside an objective, the k of the spectrum, and nothing of the method that is edited', () => {
    const base = { ...defaultConfig, method: 'dft', penalty: 'rpsft', lambda: 7, rankFraction: 0.3 } as const;
    const configs = sweepConfigs(base, { methods: [sft, { settings: settings('kl-sft', 'l2sp'), values: { beta: [0.1, 1] } }], rates: [1e-4], seeds: 1 });
    expect(configs[0]).toMatchObject({ method: 'sft', lambda: 0, rankFraction: 0.3 });
    expect(configs[0]).not.toHaveProperty('penalty');
    expect(configs.slice(1).map(({ method, penalty, lambda, beta }) => [method, penalty, lambda, beta])).toEqual([['kl-sft', 'l2sp', 0.003, 0.1], ['kl-sft', 'l2sp', 0.003, 1]]);
  });

  it('leaves out what has been run or waits, but repeats what failed', () => {
    const configs = sweepConfigs(defaultConfig, { ...sweep, methods: [sft], rates: [5e-4], seeds: 4 });
    const [first, second, third] = configs;
    const done = { ...runOf({}, points), config: { ...first!, lambda: 7 } };
    const failed = { ...runOf({}, points, { state: 'failed' }), config: second! };
    expect(newConfigs(configs, [done, failed], [{ id: 'q', config: third!, dataset: 'Demo word problems', state: 'waiting' }]).map(({ seed }) => seed)).toEqual([2, 4]);
  });
});

describe('parseList', () => {
  it('reads values between commas, spaces or semicolons, and percent for k', () => {
    expect(parseList('1e-4, 5e-4;1e-3 1e-4', 'learningRate')).toEqual({ values: [1e-4, 5e-4, 1e-3], problem: undefined });
    expect(parseList('20 %, 50%', 'rankFraction')).toEqual({ values: [0.2, 0.5], problem: undefined });
  });

  it('says what is allowed', () => {
    expect(parseList('', 'lambda').problem).toBe('At least one value');
    expect(parseList('5, x', 'lambda').problem).toBe('Between 0 and 10,000');
    expect(parseList('2', 'learningRate').problem).toMatch(/^Between/);
  });
});
