import { describe, expect, it } from 'vitest';
import { columnsOf, guessMapping, recognise } from './recognise.ts';
import type { Row } from './parse.ts';

describe('recognise', () => {
  it.each<[string, Row[], unknown]>([
    ['GSM8K', [{ question: 'q', answer: 'a\n#### 1' }], { kind: 'gsm8k', mapping: { prompt: 'question', completion: 'answer' } }],
    ['MATH', [{ problem: 'p', level: 'Level 3', type: 'Algebra', solution: 's', idx: 0 }], { kind: 'math', mapping: { prompt: 'problem', completion: 'solution', group: 'type' } }],
    ['MATH-500', [{ problem: 'p', solution: 's', answer: '2', subject: 'Algebra' }], { kind: 'math', mapping: { prompt: 'problem', completion: 'solution', answer: 'answer', group: 'subject' } }],
    ['prompt-completion', [{ prompt: 'p', completion: 'c' }], { kind: 'prompt-completion', mapping: { prompt: 'prompt', completion: 'completion' } }],
    ['Alpaca', [{ instruction: 'i', input: '', output: 'o' }], { kind: 'alpaca', mapping: { prompt: 'instruction', input: 'input', completion: 'output' } }],
    ['Alpaca without input', [{ instruction: 'i', output: 'o' }], { kind: 'alpaca', mapping: { prompt: 'instruction', completion: 'output' } }],
    ['question and answer', [{ question: 'q', answer: '80000' }], { kind: 'question-answer', mapping: { prompt: 'question', completion: 'answer' } }],
    ['MAWPS', [{ input: 'q', target: 43 }], { kind: 'question-answer', mapping: { prompt: 'input', completion: 'target' } }],
    ['capital letters', [{ Question: 'q', 'Best Answer': 'a', Category: 'c' }], { kind: 'question-answer', mapping: { prompt: 'Question', completion: 'Best Answer', group: 'Category' } }],
    ['text', [{ text: 't', meta: 'm' }], { kind: 'text', mapping: { completion: 'text' } }],
    ['GSM8K only where every answer is marked', [{ question: 'q', answer: '#### 1' }, { question: 'q', answer: '1' }], { kind: 'question-answer', mapping: { prompt: 'question', completion: 'answer' } }],
    ['a column that is missing in some rows', [{ prompt: 'p', completion: 'c' }, { prompt: 'p', completion: null }], { kind: 'prompt-completion', mapping: { prompt: 'prompt', completion: 'completion' } }],
    ['chat', [{ prompt: [{ role: 'user', content: 'x' }], completion: 'c' }], undefined],
    ['nothing known', [{ x: 'a', y: 'b' }], undefined],
    ['no rows', [], undefined],
  ])('%s', (_, rows, expected) => {
    expect(recognise(rows)).toEqual(expected);
  });

  it('guesses the two columns with the longest texts, in their order, but not beside a conversation', () => {
    expect(guessMapping([{ id: 'a1', ask: 'How many?', n: 5, reply: 'Four in all.' }])).toEqual({ prompt: 'ask', completion: 'reply' });
    expect(guessMapping([{ n: 1, story: 'Once' }])).toEqual({ completion: 'story' });
    expect(guessMapping([{ id: 'a1', conversations: [{ from: 'human', value: 'x' }] }])).toBeUndefined();
    expect(guessMapping([{ n: 1 }])).toBeUndefined();
  });

  it('lists columns in their order of appearance', () => {
    expect(columnsOf([{ b: 1 }, { a: 1, b: 2 }])).toEqual(['b', 'a']);
  });
});
