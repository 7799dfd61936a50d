/**
 * @file Conversations as files write them (OpenAI's messages, ShareGPT's conversations) in the words of chat templates.
 */
import type { ChatMessage } from '../formats/chatMessage.ts';
import { asList, asText, cellOf, isObject, isTextual, kindOf } from './cells.ts';
import type { Row, RowProblem } from './parse.ts';

/** Names of roles in files, in lower case. A function call is a turn of the assistant, what came back from it a tool's. */
const ROLES = new Map([
  ['system', 'system'], ['developer', 'system'],
  ['user', 'user'], ['human', 'user'], ['prompter', 'user'],
  ['assistant', 'assistant'], ['gpt', 'assistant'], ['chatgpt', 'assistant'], ['bot', 'assistant'], ['model', 'assistant'], ['function_call', 'assistant'],
  ['tool', 'tool'], ['function', 'tool'], ['observation', 'tool'], ['function_response', 'tool'], ['ipython', 'tool'],
]);

/** Fields that become `role` and `content`, or say nothing. */
const REPLACED = new Set(['role', 'content', 'from', 'value']);

/** Whether a cell looks like a conversation, from its first turn. */
export function isConversation(cell: unknown): boolean {
  const [first] = asList(cell) ?? [];
  return isObject(first) && (Object.hasOwn(first, 'role') ? Object.hasOwn(first, 'content') || Object.hasOwn(first, 'tool_calls') : Object.hasOwn(first, 'from') && Object.hasOwn(first, 'value'));
}

/** Whether a cell is a conversation in ShareGPT's words. */
export function isShareGpt(cell: unknown): boolean {
  const [first] = asList(cell) ?? [];
  return isConversation(cell) && isObject(first) && Object.hasOwn(first, 'from');
}

/** The turns of a cell with their roles normalised; turns are numbered from 1 in problems. */
export function toMessages(cell: unknown, column: string): ChatMessage[] | RowProblem {
  const turns = asList(cell);
  if (turns === undefined) return { what: `it holds ${kindOf(cell)} where a list of turns is needed`, column };
  const messages: ChatMessage[] = [];
  for (const [i, turn] of turns.entries()) {
    const message = isObject(turn) ? toMessage(turn) : `is ${turn === null ? 'null' : kindOf(turn)} and not an object with a role and a content`;
    if (typeof message === 'string') return { what: `turn ${i + 1} ${message}`, column };
    messages.push(message);
  }
  return messages;
}

/** @returns what is wrong, as the rest of a sentence that begins with the turn. */
function toMessage(turn: Row): ChatMessage | string {
  const name = cellOf(turn, 'role') ?? cellOf(turn, 'from');
  if (typeof name !== 'string') return 'has no role';
  const role = ROLES.get(name.trim().toLowerCase());
  if (role === undefined) return `has the role ${JSON.stringify(name.slice(0, 40))}, which is none of ${[...new Set(ROLES.values())].join(', ')}`;
  const content = contentOf(cellOf(turn, 'content') ?? cellOf(turn, 'value'));
  if (content === undefined) return 'holds something else than text';
  // A template may read other fields, such as tool_calls.
  const others = Object.entries(turn).filter(([field, value]) => !REPLACED.has(field) && value != null);
  return { ...Object.fromEntries(others), role, content };
}

/** Text, or the joined text parts of a list; undefined where a part is something else. No content at all is an empty one: a turn may only call tools. */
function contentOf(cell: unknown): string | undefined {
  if (cell === undefined) return '';
  if (isTextual(cell)) return asText(cell);
  if (!Array.isArray(cell)) return undefined;
  const texts = cell.map((part: unknown) => {
    const text = isObject(part) && cellOf(part, 'type') === 'text' ? cellOf(part, 'text') : part;
    return typeof text === 'string' ? asText(text) : undefined;
  });
  return texts.includes(undefined) ? undefined : texts.join('');
}

/** The conversation with a system turn before it, unless it has one or there is nothing to say. */
export function withSystem(messages: readonly ChatMessage[], system: string | undefined): readonly ChatMessage[] {
  if (system === undefined || system.trim() === '' || messages[0]?.role === 'system') return messages;
  return [{ role: 'system', content: system }, ...messages];
}

/** What is wrong with a conversation that is to be learnt from, from turn `first` on; undefined where an assistant's turn has content. */
export function checkTrainable(messages: readonly ChatMessage[], column: string, first = 0): RowProblem | undefined {
  const isAnswer = ({ role }: ChatMessage, i: number): boolean => i >= first && role === 'assistant';
  const turn = messages.findIndex(isAnswer);
  if (turn < 0) return { what: `none of its ${messages.length} turns is the assistant's: there is nothing to learn from it`, column };
  const says = (message: ChatMessage): boolean => message.content.trim() !== '' || (Array.isArray(message['tool_calls']) && message['tool_calls'].length > 0);
  return messages.some((message, i) => isAnswer(message, i) && says(message)) ? undefined : { what: `turn ${turn + 1}, the assistant's, has no content`, column };
}

/** What the user asked before the last answer, turns joined by line breaks: the question of a row for overlap, and where no chat template is used. */
export function questionOf(messages: readonly ChatMessage[]): string {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  return messages.slice(0, last < 0 ? undefined : last).filter(({ role }) => role === 'user').map(({ content }) => content).join('\n');
}

/** What the assistant said last. */
export const lastAnswerOf = (messages: readonly ChatMessage[]): string | undefined => messages.findLast(({ role }) => role === 'assistant')?.content;
