/** @file What is said of a run: accuracies where answers can be right, losses where they cannot. */
import { describe, expect, it } from 'vitest';
import type { Evaluation } from '../worker/protocol.ts';
import { resultText, suiteLoss } from './results.ts';

const evaluation: Evaluation = {
  step: 30, heldOutLoss: 2.8714, outOfDomainLoss: Number.NaN, groups: [], inDomain: { correct: 0, items: 200, low: 0, high: 0.02 }, outOfDomain: { correct: 512, items: 642, low: 0.76, high: 0.83 },
};

describe('resultText', () => {
  it('gives accuracies', () => expect(resultText(evaluation, { inDomain: 'exact', outOfDomain: 'choice' })).toBe('in-domain 0.0%, out-of-domain 79.8%'));
  it('never claims 0% of plain text', () => expect(resultText(evaluation, { inDomain: 'perplexity', outOfDomain: 'generation' })).toBe('in-domain loss 2.871, out-of-domain 79.8%'));
  it('has a dash where a loss is not finite', () => expect(resultText(evaluation, { inDomain: 'perplexity', outOfDomain: 'perplexity' })).toBe('in-domain loss 2.871, out-of-domain loss \u2013'));
});

describe('suiteLoss', () => {
  it('takes what a recording has of NaN for NaN', () => expect(suiteLoss({ ...evaluation, heldOutLoss: null as unknown as number }, 'inDomain')).toBeNaN());
});
