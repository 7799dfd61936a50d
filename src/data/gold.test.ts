import { describe, expect, it } from 'vitest';
import { afterHashes, extractAnswer, lastBoxed, lastNumber } from './gold.ts';

describe('extractAnswer', () => {
  it.each<[string, string | undefined]>([
    ['so \\boxed{\\frac{1}{2}} and then \\boxed{\\text{(A)}}.', '\\text{(A)}'],
    ['\\boxed{3} then cut off \\boxed{\\frac{1', '3'],
    ['\\boxed{a \\} b}', 'a \\} b'],
    ['\\fbox{7}', '7'],
    ['48+24 = <<48+24=72>>72 clips.\n#### 72', '72'],
    ['#### 1,200\nQuestion: next', '1,200'],
    ['####', undefined],
    ['#### ', undefined],
    ['The answer is 576.', '576'],
    ['he pays $1,234.50 in all.', '1,234.50'],
    ['that leaves 3/4 of it', '3/4'],
    ['from 12 down to -3', '-3'],
    ['the range 5-7', '7'],
    ['no number here', undefined],
    ['', undefined],
  ])('%s', (text, answer) => {
    expect(extractAnswer(text)).toBe(answer);
  });

  it('prefers the box, then the mark, then the number', () => {
    expect(extractAnswer('\\boxed{1} #### 2\n3')).toBe('1');
    expect(extractAnswer('#### 2\nthe end, 3')).toBe('2');
    expect([lastBoxed('1'), afterHashes('1'), lastNumber('x')]).toEqual([undefined, undefined, undefined]);
  });
});

describe('texts that are made to take long', () => {
  it.each([
    ['boxes that never close', '\\boxed{'.repeat(300_000), undefined],
    ['boxes that never close, after one that does', `\\boxed{7}${'\\boxed{'.repeat(300_000)}`, '7'],
    ['backslashes', '\\'.repeat(2_000_000), undefined],
    ['thousands without end', `1${',111'.repeat(500_000)}1`, '1111'],
    ['digits', '1'.repeat(2_000_000), '1'.repeat(200)],
  ])('%s', (_, text, answer) => {
    expect(extractAnswer(text)).toBe(answer);
  });
});
