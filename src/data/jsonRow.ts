/** @file JSON text of one row -> the row, or what is wrong with it. */
import { isTooDeep, locateJsonError } from './jsonError.ts';
import type { ParsedRow, Row } from './parse.ts';
import { formatCount } from './problem.ts';

/** `unit` is what the text is to the reader: "line". */
export function parseJsonRow(text: string, row: number, unit: string): ParsedRow {
  let value: unknown;
  try {
    if (isTooDeep(text)) return { row, problem: locateJsonError(text, unit) };
    value = JSON.parse(text);
  } catch {
    return { row, problem: locateJsonError(text, unit) };
  }
  return asRow(value, row);
}

/** Columns of a row or a table; what has more is no table of examples. */
export const MAX_COLUMNS = 2000;

export function asRow(value: unknown, row: number): ParsedRow {
  if (isRow(value)) {
    const count = Object.keys(value).length;
    return count <= MAX_COLUMNS ? { row, value } : { row, problem: { what: `it has ${formatCount(count)} named values of at most ${formatCount(MAX_COLUMNS)}` } };
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  return { row, problem: { what: `it is ${kind} and not an object with named values` } };
}

export const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);
