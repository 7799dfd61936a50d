/** @file What may be typed into the fields of a run, and what is said when it may not. */
import { describe, expect, it } from 'vitest';
import { defaultConfig } from './defaults.ts';
import { allowedRange, checkConfig, numberFields, readNumber } from './fields.ts';

describe('readNumber', () => {
  it.each([
    ['3e-4', numberFields.learningRate, 3e-4],
    ['0,5', numberFields.lambda, 0.5],
    ['50%', numberFields.rankFraction, 0.5],
    ['50', numberFields.rankFraction, 0.5],
    ['\u22121', numberFields.lambda, -1],
  ])('reads %s', (text, field, value) => expect(readNumber(text, field)).toBeCloseTo(value, 12));

  it.each(['', '  ', 'ten', '1 2'])('does not guess at "%s"', (text) => expect(readNumber(text, numberFields.lambda)).toBeNaN());

  it('reads back what it writes', () => {
    for (const key of ['learningRate', 'rankFraction', 'lambda', 'epsilon', 'beta2', 'steps'] as const) {
      const field = numberFields[key];
      expect(readNumber(field.write(defaultConfig[key]), field)).toBeCloseTo(defaultConfig[key], 12);
    }
  });
});

describe('checkConfig', () => {
  it('accepts the defaults', () => expect(checkConfig(defaultConfig, 128)).toEqual({}));

  it('names the allowed range', () => {
    expect(checkConfig({ ...defaultConfig, learningRate: 3e4 })).toEqual({ learningRate: 'Between 1e-7 and 0.1' });
    expect(checkConfig({ ...defaultConfig, steps: 2.5 })).toEqual({ steps: 'A whole number between 1 and 100,000' });
    expect(checkConfig({ ...defaultConfig, lambda: Number.NaN })).toEqual({ lambda: 'Between 0 and 10,000' });
    expect(allowedRange(numberFields.rankFraction)).toBe('Between 1% and 100%');
  });

  it('checks what depends on another field', () => {
    expect(checkConfig({ ...defaultConfig, accumulation: 3 })).toEqual({ accumulation: 'Must divide the 16 rows a step' });
    expect(checkConfig({ ...defaultConfig, warmupSteps: 401 })).toEqual({ warmupSteps: 'No more than the 400 steps of the run' });
    expect(checkConfig({ ...defaultConfig, maxLength: 256 }, 128)).toEqual({ maxLength: 'The model reads at most 128 tokens' });
  });

  it('checks adapters where there are some', () => {
    const lora = { rank: 0, alpha: Number.NaN, targets: [], rsLora: false };
    expect(checkConfig({ ...defaultConfig, lora })).toEqual({ loraRank: 'A whole number between 1 and 512', loraAlpha: 'Between 0.001 and 4,096', loraTargets: 'LoRA needs at least one layer to adapt' });
    expect(checkConfig({ ...defaultConfig, lora: { rank: 8, alpha: 16, targets: ['q_proj'], rsLora: false } })).toEqual({});
  });

  it('asks for all weights where the method needs them', () => {
    const lora = { rank: 8, alpha: 16, targets: ['q_proj'], rsLora: false };
    expect(checkConfig({ ...defaultConfig, method: 'projection', lora })).toEqual({ method: 'Gradient projection trains all weights only' });
    expect(checkConfig({ ...defaultConfig, method: 'projection' })).toEqual({});
  });

  it('leaves alone what the method does not use', () => {
    expect(checkConfig({ ...defaultConfig, method: 'sft', lambda: Number.NaN, rankFraction: 2 })).toEqual({});
    expect(checkConfig({ ...defaultConfig, method: 'l2sp', rankFraction: 2 })).toEqual({});
    expect(checkConfig({ ...defaultConfig, tau: 99, beta: Number.NaN })).toEqual({});
    expect(checkConfig({ ...defaultConfig, method: 'iw-sft', tau: 99, lambda: Number.NaN })).toEqual({ tau: 'Between 0 and 10' });
    expect(checkConfig({ ...defaultConfig, method: 'kl-sft', penalty: 'rpsft', lambda: -1 })).toEqual({ lambda: 'Between 0 and 10,000' });
  });
});
