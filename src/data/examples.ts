/**
 * @file A row becomes an example: segments of text, each trained or not, or a conversation; and what an evaluation needs to know about it.
 * The plain form is `prompt + "\n"`, not trained, then the completion and the end-of-text token, both trained.
 */
import type { ChatMessage } from '../formats/chatMessage.ts';
import { asText, asObject, cellOf, isTextual, kindOf } from './cells.ts';
import { isChoices, letterOf, listOptions, toChoices, toPair } from './choices.ts';
import type { Choices } from './choices.ts';
import { checkTrainable, isConversation, lastAnswerOf, questionOf, toMessages, withSystem } from './conversations.ts';
import { extractAnswer } from './gold.ts';
import type { DatasetColumns, Role } from './mapping.ts';
import type { Row, RowProblem } from './parse.ts';

export interface Segment {
  readonly text: string;
  /** Whether its tokens are labels of the loss. */
  readonly trained: boolean;
}

export interface Example {
  /** Where it stands in the file, as in ParsedRow. */
  readonly row: number;
  /** Empty for a conversation. Those of a multiple-choice item list its options, and answer with the letter and text of the right one. */
  readonly segments: readonly Segment[];
  /** The conversation of a chat row, whose segments are empty: a chat template makes text of it, the assistant's turns are trained. */
  readonly messages?: readonly ChatMessage[];
  /** The first of `messages` that may be trained, where the turns before it are the prompt: an answer in them is given, not learnt. */
  readonly firstTrained?: number;
  /** Options of a multiple-choice item and the index of the right one. */
  readonly choices?: Choices;
  /** Prompt and input; what the user asked in a conversation; without its options for multiple choice; empty for plain text, which has a completion only. */
  readonly question: string;
  /** The gold answer: its own column, or what extractAnswer finds in the completion; the letter of the right option. */
  readonly answer: string | undefined;
  readonly group: string | undefined;
}

/** What the examples are for. Training needs something to learn in every row; evaluation is content with a question and its answer. */
export type Purpose = 'training' | 'evaluation';

export interface ExampleOptions {
  readonly purpose?: Purpose | undefined;
  /** Drops GSM8K's calculator notes: "48/2 = <<48/2=24>>24" becomes "48/2 = 24". */
  readonly stripCalculations?: boolean;
}

/** What stands before the completion. Evaluation and the playground must build their prompts with it too, or they test another task. */
export const promptOf = (question: string): string => `${question}\n`;

export const stripCalculations = (text: string): string => text.replace(/<<[^<>\n]*>>/gu, '');

/** Every text of an example; the options of a multiple-choice item stand in its prompt too. */
export const textsOf = ({ segments, messages = [], question }: Example): string[] => [...segments.map(({ text }) => text), ...messages.map(({ content }) => content), question];

/** What a mapping's columns hold in one row. */
interface Cells {
  readonly row: number;
  readonly mapping: DatasetColumns;
  /** The cell of a part; undefined where the part has no column, or the row no value. */
  readonly of: (role: Role) => unknown;
  /** The text of a part. @throws Unfit where it is something else. */
  readonly text: (role: Role) => string | undefined;
  readonly options: ExampleOptions;
}

/** Carries the problem of a row out of nested steps. */
class Unfit extends Error {
  readonly problem: RowProblem;

  constructor(problem: RowProblem) {
    super(problem.what);
    this.problem = problem;
  }
}

/** @returns the example, the problem of the row, or undefined where there is nothing to train on: the completion is blank. */
export function toExample(value: Row, row: number, mapping: DatasetColumns, options: ExampleOptions = {}): Example | RowProblem | undefined {
  const of = (role: Role): unknown => (mapping[role] === undefined ? undefined : cellOf(value, mapping[role]));
  const text = (role: Role): string | undefined => {
    const cell = of(role);
    if (cell === undefined) return undefined;
    if (!isTextual(cell)) throw new Unfit({ what: `it holds ${kindOf(cell)} where text is needed`, column: mapping[role] });
    return asText(cell);
  };
  try {
    return build({ row, mapping, of, text, options });
  } catch (error) {
    if (error instanceof Unfit) return error.problem;
    throw error;
  }
}

export const isExample = (result: Example | RowProblem): result is Example => 'segments' in result;

function build(cells: Cells): Example | undefined {
  const { mapping } = cells;
  if (mapping.messages !== undefined) return fromMessages(cells);
  if (mapping.choices !== undefined || (mapping.right !== undefined && mapping.wrong !== undefined)) return fromChoices(cells);
  if (isConversation(cells.of('prompt')) || isConversation(cells.of('completion')) || mapping.system !== undefined) return fromTurns(cells);
  return fromTexts(cells);
}

/** A whole conversation. */
function fromMessages(cells: Cells): Example {
  const column = cells.mapping.messages!;
  const messages = withSystem(turns(needed(cells, 'messages'), column), cells.text('system'));
  const isAsked = cells.options.purpose === 'evaluation' && !messages.some(({ role }) => role === 'assistant');
  if (isAsked && goldOf(cells) !== undefined) return fromAsked(cells, messages);
  const problem = checkTrainable(messages, column);
  if (problem !== undefined) throw new Unfit(problem);
  return conversation(cells, messages);
}

/** A prompt and a completion of which either is messages, or to which a system turn is put. */
function fromTurns(cells: Cells): Example | undefined {
  const asked = turnsAsked(cells);
  const before = withSystem(asked, cells.text('system'));
  if (cells.mapping.completion === undefined && cells.mapping.generations === undefined) return fromAsked(cells, before);
  const completion = cells.of('completion');
  const column = cells.mapping.completion ?? cells.mapping.generations!;
  if (isConversation(completion)) {
    const messages = [...before, ...turns(completion, column)];
    const problem = checkTrainable(messages, column, before.length);
    if (problem !== undefined) throw new Unfit(problem);
    return { ...conversation(cells, messages), firstTrained: before.length };
  }
  const target = targetOf(cells);
  if (target.trim() === '') return undefined;
  return { ...conversation(cells, [...before, { role: 'assistant', content: target }]), firstTrained: before.length };
}

function turnsAsked(cells: Cells): ChatMessage[] {
  const column = cells.mapping.prompt;
  if (column === undefined) return [];
  const prompt = needed(cells, 'prompt');
  return isConversation(prompt) ? turns(prompt, column) : [{ role: 'user', content: withInput(cells) }];
}

function fromTexts(cells: Cells): Example | undefined {
  const { mapping, row } = cells;
  const prompt = mapping.prompt === undefined ? undefined : withInput(cells);
  if (mapping.completion === undefined && mapping.generations === undefined) return fromAsked(cells, undefined);
  const target = targetOf(cells);
  if (target.trim() === '') return undefined;
  const base = { row, group: cells.text('group') };
  if (prompt === undefined) return { ...base, segments: [{ text: target, trained: true }], question: '', answer: goldOf(cells) };
  return {
    ...base,
    segments: [{ text: promptOf(prompt), trained: false }, { text: target, trained: true }],
    question: prompt,
    answer: goldOf(cells) ?? extractAnswer(target),
  };
}

/** A multiple-choice item, or a right and a wrong sentence, of which training learns the right one. */
function fromChoices(cells: Cells): Example {
  const { mapping, row } = cells;
  const choices = mapping.choices === undefined
    ? toPair(textual(cells, 'right'), textual(cells, 'wrong'), row)
    : toChoices(cells.of('choices'), mapping.choices, cells.of('answer'), mapping.answer);
  if (!isChoices(choices)) throw new Unfit(choices);
  const { options, answer } = choices;
  const base = { row, group: cells.text('group'), choices };
  if (mapping.prompt === undefined) return { ...base, segments: [{ text: options[answer]!, trained: true }], question: '', answer: undefined };
  const stem = withInput(cells);
  return {
    ...base,
    segments: [{ text: promptOf(`${stem}\n${listOptions(options)}`), trained: false }, { text: `${letterOf(answer)}. ${options[answer]!}`, trained: true }],
    question: stem,
    answer: letterOf(answer),
  };
}

/** A question with its answer and nothing to learn. */
function fromAsked(cells: Cells, messages: readonly ChatMessage[] | undefined): Example {
  const asked = messages === undefined ? withInput(cells) : questionOf(messages);
  return { row: cells.row, segments: [], ...(messages === undefined ? {} : { messages }), question: asked, answer: goldOf(cells), group: cells.text('group') };
}

function conversation(cells: Cells, messages: readonly ChatMessage[]): Example {
  const strip = cells.options.stripCalculations === true;
  const kept = strip ? messages.map((message) => (message.role === 'assistant' ? { ...message, content: stripCalculations(message.content) } : message)) : messages;
  const answer = goldOf(cells) ?? extractAnswer(lastAnswerOf(kept) ?? '');
  return { row: cells.row, segments: [], messages: kept, question: questionOf(kept), answer, group: cells.text('group') };
}

/** The completion, or the first generation that was verified; where no column tells, the first. */
function targetOf(cells: Cells): string {
  const { mapping, options } = cells;
  let target: string;
  if (mapping.generations === undefined) {
    target = textual(cells, 'completion');
  } else {
    const generations = needed(cells, 'generations');
    const verdicts = cells.of('verified');
    if (!Array.isArray(generations)) throw new Unfit({ what: `it holds ${kindOf(generations)} where a list of texts is needed`, column: mapping.generations });
    const chosen: unknown = generations.find((text, i) => isTextual(text) && (mapping.verified === undefined || (Array.isArray(verdicts) && Boolean(verdicts[i]))));
    if (!isTextual(chosen)) throw new Unfit({ what: `none of its ${generations.length} generations is marked as verified`, column: mapping.verified ?? mapping.generations });
    target = asText(chosen);
  }
  return options.stripCalculations === true ? stripCalculations(target) : target;
}

function withInput(cells: Cells): string {
  const prompt = textual(cells, 'prompt');
  const input = cells.text('input');
  return input === undefined || input.trim() === '' ? prompt : `${prompt}\n${input}`;
}

/** The answer's own column, or the ground truth in it; a blank one tells nothing. */
function goldOf(cells: Cells): string | undefined {
  const cell = cells.of('answer');
  const truth = asObject(cell);
  const gold = truth === undefined ? cell : cellOf(truth, 'ground_truth');
  if (gold === undefined) return undefined;
  if (!isTextual(gold)) throw new Unfit({ what: `it holds ${kindOf(gold)} where text is needed`, column: cells.mapping.answer });
  return asText(gold).trim() === '' ? undefined : asText(gold);
}

function needed(cells: Cells, role: Role): unknown {
  const cell = cells.of(role);
  if (cell === undefined) throw new Unfit({ what: 'it has no value', column: cells.mapping[role] });
  return cell;
}

function textual(cells: Cells, role: Role): string {
  needed(cells, role);
  return cells.text(role)!;
}

function turns(cell: unknown, column: string): ChatMessage[] {
  const messages = toMessages(cell, column);
  if (!Array.isArray(messages)) throw new Unfit(messages);
  return messages;
}
