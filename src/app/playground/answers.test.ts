/** @file Streams, marks and verdicts of the playground. */
import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../worker/protocol.ts';
import { expectedAnswer, isRight, marksAgainst, meanProbability, withStream, type Answer } from './answers.ts';

const answer = (ids: readonly number[]): Answer => ({
  column: 'base', name: 'Base model', ended: 'end', tokens: ids.map((id) => ({ id, text: ` ${id}`, probability: 0.5 })),
});

const streaming = (complete: Answer): Answer => ({ ...complete, ended: undefined });

describe('withStream', () => {
  it('sorts events into their columns', () => {
    const events: StreamEvent[] = [
      { type: 'token', column: 0, id: 1, text: 'a', probability: 1 },
      { type: 'token', column: 1, id: 2, text: 'b', probability: 0.5 },
      { type: 'progress', column: 1, progress: { done: 4, total: 9, tokensPerSecond: 2, secondsLeft: 2.5 } },
      { type: 'done', column: 0, reason: 'end' },
    ];
    const [first, second] = withStream([streaming(answer([])), streaming(answer([]))], events);
    expect(first).toMatchObject({ tokens: [{ id: 1 }], ended: 'end' });
    expect(second).toMatchObject({ tokens: [{ id: 2 }], progress: { done: 4, total: 9 }, ended: undefined });
  });
});

describe('marksAgainst', () => {
  it('tells the first token that differs from later ones', () => expect(marksAgainst(answer([1, 9, 3, 9]), answer([1, 2, 3, 4]))).toEqual(['same', 'first', 'same', 'later']));
  it('marks what goes beyond the end of the reference', () => expect(marksAgainst(answer([1, 2]), answer([1]))).toEqual(['same', 'first']));
  it('waits for a reference that still streams', () => expect(marksAgainst(answer([1, 2]), streaming(answer([1])))).toEqual(['same', 'same']));
});

describe('isRight', () => {
  const said = (text: string): Answer => ({ ...answer([]), tokens: [{ id: 1, text, probability: 1 }] });
  it.each([
    ['blue', 'blue', true],
    [' Blue.', 'blue', true],
    ['49 + 20 = 69 #### 69', '9 + 60 = 69 #### 69', true],
    ['49 + 20 = 69 #### 68', '#### 69', false],
    ['red', 'blue', false],
  ])('%s for %s', (text, expected, right) => expect(isRight(said(text), { role: 'heldOut', expected, worked: false })).toBe(right));
  it.each([
    ['So it is \\boxed{\\frac{1}{2}}.', 'We find that $x = \\boxed{0.5}$', true],
    ['That makes 1,200 dollars', '600 + 600 = 1200\n#### 1200', true],
    ['That makes 1,300 dollars', '600 + 600 = 1200\n#### 1200', false],
    ['72', '72', true],
    ['I cannot say', '72', false],
  ])('%s for the solution %s', (text, expected, right) => expect(isRight(said(text), { role: 'heldOut', expected, worked: true })).toBe(right));
  it('shows what a solution comes to', () => {
    expect(expectedAnswer({ role: 'heldOut', expected: 'We find that $x = \\boxed{0.5}$', worked: true })).toBe('0.5');
    expect(expectedAnswer({ role: 'heldOut', expected: '9 + 60 = 69 #### 69', worked: false })).toBe('69');
  });
  it('has no verdict before the end or without an expected answer', () => {
    expect(isRight(streaming(said('blue')), { role: 'heldOut', expected: 'blue', worked: false })).toBeUndefined();
    expect(isRight(said('blue'), undefined)).toBeUndefined();
  });
});

describe('meanProbability', () => {
  it('is undefined before the first token', () => expect(meanProbability(answer([]))).toBeUndefined());
  it('averages', () => expect(meanProbability(answer([1, 2]))).toBe(0.5));
});
