import { describe, expect, it } from 'vitest';
import { toExample } from './examples.ts';
import type { Example, ExampleOptions } from './examples.ts';
import type { DatasetColumns } from './mapping.ts';
import type { Row, RowProblem } from './parse.ts';

const chat = (messages: unknown, more: Row = {}, mapping: DatasetColumns = { messages: 'm' }, options?: ExampleOptions): Example | RowProblem | undefined => toExample({ m: messages, ...more }, 1, mapping, options);
const user = { role: 'user', content: '2 + 2?' };
const assistant = { role: 'assistant', content: 'It is 4.' };

describe('conversations', () => {
  it('have their roles normalised, whatever the file calls them', () => {
    const turns = [{ from: 'System', value: 's' }, { from: 'human', value: 'h' }, { from: 'gpt', value: 'g' }, { from: 'function_call', value: 'f' }, { from: 'observation', value: 'o' }, { from: 'chatgpt', value: 'c' }];
    expect(chat(turns)).toMatchObject({
      segments: [], question: 'h', answer: undefined,
      messages: [['system', 's'], ['user', 'h'], ['assistant', 'g'], ['assistant', 'f'], ['tool', 'o'], ['assistant', 'c']].map(([role, content]) => ({ role, content })),
    });
  });

  it('keep the fields that templates read, join parts of text, and read JSON text of a table', () => {
    const calls = [{ function: { name: 'add' } }];
    expect(chat([user, { role: 'assistant', content: null, tool_calls: calls, weight: null }])).toMatchObject({ messages: [user, { role: 'assistant', content: '', tool_calls: calls }] });
    expect(chat([{ role: 'user', content: [{ type: 'text', text: '2 + ' }, { type: 'text', text: '2?' }] }, assistant])).toMatchObject({ messages: [user, assistant] });
    expect(chat(JSON.stringify([user, assistant]))).toEqual(chat([user, assistant]));
  });

  it('give question and gold answer for evaluation and overlap', () => {
    expect(chat([user, assistant])).toMatchObject({ question: '2 + 2?', answer: '4' });
    expect(chat([user, assistant, { role: 'user', content: 'And 3 + 3?' }, { role: 'assistant', content: '6' }])).toMatchObject({ question: '2 + 2?\nAnd 3 + 3?', answer: '6' });
    expect(chat([user, assistant], { gold: 'four' }, { messages: 'm', answer: 'gold' })).toMatchObject({ answer: 'four' });
    expect(chat([user, { ...assistant, content: '2+2 = <<2+2=4>>4' }], {}, undefined, { stripCalculations: true })).toMatchObject({ messages: [user, { content: '2+2 = 4' }] });
  });

  it('take a system turn from its column, unless they have one', () => {
    const mapping = { messages: 'm', system: 's' };
    expect(chat([user, assistant], { s: 'Be brief.' }, mapping)).toMatchObject({ messages: [{ role: 'system', content: 'Be brief.' }, user, assistant] });
    expect(chat([{ role: 'system', content: 'own' }, user, assistant], { s: 'Be brief.' }, mapping)).toMatchObject({ messages: [{ content: 'own' }, user, assistant] });
    expect(chat([user, assistant], { s: ' ' }, mapping)).toMatchObject({ messages: [user, assistant] });
  });

  it.each<[unknown, string]>([
    [[user], "none of its 1 turns is the assistant's: there is nothing to learn from it"],
    [[], "none of its 0 turns is the assistant's: there is nothing to learn from it"],
    [[user, { role: 'assistant', content: ' ' }], "turn 2, the assistant's, has no content"],
    [[user, { role: 'narrator', content: 'x' }], 'turn 2 has the role "narrator", which is none of system, user, assistant, tool'],
    [[user, { content: 'x' }], 'turn 2 has no role'],
    [[user, 'hello'], 'turn 2 is a string and not an object with a role and a content'],
    [[user, null], 'turn 2 is null and not an object with a role and a content'],
    [[{ role: 'user', content: [{ type: 'image', image: 'x' }] }, assistant], 'turn 1 holds something else than text'],
    [{ role: 'user' }, 'it holds an object where a list of turns is needed'],
    ['hello', 'it holds a string where a list of turns is needed'],
    [undefined, 'it has no value'],
  ])('that cannot be used are named with their turn: %j', (messages, what) => {
    expect(chat(messages)).toEqual({ what, column: 'm' });
  });
});

describe('prompts and completions as messages', () => {
  const mapping = { prompt: 'p', completion: 'c' };
  const pair = (p: unknown, c: unknown, options?: ExampleOptions): unknown => toExample({ p, c }, 1, mapping, options);

  it('learn the completion alone, not the answers that the prompt gives', () => {
    const prompt = [user, assistant, { role: 'user', content: 'And 3 + 3?' }];
    const expected = { segments: [], firstTrained: 3, messages: [...prompt, { role: 'assistant', content: '6' }], question: '2 + 2?\nAnd 3 + 3?', answer: '6' };
    expect(pair(prompt, [{ role: 'assistant', content: '6' }])).toMatchObject(expected);
    expect(pair(prompt, '6')).toMatchObject(expected);
    expect(pair('2 + 2?', [assistant])).toMatchObject({ firstTrained: 1, messages: [user, assistant] });
    expect(pair(prompt, ' ')).toBeUndefined();
    expect(pair(prompt, [user])).toEqual({ what: "none of its 4 turns is the assistant's: there is nothing to learn from it", column: 'c' });
  });

  it('make a conversation of Alpaca with a system column', () => {
    const alpaca = { prompt: 'instruction', input: 'input', completion: 'output', system: 'system' };
    expect(toExample({ instruction: 'Add.', input: '1 2', output: '3', system: 'Be brief.' }, 1, alpaca)).toMatchObject({
      messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Add.\n1 2' }, { role: 'assistant', content: '3' }], question: 'Add.\n1 2', answer: '3',
    });
  });

  it('are for evaluation where there is an answer and no completion', () => {
    const verl = { prompt: 'p', answer: 'r' };
    const messages = [{ role: 'system', content: 's' }, user];
    expect(toExample({ p: messages, r: { ground_truth: 4 } }, 1, verl, { purpose: 'evaluation' })).toEqual({ row: 1, segments: [], messages, question: '2 + 2?', answer: '4', group: undefined });
    expect(toExample({ p: '2 + 2?', r: { ground_truth: '' } }, 1, verl, { purpose: 'evaluation' })).toMatchObject({ segments: [], question: '2 + 2?', answer: undefined });
    expect(toExample({ p: messages, r: [1] }, 1, verl, { purpose: 'evaluation' })).toEqual({ what: 'it holds a list where text is needed', column: 'r' });
    expect(chat([user], { r: '4' }, { messages: 'm', answer: 'r' }, { purpose: 'evaluation' })).toMatchObject({ messages: [user], question: '2 + 2?', answer: '4' });
  });
});

describe('OpenR1-Math', () => {
  const mapping = { prompt: 'problem', generations: 'g', verified: 'v', answer: 'a' };
  it('takes the first generation that was verified', () => {
    expect(toExample({ problem: 'p', g: ['wrong', null, 'right', 'also'], v: [false, true, true, true], a: '4' }, 1, mapping)).toMatchObject({ segments: [{ text: 'p\n' }, { text: 'right', trained: true }], answer: '4' });
    expect(toExample({ problem: 'p', g: ['wrong'], v: [false] }, 1, mapping)).toEqual({ what: 'none of its 1 generations is marked as verified', column: 'v' });
    expect(toExample({ problem: 'p', g: ['wrong'] }, 1, mapping)).toEqual({ what: 'none of its 1 generations is marked as verified', column: 'v' });
    expect(toExample({ problem: 'p', g: ['first', 'second'] }, 1, { prompt: 'problem', generations: 'g' })).toMatchObject({ segments: [{}, { text: 'first' }] });
    expect(toExample({ problem: 'p', g: 'text' }, 1, mapping)).toEqual({ what: 'it holds a string where a list of texts is needed', column: 'g' });
  });
});
