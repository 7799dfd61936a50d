/** @file Settings in the address. */
import { describe, expect, it } from 'vitest';
import { defaultConfig } from './defaults.ts';
import { readHash, writeHash } from './hash.ts';

describe('the address', () => {
  it('is empty for the defaults', () => expect(writeHash(defaultConfig, 'train')).toBe(''));

  it('brings back what was set', () => {
    const config = { ...defaultConfig, method: 'l2sp', lambda: 0.01, learningRate: 3e-4, schedule: 'cosine', steps: 600, seed: 7 } as const;
    const hash = writeHash(config, 'spectrum');
    expect(hash).toBe('tab=spectrum&method=l2sp&schedule=cosine&lambda=0.01&learningRate=0.0003&steps=600&seed=7');
    expect(readHash(`#${hash}`)).toEqual({ config, tab: 'spectrum' });
  });

  it('takes the strength that is usual for its method', () => expect(readHash('#method=l2sp').config.lambda).toBe(0.003));

  it('ignores what it does not understand', () =>
    expect(readHash('#method=magic&steps=-3&tab=compare&learningRate=abc&schedule=&main')).toEqual({ config: defaultConfig, tab: 'train' }));
});
