/** @file Multiple-choice items: options and the right one, in the ways that MMLU, ARC, CommonsenseQA, HellaSwag, TruthfulQA, AQuA and BLiMP write them. */
import { asList, asObject, asText, cellOf, isTextual, kindOf } from './cells.ts';
import type { RowProblem } from './parse.ts';

export interface Choices {
  readonly options: readonly string[];
  /** Index of the right one. */
  readonly answer: number;
}

export const isChoices = (value: Choices | RowProblem): value is Choices => 'options' in value;

/** Letters name options in prompts; nobody asks with more. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export const letterOf = (index: number): string => LETTERS[index] ?? String(index + 1);

/** The options as a prompt lists them: "A. one\nB. two". */
export const listOptions = (options: readonly string[]): string => options.map((option, i) => `${letterOf(i)}. ${option}`).join('\n');

/** Whether a cell can be options: a list of two texts or more, or an object that holds one. */
export const holdsOptions = (cell: unknown): boolean => (optionsIn(cell)?.options.length ?? 0) >= 2;

/** Whether a cell holds options and also marks the right ones, as TruthfulQA's targets do. */
export const holdsMarkedOptions = (cell: unknown): boolean => optionsIn(cell)?.marks !== undefined;

interface Options {
  readonly options: readonly string[];
  /** What the answer calls them: "A", "1". */
  readonly labels?: readonly string[] | undefined;
  /** 1 for the right ones, 0 for the others. */
  readonly marks?: readonly number[] | undefined;
}

function optionsIn(cell: unknown): Options | undefined {
  const object = asObject(cell);
  if (object === undefined) {
    const options = texts(asList(cell));
    return options && { options: withoutLetters(options) };
  }
  const options = texts(asList(cellOf(object, 'text') ?? cellOf(object, 'choices')));
  const labels = texts(asList(cellOf(object, 'label') ?? cellOf(object, 'labels')));
  if (options === undefined || (labels !== undefined && labels.length !== options.length)) return undefined;
  const isMarks = Object.hasOwn(object, 'choices') && labels?.every((label) => label === '0' || label === '1') === true;
  return isMarks ? { options, marks: labels.map(Number) } : { options, labels };
}

function texts(list: readonly unknown[] | undefined): string[] | undefined {
  return list?.every(isTextual) === true ? list.map(asText) : undefined;
}

/** "A) 21", "B) 22" -> "21", "22", where every option begins with its own letter. */
function withoutLetters(options: readonly string[]): readonly string[] {
  const opening = /^\(?([A-Z])[).:]\s*(?=\S)/u;
  return options.every((option, i) => opening.exec(option)?.[1] === letterOf(i)) ? options.map((option) => option.replace(opening, '')) : options;
}

/** @param answer the cell that tells the right option: its label, letter, index from 0, or text. */
export function toChoices(cell: unknown, column: string, answer: unknown, answerColumn: string | undefined): Choices | RowProblem {
  const found = optionsIn(cell);
  if (found === undefined || found.options.length < 2) return { what: cell === undefined ? 'it has no options' : `it holds ${kindOf(cell)} where two or more options are needed`, column };
  const { options, labels, marks } = found;
  if (marks !== undefined && answerColumn === undefined) {
    const right = marks.indexOf(1);
    return right < 0 ? { what: 'none of its options is marked as right', column } : { options, answer: right };
  }
  if (answerColumn === undefined) return { what: 'no column tells the right option', column };
  if (!isTextual(answer)) return { what: 'it does not tell the right option', column: answerColumn };
  const index = indexOf(asText(answer).trim(), options, labels);
  if (index < 0) return { what: `${JSON.stringify(asText(answer).slice(0, 40))} is none of the ${options.length} options, nor their letter or index from 0`, column: answerColumn };
  return { options, answer: index };
}

function indexOf(answer: string, options: readonly string[], labels: readonly string[] | undefined): number {
  const labelled = labels?.findIndex((label) => label.trim() === answer) ?? -1;
  if (labelled >= 0) return labelled;
  const letter = LETTERS.slice(0, options.length).indexOf(/^\(?([A-Z])[).:]?$/u.exec(answer)?.[1] ?? '?');
  if (letter >= 0) return letter;
  const same = options.findIndex((option) => option.trim() === answer);
  if (same >= 0 && !/^\d+$/u.test(answer)) return same;
  const index = /^\d+(?:\.0)?$/u.test(answer) ? Number(answer) : -1;
  return index >= 0 && index < options.length ? index : same;
}

/** A right and a wrong text from columns of their own. They take turns in being the first, or "A" would always be right. */
export function toPair(right: string, wrong: string, row: number): Choices {
  return row % 2 === 1 ? { options: [right, wrong], answer: 0 } : { options: [wrong, right], answer: 1 };
}
