/**
 * @file What can be wrong with data, in the four parts every alert of the page has: what, where, what still holds, what to do.
 */

export interface ProblemDetails {
  /** File name as the user knows it. */
  readonly file: string;
  /** Line of a .jsonl, record of the other kinds, counted from 1; undefined where the whole file is meant. */
  readonly row?: number | undefined;
  readonly column?: string | undefined;
  /** Position inside the row, counted from 1. */
  readonly character?: number | undefined;
  /** A clause: "the line ends inside a string". */
  readonly what: string;
  /** A sentence: "Rows 1 to 1,872 read well." */
  readonly stillHolds: string;
  /** A sentence, or the words of a button: "Skip this row". */
  readonly suggestion: string;
  /** An error blocks the run; a warning does not. */
  readonly severity?: 'error' | 'warning';
}

/** One problem, thrown or listed. `message` is all of it: file, sentence, what still holds, what to do. */
export class DataProblem extends Error implements ProblemDetails {
  override readonly name = 'DataProblem';
  readonly file: string;
  readonly row: number | undefined;
  readonly column: string | undefined;
  readonly character: number | undefined;
  readonly what: string;
  readonly stillHolds: string;
  readonly suggestion: string;
  readonly severity: 'error' | 'warning';
  /** What and where: "Row 1,873: the line ends inside a string, at character 288." */
  readonly sentence: string;

  constructor(details: ProblemDetails) {
    const { file, row, column, character, what, stillHolds, suggestion, severity = 'error' } = details;
    const where = row === undefined ? '' : `Row ${formatCount(row)}${column === undefined ? '' : `, column ${column}`}: `;
    const at = character === undefined ? '' : `, at character ${formatCount(character)}`;
    const sentence = `${where === '' ? capitalise(what) : where + what}${at}.`;
    super([`${file}: ${sentence}`, stillHolds, suggestion].filter((part) => part !== '').join(' '));
    this.file = file;
    this.row = row;
    this.column = column;
    this.character = character;
    this.what = what;
    this.stillHolds = stillHolds;
    this.suggestion = suggestion;
    this.severity = severity;
    this.sentence = sentence;
  }
}

/** What the reader may still say about the rows before a bad one. */
export function rowsReadWell(count: number): string {
  if (count === 0) return 'It is the first row.';
  return count === 1 ? 'Row 1 read well.' : `Rows 1 to ${formatCount(count)} read well.`;
}

/** 1873 -> "1,873", whatever the language of the browser. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

const capitalise = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
