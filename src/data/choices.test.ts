import { describe, expect, it } from 'vitest';
import { letterOf, toChoices } from './choices.ts';
import { toExample } from './examples.ts';

const choices = (cell: unknown, answer?: unknown): unknown => toChoices(cell, 'choices', answer, answer === undefined ? undefined : 'answer');
const options = ['red', 'green', 'blue'];

describe('multiple choice', () => {
  it.each<[string, unknown, unknown]>([
    ['an index', options, 2],
    ['an index as text', options, '2'],
    ['an index as a table of floats writes it', options, '2.0'],
    ['a letter', options, 'C'],
    ['a letter in brackets', options, '(C)'],
    ['the text', options, ' blue'],
    ['a label', { text: options, label: ['1', '2', '3'] }, '3'],
    ['a label that is a letter', { text: options, label: ['A', 'B', 'C'] }, 'C'],
    ['an index beside labels', { text: options, label: ['x', 'y', 'z'] }, 2],
    ['marks', { choices: options, labels: [0, 0, 1] }, undefined],
    ['JSON text of a table', '["red", "green", "blue"]', 'C'],
    ['options that begin with their letters', ['A) red', 'B) green', 'C)blue'], 'C'],
  ])('tells the right option by %s', (_, cell, answer) => {
    expect(choices(cell, answer)).toEqual({ options, answer: 2 });
  });

  it('keeps a beginning that only some options have', () => {
    expect(choices(['A. Einstein', 'N. Bohr'], 'B')).toEqual({ options: ['A. Einstein', 'N. Bohr'], answer: 1 });
  });

  it.each<[unknown, unknown, string, string]>([
    [options, 3, '"3" is none of the 3 options, nor their letter or index from 0', 'answer'],
    [options, 'D', '"D" is none of the 3 options, nor their letter or index from 0', 'answer'],
    [options, null, 'it does not tell the right option', 'answer'],
    [['only'], 0, 'it holds a list where two or more options are needed', 'choices'],
    [[1, {}], 0, 'it holds a list where two or more options are needed', 'choices'],
    [undefined, 0, 'it has no options', 'choices'],
    [options, undefined, 'no column tells the right option', 'choices'],
    [{ choices: options, labels: [0, 0, 0] }, undefined, 'none of its options is marked as right', 'choices'],
    [{ text: options, label: ['A'] }, 'A', 'it holds an object where two or more options are needed', 'choices'],
  ])('%j with %j is refused', (cell, answer, what, column) => {
    expect(choices(cell, answer)).toEqual({ what, column });
  });

  it('lists the options in the prompt that is trained, and asks the bare question', () => {
    expect(toExample({ q: 'Which?', o: options, a: 1, s: 'colours' }, 4, { prompt: 'q', choices: 'o', answer: 'a', group: 's' })).toEqual({
      row: 4, question: 'Which?', answer: 'B', group: 'colours', choices: { options, answer: 1 },
      segments: [{ text: 'Which?\nA. red\nB. green\nC. blue\n', trained: false }, { text: 'B. green', trained: true }],
    });
  });

  it('lets the right one of a pair be the first and the second in turn', () => {
    const pair = (row: number): unknown => toExample({ good: 'g', bad: 'b' }, row, { right: 'good', wrong: 'bad' });
    expect(pair(1)).toMatchObject({ choices: { options: ['g', 'b'], answer: 0 }, segments: [{ text: 'g', trained: true }], question: '' });
    expect(pair(2)).toMatchObject({ choices: { options: ['b', 'g'], answer: 1 }, segments: [{ text: 'g', trained: true }] });
    expect(toExample({ good: 'g' }, 1, { right: 'good', wrong: 'bad' })).toEqual({ what: 'it has no value', column: 'bad' });
  });

  it('goes on counting after Z', () => {
    expect([0, 25, 26].map(letterOf)).toEqual(['A', 'Z', '27']);
  });
});
