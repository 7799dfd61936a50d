import { describe, expect, it } from 'vitest';
import { phaseCount } from './phases.ts';

const decoding = { done: 4210, total: 12000, tokensPerSecond: 320, secondsLeft: 24.3 };

describe('phaseCount', () => {
  it('counts what is done, and nothing where there is one thing', () => {
    expect(phaseCount({ phase: 'train', done: 480, total: 600, unit: 'steps' })).toBe('480 of 600 steps');
    expect(phaseCount({ phase: 'save', done: 0, total: 1, unit: 'items' })).toBe('');
  });

  it('tells the tokens that are decoded meanwhile, their speed and the time left, until all are', () => {
    expect(phaseCount({ phase: 'evaluate', done: 12, total: 100, unit: 'items', decoding })).toBe('12 of 100 items; 4,210 of 12,000 tokens, 320 a second, at most 24 s left');
    expect(phaseCount({ phase: 'verify', done: 0, total: 1, unit: 'parts', decoding: { ...decoding, tokensPerSecond: 2.44, secondsLeft: undefined } })).toBe('4,210 of 12,000 tokens, 2.4 a second');
    expect(phaseCount({ phase: 'evaluate', done: 100, total: 100, unit: 'items', decoding: { ...decoding, done: 12000 } })).toBe('100 of 100 items');
  });
});
