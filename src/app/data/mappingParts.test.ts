/** @file Which parts a column can play, and what a choice does to the others. */
import { describe, expect, it } from 'vitest';
import { lacking, partOf, partsFor, withPart } from './mappingParts.ts';

describe('partsFor', () => {
  it.each([
    ['Two and two?', 'unused', ['prompt', 'input', 'completion', 'system', 'right', 'wrong', 'answer', 'group', 'unused']],
    ['[{"role":"user","content":"Hi"}]', 'messages', ['prompt', 'completion', 'messages', 'unused']],
    ['["4","5","6"]', 'choices', ['prompt', 'completion', 'choices', 'generations', 'unused']],
    ['[true,false]', 'unused', ['choices', 'verified', 'unused']],
    ['{"style":"rule","ground_truth":"72"}', 'answer', ['prompt', 'completion', 'choices', 'answer', 'unused']],
    ['{"a":1}', 'group', ['prompt', 'completion', 'choices', 'answer', 'group', 'unused']],
  ] as const)('of %s', (cell, now, parts) => expect(partsFor(cell, now)).toEqual(parts));
  it('leaves all open where the first row is empty', () => {
    expect(partsFor('', 'unused')).toHaveLength(13);
    expect(partsFor(undefined, 'unused')).toHaveLength(13);
  });
});

describe('withPart', () => {
  const mapping = { prompt: 'q', completion: 'a' };
  it('knows the part of a column', () => expect(['q', 'a', 'x'].map((column) => partOf(column, mapping))).toEqual(['prompt', 'completion', 'unused']));
  it('swaps two columns', () => expect(withPart(mapping, 'q', 'completion')).toEqual({ prompt: 'a', completion: 'q' }));
  it('displaces a column', () => expect(withPart(mapping, 'x', 'completion')).toEqual({ prompt: 'q', completion: 'x' }));
  it('drops a column', () => expect(withPart(mapping, 'q', 'unused')).toEqual({ completion: 'a' }));
  it('adds a part', () => expect(withPart(mapping, 'x', 'input')).toEqual({ ...mapping, input: 'x' }));

  const columns = ['problem', 'solution', 'generations', 'correctness_math_verify', 'messages', 'answer'];
  const openR1 = { messages: 'messages', answer: 'answer' };
  it('takes the generations of OpenR1-Math with the problem and what was verified', () =>
    expect(withPart(openR1, 'generations', 'generations', columns)).toEqual({ prompt: 'problem', generations: 'generations', verified: 'correctness_math_verify', answer: 'answer' }));
  it('takes the solution with the problem', () => expect(withPart(openR1, 'solution', 'completion', columns)).toEqual({ prompt: 'problem', completion: 'solution', answer: 'answer' }));
  it('goes back to the conversation', () =>
    expect(withPart({ prompt: 'problem', generations: 'generations', verified: 'correctness_math_verify', answer: 'answer' }, 'messages', 'messages', columns)).toEqual(openR1));
  it('lets options go for a pair of right and wrong', () => expect(withPart({ prompt: 'q', choices: 'c', answer: 'a' }, 'r', 'right')).toEqual({ prompt: 'q', right: 'r', answer: 'a' }));
});

describe('lacking', () => {
  it('asks for something to learn', () => {
    const sentence = 'One column has to be the answer. Make another column the answer first.';
    expect(lacking({ prompt: 'q' }, 'train')).toBe(sentence);
    expect(lacking({ prompt: 'q', answer: 'a' }, 'train')).toBe(sentence);
    expect(lacking({ prompt: 'q' }, 'heldOut')).toBe(sentence);
  });
  it('is content with a gold answer where nothing is learnt', () => expect(lacking({ prompt: 'q', answer: 'a' }, 'outOfDomain')).toBeUndefined());
  it('asks for both of a pair', () => {
    expect(lacking({ right: 'r' }, 'train')).toBe('Choose the column of the wrong option too.');
    expect(lacking({ prompt: 'q', wrong: 'w' }, 'heldOut')).toBe('Choose the column of the right option too.');
    expect(lacking({ right: 'r', wrong: 'w' }, 'train')).toBeUndefined();
  });
});
