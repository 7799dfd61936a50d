import { describe, expect, it } from 'vitest';
import { columnsOf, recognise } from './recognise.ts';
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

  it('lists columns in their order of appearance', () => {
    expect(columnsOf([{ b: 1 }, { a: 1, b: 2 }])).toEqual(['b', 'a']);
  });
});
