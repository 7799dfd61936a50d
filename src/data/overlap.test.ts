import { describe, expect, it } from 'vitest';
import { toExample } from './examples.ts';
import type { Example } from './examples.ts';
import { findRepeats, Fingerprints } from './overlap.ts';

const example = (prompt: string, completion: string): Example => toExample({ prompt, completion }, 1, { prompt: 'prompt', completion: 'completion' }) as Example;

function fingerprints(...examples: Example[]): Fingerprints {
  const all = new Fingerprints();
  for (const each of examples) all.add(each);
  return all;
}

describe('duplicates and overlap', () => {
  it('finds whole texts that repeat, and questions apart from case and spaces', () => {
    const [first, second] = [example('How many  apples?', '3'), example('how many apples?\n', '4')];
    expect(fingerprints(first, second, first, first).duplicates()).toEqual([2, 3]);
    expect(fingerprints(example('other', '1'), first).alsoIn(fingerprints(second))).toEqual([1]);
  });

  it('does not take texts without a question for the same question', () => {
    const plain = (text: string): Example => toExample({ text }, 1, { completion: 'text' }) as Example;
    expect(fingerprints(plain('a')).alsoIn(fingerprints(plain('b')))).toEqual([]);
  });

  it('keeps apart what only concatenates to the same', () => {
    const cut = (at: number): Example => ({ ...first, segments: [{ text: 'abc'.slice(0, at), trained: false }, { text: 'abc'.slice(at), trained: true }] });
    const first = example('a', 'b');
    expect(fingerprints(cut(1), cut(2)).duplicates()).toEqual([]);
  });

  it('finds the question of a conversation and of a multiple-choice item, and repeats that differ only in their options', () => {
    const chat = toExample({ m: [{ role: 'user', content: 'How many?' }, { role: 'assistant', content: '3' }] }, 1, { messages: 'm' }) as Example;
    const choice = (...options: string[]): Example => toExample({ q: 'how  many?', options, answer: 0 }, 1, { prompt: 'q', choices: 'options', answer: 'answer' }) as Example;
    expect(fingerprints(chat).alsoIn(fingerprints(choice('3', '4')))).toEqual([0]);
    expect(fingerprints(choice('3', '4'), choice('3', '5'), choice('3', '4'), chat, chat).duplicates()).toEqual([2, 4]);
  });

  it('gives the counts of all sets from all sets, so that none goes stale when one is replaced', () => {
    const [a, b, c] = [example('a', '1'), example('b', '2'), example('c', '3')];
    const sets = new Map([['train', fingerprints(a, b, b)], ['heldOut', fingerprints(b)], ['outOfDomain', fingerprints(c)]]);
    expect(Object.fromEntries(findRepeats(sets))).toEqual({
      train: { duplicates: 1, overlap: { heldOut: 2, outOfDomain: 0 } },
      heldOut: { duplicates: 0, overlap: { train: 1, outOfDomain: 0 } },
      outOfDomain: { duplicates: 0, overlap: { train: 0, heldOut: 0 } },
    });
    sets.set('train', fingerprints(c));
    expect(findRepeats(sets).get('heldOut')).toEqual({ duplicates: 0, overlap: { train: 0, outOfDomain: 0 } });
    expect(findRepeats(sets).get('outOfDomain')).toEqual({ duplicates: 0, overlap: { train: 1, heldOut: 0 } });
  });

  it('holds a hundred thousand different questions apart', () => {
    const many = fingerprints(...Array.from({ length: 100_000 }, (_, i) => example(`What is ${i} and ${i * 7}?`, String(i))));
    expect(many.duplicates()).toEqual([]);
    expect(many.alsoIn(fingerprints(example('what is 5 and 35?', '5')))).toEqual([5]);
  });
});
