/**
 * @file Which column plays which part. A new shape of data is one more line in SHAPES; the user can change every choice.
 */
import { cellOf, isObject, isTextual } from './cells.ts';
import { holdsMarkedOptions, holdsOptions } from './choices.ts';
import { isConversation, isShareGpt } from './conversations.ts';
import type { DatasetColumns, Role } from './mapping.ts';
import type { Row } from './parse.ts';

export type DatasetKind =
  | 'messages' | 'sharegpt' | 'openr1-math' | 'prompt-completion' | 'alpaca' | 'gsm8k' | 'math' | 'multiple-choice' | 'sentence-pairs' | 'verl' | 'question-answer' | 'text' | 'custom';

/** For the page. */
export const kindNames: Readonly<Record<DatasetKind, string>> = {
  messages: 'messages',
  sharegpt: 'ShareGPT',
  'openr1-math': 'OpenR1-Math',
  'prompt-completion': 'prompt and completion',
  alpaca: 'Alpaca',
  gsm8k: 'GSM8K',
  math: 'MATH',
  'multiple-choice': 'multiple choice',
  'sentence-pairs': 'sentence pairs',
  verl: 'verl evaluation',
  'question-answer': 'question and answer',
  text: 'text',
  custom: 'other columns',
};

/**
 * What is learnt from a row of OpenR1-Math, which holds all three. Without a choice it is the messages: they are what its authors trained on, they stand
 * first in the list of shapes, and they need no rule of ours to be put together.
 */
export type Take = 'messages' | 'generation' | 'solution';

/** Names of columns in lower case, the first that exists wins; and what every filled cell of the sample must be, text unless said otherwise. */
type Wanted = { readonly [role in Role]?: readonly string[] | { readonly names: readonly string[]; readonly is: (cell: unknown) => boolean } };

interface Shape {
  readonly kind: Exclude<DatasetKind, 'custom'>;
  readonly needs: Wanted;
  /** Columns that must be there and play no part. */
  readonly beside?: Wanted;
  readonly takes?: Wanted;
  /** A mark that every sampled completion must carry. */
  readonly mark?: RegExp;
  readonly take?: Take;
}

const GROUPS = ['group', 'type', 'subject', 'category', 'topic', 'dataset', 'data_source'];
const ANSWERS = ['answer', 'gold', 'gt', 'ground_truth'];

const isSystem = { names: ['system', 'system_prompt'], is: isTextual };
const isTurns = (cell: unknown): boolean => isTextual(cell) || isConversation(cell);
const isVerdict = (cell: unknown): boolean => Array.isArray(cell) && cell.every((item) => item === null || typeof item === 'boolean' || item === 0 || item === 1);
const isTextList = (cell: unknown): boolean => Array.isArray(cell) && cell.every((item) => item === null || isTextual(item));
const isReward = (cell: unknown): boolean => isObject(cell) && Object.hasOwn(cell, 'ground_truth');
const conversation = (...names: string[]): { readonly names: readonly string[]; readonly is: (cell: unknown) => boolean } => ({ names, is: isConversation });

/** First match wins. */
const SHAPES: readonly Shape[] = [
  // OpenR1-Math has messages too, and is asked what to take of it; so it comes before them.
  { kind: 'openr1-math', needs: { messages: conversation('messages') }, beside: { prompt: ['problem'], completion: ['solution'] }, takes: { answer: ANSWERS, group: GROUPS }, take: 'messages' },
  {
    kind: 'openr1-math', needs: { prompt: ['problem'], generations: { names: ['generations'], is: isTextList } },
    takes: { verified: { names: ['correctness_math_verify', 'is_correct'], is: isVerdict }, answer: ANSWERS, group: GROUPS }, take: 'generation',
  },
  { kind: 'openr1-math', needs: { prompt: ['problem'], completion: ['solution'] }, beside: { messages: conversation('messages') }, takes: { answer: ANSWERS, group: GROUPS }, take: 'solution' },
  { kind: 'messages', needs: { messages: conversation('messages') }, takes: { system: isSystem, answer: ANSWERS, group: GROUPS } },
  { kind: 'sharegpt', needs: { messages: { names: ['conversations', 'conversation'], is: isShareGpt } }, takes: { system: isSystem, answer: ANSWERS, group: GROUPS } },
  { kind: 'messages', needs: { messages: conversation('conversations', 'conversation', 'chat', 'dialog', 'dialogue') }, takes: { system: isSystem, answer: ANSWERS, group: GROUPS } },
  { kind: 'prompt-completion', needs: { prompt: { names: ['prompt'], is: isTurns }, completion: { names: ['completion', 'response'], is: isTurns } }, takes: { system: isSystem, answer: ANSWERS, group: GROUPS } },
  { kind: 'alpaca', needs: { prompt: ['instruction'], completion: ['output', 'response'] }, takes: { input: ['input'], system: isSystem, answer: ANSWERS, group: GROUPS } },
  { kind: 'gsm8k', needs: { prompt: ['question'], completion: ['answer'] }, takes: { group: GROUPS }, mark: /####/u },
  {
    kind: 'multiple-choice',
    needs: { prompt: ['question', 'question_stem', 'ctx', 'query', 'problem'], choices: { names: ['choices', 'options', 'endings'], is: holdsOptions }, answer: ['answer', 'answerkey', 'answer_key', 'answer_index', 'correct', 'label', 'gold', 'target'] },
    takes: { group: GROUPS },
  },
  { kind: 'multiple-choice', needs: { prompt: ['question'], choices: { names: ['mc1_targets', 'mc2_targets'], is: holdsMarkedOptions } }, takes: { group: GROUPS } },
  { kind: 'multiple-choice', needs: { prompt: ['question'], right: ['best answer', 'best_answer'], wrong: ['best incorrect answer', 'best_incorrect_answer'] }, takes: { group: ['category', ...GROUPS] } },
  { kind: 'sentence-pairs', needs: { right: ['sentence_good'], wrong: ['sentence_bad'] }, takes: { group: ['uid', 'linguistics_term'] } },
  { kind: 'math', needs: { prompt: ['problem'], completion: ['solution'] }, takes: { answer: ANSWERS, group: GROUPS } },
  { kind: 'verl', needs: { prompt: { names: ['prompt'], is: isTurns }, answer: { names: ['reward_model'], is: isReward } }, takes: { group: GROUPS } },
  { kind: 'question-answer', needs: { prompt: ['body'], input: ['question'], completion: ['answer'] }, takes: { group: GROUPS } },
  {
    kind: 'question-answer',
    needs: { prompt: ['question', 'problem', 'query', 'input'], completion: ['solution', 'response', 'answer', 'target', 'output', 'best answer'] },
    takes: { group: GROUPS },
  },
  { kind: 'text', needs: { completion: ['text', 'content', 'story'] }, takes: { group: GROUPS } },
];

export interface Recognised {
  readonly kind: DatasetKind;
  readonly mapping: DatasetColumns;
}

/**
 * @param sample the first rows of the file.
 * @param take of OpenR1-Math.
 * @returns undefined where no shape fits.
 */
export function recognise(sample: readonly Row[], take?: Take): Recognised | undefined {
  const columns = new Map(columnsOf(sample).toReversed().map((column) => [column.toLowerCase(), column]));
  const mapRoles = (wanted: Wanted): Found => findRoles(wanted, columns, sample);
  const hasAll = (wanted: Wanted, found: DatasetColumns): boolean => Object.keys(found).length === Object.keys(wanted).length;
  for (const { kind, needs, beside = {}, takes = {}, mark, take: own } of SHAPES) {
    if (take !== undefined && own !== undefined && own !== take) continue;
    const needed = mapRoles(needs);
    if (!hasAll(needs, needed) || !hasAll(beside, mapRoles(beside))) continue;
    const { completion } = needed;
    if (mark !== undefined && completion !== undefined && !sample.every((row) => mark.test(String(cellOf(row, completion))))) continue;
    return { kind, mapping: { ...mapRoles(takes), ...needed } };
  }
  return undefined;
}

/**
 * A start for the user where no shape fits: a column of conversations; else of the two columns with the longest texts the first is the prompt, the other
 * the completion; a lone one is plain text. @returns undefined where nothing is text, or where a column holds lists or objects: guessing would hide them.
 */
export function guessMapping(sample: readonly Row[]): DatasetColumns | undefined {
  const columns = columnsOf(sample);
  const messages = columns.find((column) => holds(sample, column, isConversation));
  if (messages !== undefined) return { messages };
  const isStructured = (value: unknown): boolean => typeof value === 'object' && value !== null;
  if (columns.some((column) => sample.some((row) => isStructured(cellOf(row, column))))) return undefined;
  const length = (column: string): number => sample.reduce((sum, row) => {
    const cell = cellOf(row, column);
    return sum + (typeof cell === 'string' ? cell.length : 0);
  }, 0);
  const longest = columns.filter((column) => length(column) > 0).sort((a, b) => length(b) - length(a)).slice(0, 2);
  const [first, second] = longest.sort((a, b) => columns.indexOf(a) - columns.indexOf(b));
  if (first === undefined) return undefined;
  return second === undefined ? { completion: first } : { prompt: first, completion: second };
}

/** Columns of the sample in their order of appearance. */
export const columnsOf = (sample: readonly Row[]): string[] => [...new Set(sample.flatMap((row) => Object.keys(row)))];

/** Whether a column is filled in some row of the sample, and rightly in all where it is filled. */
function holds(sample: readonly Row[], column: string, is: (cell: unknown) => boolean): boolean {
  const filled = sample.map((row) => cellOf(row, column)).filter((cell) => cell !== undefined);
  return filled.length > 0 && filled.every(is);
}

type Found = { -readonly [role in Role]?: string };

/** @param columns by their names in lower case. */
function findRoles(wanted: Wanted, columns: ReadonlyMap<string, string>, sample: readonly Row[]): Found {
  const mapping: Found = {};
  for (const [role, want] of Object.entries(wanted) as [Role, NonNullable<Wanted[Role]>][]) {
    const { names, is } = 'is' in want ? want : { names: want, is: isTextual };
    const column = names.map((name) => columns.get(name)).find((candidate) => candidate !== undefined && holds(sample, candidate, is));
    if (column !== undefined) mapping[role] = column;
  }
  return mapping;
}
