import { describe, expect, it } from 'vitest';
import { toExample } from './examples.ts';

const gsm8k = { prompt: 'question', completion: 'answer' };

describe('toExample', () => {
  it('trains the completion and not the prompt, which ends in a line break', () => {
    expect(toExample({ question: 'How many?', answer: '48/2 = <<48/2=24>>24\n#### 24' }, 7, gsm8k)).toEqual({
      row: 7,
      question: 'How many?',
      answer: '24',
      group: undefined,
      segments: [{ text: 'How many?\n', trained: false }, { text: '48/2 = <<48/2=24>>24\n#### 24', trained: true }],
    });
  });

  it('drops calculator notes when asked', () => {
    expect(toExample({ question: 'q', answer: '48/2 = <<48/2=24>>24' }, 1, gsm8k, { stripCalculations: true })).toMatchObject({ segments: [{}, { text: '48/2 = 24' }] });
  });

  it('joins instruction and input by a line break, and leaves an empty input out', () => {
    const alpaca = { prompt: 'instruction', input: 'input', completion: 'output' };
    expect(toExample({ instruction: 'Add.', input: '1 2', output: '3' }, 1, alpaca)).toMatchObject({ question: 'Add.\n1 2', answer: '3' });
    expect(toExample({ instruction: 'Add.', input: '', output: '3' }, 1, alpaca)).toMatchObject({ question: 'Add.' });
  });

  it('takes gold answer and group from their columns, numbers as text', () => {
    const mapping = { prompt: 'problem', completion: 'solution', answer: 'answer', group: 'level' };
    expect(toExample({ problem: 'p', solution: '\\boxed{x}', answer: 43, level: 5 }, 1, mapping)).toMatchObject({ answer: '43', group: '5' });
    expect(toExample({ problem: 'p', solution: 'so \\boxed{x}', answer: null }, 1, mapping)).toMatchObject({ answer: 'x' });
  });

  it('trains all of a text', () => {
    expect(toExample({ text: 'Once' }, 1, { completion: 'text' })).toMatchObject({ segments: [{ text: 'Once', trained: true }], question: '', answer: undefined });
  });

  it('has nothing to train on in a blank completion, and names the column of a missing or structured cell', () => {
    expect(toExample({ question: 'q', answer: ' \n' }, 1, gsm8k)).toBeUndefined();
    expect(toExample({ question: 'q' }, 1, gsm8k)).toEqual({ what: 'it has no value', column: 'answer' });
    expect(toExample({ question: ['q'], answer: 'a' }, 1, gsm8k)).toEqual({ what: 'it holds a list where text is needed', column: 'question' });
  });
});
