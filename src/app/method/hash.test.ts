/** @file Settings in the address. */
import { describe, expect, it } from 'vitest';
import { METHODS } from '../../worker/methods.ts';
import type { RunConfig } from '../../worker/protocol.ts';
import { defaultConfig, defaultLora, usualConfig } from './defaults.ts';
import { readHash, writeHash } from './hash.ts';
import { numbersOf } from './methodSettings.ts';

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

  it('keeps what each method takes, and the penalty beside it', () => {
    for (const { id } of METHODS) {
      const numbers = numbersOf({ method: id, lambda: 0 }).map((parameter) => [parameter.id, parameter.id === 'rankFraction' ? 0.3 : 0.7] as const);
      const config: RunConfig = { ...usualConfig(undefined, { method: id }), ...Object.fromEntries(numbers), throughScale: id === 'iw-sft' };
      expect(readHash(writeHash(config, 'train')).config, id).toEqual(config);
    }
    const held: RunConfig = { ...usualConfig(undefined, { method: 'dft', penalty: 'rpsft' }), lambda: 3 };
    expect(writeHash(held, 'train')).toBe('method=dft&penalty=rpsft&lambda=3');
    expect(readHash('#method=dft&penalty=rpsft&lambda=3').config).toEqual(held);
  });

  it('has no penalty where it would mean nothing', () => {
    for (const hash of ['#method=sft&penalty=rpsft', '#method=dft&penalty=magic', '#method=l2sp&penalty=rpsft']) expect(readHash(hash).config, hash).not.toHaveProperty('penalty');
    expect(readHash('#method=sft&lambda=3&tau=2').config).toEqual(usualConfig(undefined, { method: 'sft' }));
  });

  it('keeps the k of the spectrum of every method', () => expect(readHash('#method=sft&rankFraction=0.25').config.rankFraction).toBe(0.25));

  it('leaves the layers out that are usual for the model', () => {
    const config = { ...defaultConfig, lora: { ...defaultLora, targets: ['q_proj'] }, learningRate: 1e-3 };
    expect(writeHash(config, 'train', ['q_proj'])).toBe('lora=16');
    expect(readHash('#lora=16').config.lora).toEqual(defaultLora);
  });

  it('never names a run, which another page does not have', () => expect(writeHash({ ...defaultConfig, startFrom: 'run-1' }, 'train')).toBe(''));

  it('has no adapters where the rank is out of range', () => expect(readHash('#lora=0').config).toEqual(defaultConfig));

  it('takes the strength that is usual for its method', () => expect(readHash('#method=l2sp').config.lambda).toBe(0.003));

  it('ignores what it does not understand', () =>
    expect(readHash('#method=magic&steps=-3&tab=magic&learningRate=abc&schedule=&main')).toEqual({ config: defaultConfig, tab: 'train' }));
});
