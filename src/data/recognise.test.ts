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
    ['messages', [{ messages: [{ role: 'user', content: 'x' }], id: 1 }], { kind: 'messages', mapping: { messages: 'messages' } }],
    ['messages as JSON text in a table', [{ messages: '[{"role": "user", "content": "x"}]' }], { kind: 'messages', mapping: { messages: 'messages' } }],
    ['ShareGPT', [{ conversations: [{ from: 'human', value: 'x' }], system: 's' }], { kind: 'sharegpt', mapping: { messages: 'conversations', system: 'system' } }],
    ['conversations in the words of messages', [{ conversations: [{ role: 'user', content: 'x' }] }], { kind: 'messages', mapping: { messages: 'conversations' } }],
    ['prompt and completion as messages', [{ prompt: [{ role: 'user', content: 'x' }], completion: [{ role: 'assistant', content: 'y' }] }], { kind: 'prompt-completion', mapping: { prompt: 'prompt', completion: 'completion' } }],
    ['prompt as messages', [{ prompt: [{ role: 'user', content: 'x' }], completion: 'c' }], { kind: 'prompt-completion', mapping: { prompt: 'prompt', completion: 'completion' } }],
    ['Alpaca with a system column', [{ instruction: 'i', input: '', output: 'o', system: 's' }], { kind: 'alpaca', mapping: { prompt: 'instruction', input: 'input', completion: 'output', system: 'system' } }],
    ['MMLU', [{ question: 'q', subject: 's', choices: ['a', 'b'], answer: 1 }], { kind: 'multiple-choice', mapping: { prompt: 'question', choices: 'choices', answer: 'answer', group: 'subject' } }],
    ['MMLU-Pro', [{ question: 'q', options: ['a', 'b'], answer: 'B', answer_index: 1 }], { kind: 'multiple-choice', mapping: { prompt: 'question', choices: 'options', answer: 'answer' } }],
    ['ARC', [{ question: 'q', choices: { text: ['a', 'b'], label: ['1', '2'] }, answerKey: '2' }], { kind: 'multiple-choice', mapping: { prompt: 'question', choices: 'choices', answer: 'answerKey' } }],
    ['HellaSwag', [{ ctx: 'q', endings: ['a', 'b'], label: '1' }], { kind: 'multiple-choice', mapping: { prompt: 'ctx', choices: 'endings', answer: 'label' } }],
    ['TruthfulQA', [{ question: 'q', mc1_targets: { choices: ['a', 'b'], labels: [0, 1] } }], { kind: 'multiple-choice', mapping: { prompt: 'question', choices: 'mc1_targets' } }],
    ['TruthfulQA as a table', [{ Question: 'q', 'Best Answer': 'a', 'Best Incorrect Answer': 'b', Category: 'c' }], { kind: 'multiple-choice', mapping: { prompt: 'Question', right: 'Best Answer', wrong: 'Best Incorrect Answer', group: 'Category' } }],
    ['BLiMP', [{ sentence_good: 'a', sentence_bad: 'b', UID: 'u' }], { kind: 'sentence-pairs', mapping: { right: 'sentence_good', wrong: 'sentence_bad', group: 'UID' } }],
    ['verl', [{ prompt: [{ role: 'user', content: 'x' }], reward_model: { ground_truth: '540' }, data_source: 'd' }], { kind: 'verl', mapping: { prompt: 'prompt', answer: 'reward_model', group: 'data_source' } }],
    ['question in two columns', [{ Body: 'b', Question: 'q', Answer: 8 }], { kind: 'question-answer', mapping: { prompt: 'Body', input: 'Question', completion: 'Answer' } }],
    ['names that every object has', [JSON.parse('{"__proto__": "p", "constructor": "c"}') as Row], undefined],
    ['nothing known', [{ x: 'a', y: 'b' }], undefined],
    ['no rows', [], undefined],
  ])('%s', (_, rows, expected) => {
    expect(recognise(rows)).toEqual(expected);
  });

  it('asks what to take of OpenR1-Math, and takes the messages without an answer', () => {
    const row = { problem: 'p', solution: 's', answer: '2', generations: ['g'], correctness_math_verify: [true], messages: [{ role: 'user', content: 'p' }] };
    expect(recognise([row])).toEqual({ kind: 'openr1-math', mapping: { messages: 'messages', answer: 'answer' } });
    expect(recognise([row], 'messages')).toEqual(recognise([row]));
    expect(recognise([row], 'generation')).toEqual({ kind: 'openr1-math', mapping: { prompt: 'problem', generations: 'generations', verified: 'correctness_math_verify', answer: 'answer' } });
    expect(recognise([row], 'solution')).toEqual({ kind: 'openr1-math', mapping: { prompt: 'problem', completion: 'solution', answer: 'answer' } });
    const { messages: _, ...without } = row;
    expect(recognise([without])).toEqual(recognise([row], 'generation'));
  });

  it('guesses conversations, or the two columns with the longest texts in their order, but not beside other lists', () => {
    expect(guessMapping([{ id: 'a1', ask: 'How many?', n: 5, reply: 'Four in all.' }])).toEqual({ prompt: 'ask', completion: 'reply' });
    expect(guessMapping([{ n: 1, story: 'Once' }])).toEqual({ completion: 'story' });
    expect(guessMapping([{ id: 'a1', turns: [{ from: 'human', value: 'x' }] }])).toEqual({ messages: 'turns' });
    expect(guessMapping([{ id: 'a1', embedding: [1, 2] }])).toBeUndefined();
    expect(guessMapping([{ n: 1 }])).toBeUndefined();
  });

  it('lists columns in their order of appearance', () => {
    expect(columnsOf([{ b: 1 }, { a: 1, b: 2 }])).toEqual(['b', 'a']);
  });
});
