import { describe, expect, it } from 'vitest';
import { toExample } from './examples.ts';
import type { Example } from './examples.ts';
import { findDuplicates, findOverlap } from './overlap.ts';

const example = (prompt: string, completion: string): Example => toExample({ prompt, completion }, 1, { prompt: 'prompt', completion: 'completion' }) as Example;

describe('duplicates and overlap', () => {
  it('finds whole texts that repeat, and questions apart from case and spaces', () => {
    const [first, second] = [example('How many  apples?', '3'), example('how many apples?\n', '4')];
    expect(findDuplicates([first, second, first, first])).toEqual([2, 3]);
    expect(findOverlap([example('other', '1'), first], [second])).toEqual([1]);
  });

  it('does not take texts without a question for the same question', () => {
    const plain = (text: string): Example => toExample({ text }, 1, { completion: 'text' }) as Example;
    expect(findOverlap([plain('a')], [plain('b')])).toEqual([]);
  });

  it('keeps apart what only concatenates to the same', () => {
    const cut = (at: number): Example => ({ ...first, segments: [{ text: 'abc'.slice(0, at), trained: false }, { text: 'abc'.slice(at), trained: true }] });
    const first = example('a', 'b');
    expect(findDuplicates([cut(1), cut(2)])).toEqual([]);
  });
});
