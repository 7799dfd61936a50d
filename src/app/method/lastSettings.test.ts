/** @file Settings from one visit to the next: those of the model that was open, unless the address asks for others. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { builtIn, openedModel } from '../model/testing.ts';
import { editConfig, initialState, useLab } from '../store.ts';
import { defaultConfig } from './defaults.ts';

const kept = new Map<string, string>();
vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) });

/** The page as it is opened with an address; the module reads it when it is loaded. */
async function visit(hash: string, model = builtIn): Promise<void> {
  vi.resetModules();
  vi.stubGlobal('location', { hash });
  const left = [...kept];
  useLab.setState({ ...initialState, model }, true);
  // The page that was left follows the store of this one; it is not there any more.
  kept.clear();
  for (const [key, value] of left) kept.set(key, value);
  vi.doMock('../store.ts', () => ({ useLab, tabIds: ['train'] }));
  const { restoreSettings } = await import('./lastSettings.ts');
  restoreSettings();
}

const steps = (): number => useLab.getState().config.steps;

beforeEach(() => kept.clear());

describe('the settings of the last visit', () => {
  it('come back, with what was set of other methods', async () => {
    await visit('');
    editConfig({ steps: 77, weightDecay: 0.02 });
    useLab.setState({ memory: { sft: { ...defaultConfig, method: 'sft' } } });
    editConfig({ seed: 5 });
    await visit('');
    expect(useLab.getState().config).toMatchObject({ steps: 77, weightDecay: 0.02, seed: 5 });
    expect(Object.keys(useLab.getState().memory)).toEqual(['sft']);
  });

  it('give way to an address that asks for others, not to their own', async () => {
    await visit('');
    editConfig({ steps: 77 });
    await visit('#steps=90');
    expect(steps()).toBe(defaultConfig.steps);
    await visit('#steps=77');
    expect(steps()).toBe(77);
  });

  it('are those of their model, and start from no run that is gone', async () => {
    await visit('');
    editConfig({ steps: 77, startFrom: 'gone' });
    await visit('', openedModel('Other', 'files', 'f32'));
    expect(steps()).toBe(defaultConfig.steps);
    await visit('');
    expect(steps()).toBe(77);
    expect(useLab.getState().config).not.toHaveProperty('startFrom');
  });

  it('are left where they cannot be read or are out of range now', async () => {
    for (const text of ['{', '{"model":1}', JSON.stringify({ model: 'built-in Built-in model ', config: { ...defaultConfig, steps: -3 }, memory: {}, lora: {} })]) {
      kept.set('gimbal.settings', text);
      await visit('');
      expect(steps()).toBe(defaultConfig.steps);
    }
  });
});
