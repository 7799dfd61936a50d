/** @file Settings in the address. */
import { describe, expect, it } from 'vitest';
import { defaultConfig, defaultLora } from './defaults.ts';
import { readHash, writeHash } from './hash.ts';

describe('the address', () => {
  it('is empty for the defaults', () => expect(writeHash(defaultConfig, 'train')).toBe(''));

  it('brings back what was set', () => {
    const config = { ...defaultConfig, method: 'l2sp', lambda: 0.01, learningRate: 3e-4, schedule: 'cosine', steps: 600, seed: 7 } as const;
    const hash = writeHash(config, 'spectrum');
    expect(hash).toBe('tab=spectrum&method=l2sp&schedule=cosine&lambda=0.01&learningRate=0.0003&steps=600&seed=7');
    expect(readHash(`#${hash}`)).toEqual({ config, tab: 'spectrum' });
  });

  it('keeps adapters and recomputation', () => {
    const lora = { rank: 8, alpha: 16, targets: ['q_proj', 'v_proj'], rsLora: true };
    const config = { ...defaultConfig, lora, learningRate: 1e-3, recompute: true };
    const hash = writeHash(config, 'train', ['q_proj', 'k_proj']);
    expect(hash).toBe('lora=8&alpha=16&targets=q_proj+v_proj&rslora=on&recompute=on');
    expect(readHash(hash).config).toEqual(config);
  });

  it('leaves the layers out that are usual for the model', () => {
    const config = { ...defaultConfig, lora: { ...defaultLora, targets: ['q_proj'] }, learningRate: 1e-3 };
    expect(writeHash(config, 'train', ['q_proj'])).toBe('lora=16');
    expect(readHash('#lora=16').config.lora).toEqual(defaultLora);
  });

  it('never names a run, which another page does not have', () => expect(writeHash({ ...defaultConfig, startFrom: 'run-1' }, 'train')).toBe(''));

  it('has no adapters where the rank is out of range', () => expect(readHash('#lora=0').config).toEqual(defaultConfig));

  it('takes the strength that is usual for its method', () => expect(readHash('#method=l2sp').config.lambda).toBe(0.003));

  it('ignores what it does not understand', () =>
    expect(readHash('#method=magic&steps=-3&tab=compare&learningRate=abc&schedule=&main')).toEqual({ config: defaultConfig, tab: 'train' }));
});
