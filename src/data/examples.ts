/**
 * @file A row becomes an example: segments of text, each trained or not, and what an evaluation needs to know about it.
 * The plain form is `prompt + "\n"`, not trained, then the completion and the end-of-text token, both trained.
 */
import type { ChatMessage } from '../formats/chatMessage.ts';
import { extractAnswer } from './gold.ts';
import type { Row, RowProblem } from './parse.ts';
import { isTextual } from './recognise.ts';
import type { ColumnMapping } from './recognise.ts';

export interface Segment {
  readonly text: string;
  /** Whether its tokens are labels of the loss. */
  readonly trained: boolean;
}

export interface Example {
  /** Where it stands in the file, as in ParsedRow. */
  readonly row: number;
  readonly segments: readonly Segment[];
  /** The conversation of a chat row, whose segments are empty: a chat template makes text of it, the assistant's turns are trained. */
  readonly messages?: readonly ChatMessage[];
  /** Options of a multiple-choice item and the index of the right one. */
  readonly choices?: { readonly options: readonly string[]; readonly answer: number };
  /** Prompt and input; empty for plain text, which has a completion only. */
  readonly question: string;
  /** The gold answer: its own column, or what extractAnswer finds in the completion. */
  readonly answer: string | undefined;
  readonly group: string | undefined;
}

export interface ExampleOptions {
  /** Drops GSM8K's calculator notes: "48/2 = <<48/2=24>>24" becomes "48/2 = 24". */
  readonly stripCalculations?: boolean;
}

/** What stands before the completion. Evaluation and the playground must build their prompts with it too, or they test another task. */
export const promptOf = (question: string): string => `${question}\n`;

export const stripCalculations = (text: string): string => text.replace(/<<[^<>\n]*>>/gu, '');

/** @returns the example, the problem of the row, or undefined where there is nothing to train on: the completion is blank. */
export function toExample(value: Row, row: number, mapping: ColumnMapping, options: ExampleOptions = {}): Example | RowProblem | undefined {
  const cells: { -readonly [role in keyof ColumnMapping]?: string } = {};
  for (const [role, column] of Object.entries(mapping) as [keyof ColumnMapping, string][]) {
    const cell = value[column];
    if (isTextual(cell)) cells[role] = String(cell);
    else if (cell != null) return { what: `it holds ${Array.isArray(cell) ? 'a list' : 'an object'} where text is needed`, column };
    else if (role === 'prompt' || role === 'completion') return { what: 'it has no value', column };
  }
  const { prompt, input, completion = '' } = cells;
  const target = options.stripCalculations === true ? stripCalculations(completion) : completion;
  if (target.trim() === '') return undefined;
  const base = { row, group: cells.group };
  if (prompt === undefined) return { ...base, segments: [{ text: target, trained: true }], question: '', answer: cells.answer };
  const question = input === undefined || input.trim() === '' ? prompt : `${prompt}\n${input}`;
  return {
    ...base,
    segments: [{ text: promptOf(question), trained: false }, { text: target, trained: true }],
    question,
    answer: cells.answer ?? extractAnswer(target),
  };
}

export const isExample = (result: Example | RowProblem): result is Example => 'segments' in result;
