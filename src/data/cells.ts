/** @file What a cell of a row holds: text, a list, an object. Names of columns come from files, so that nothing here looks past a row's own. */
import { isTooDeep } from './jsonError.ts';
import type { Row } from './parse.ts';

/** The value of a column, undefined where the row has none: `constructor` is a column like any other. */
export const cellOf = (row: Row, column: string): unknown => (Object.hasOwn(row, column) ? (row[column] ?? undefined) : undefined);

/** A cell that can be shown to a model as text. */
export const isTextual = (value: unknown): value is string | number | bigint | boolean => ['string', 'number', 'bigint', 'boolean'].includes(typeof value);

/** Half a surrogate pair has no UTF-8 and becomes U+FFFD. */
export const asText = (value: string | number | bigint | boolean): string => String(value).toWellFormed();

export const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list, also one that a table holds as JSON text. */
export function asList(value: unknown): readonly unknown[] | undefined {
  const parsed = parseCell(value, '[');
  return Array.isArray(parsed) ? (parsed as readonly unknown[]) : undefined;
}

/** An object, also one that a table holds as JSON text. */
export function asObject(value: unknown): Row | undefined {
  const parsed = parseCell(value, '{');
  return isObject(parsed) ? parsed : undefined;
}

function parseCell(value: unknown, opening: string): unknown {
  if (typeof value !== 'string') return value;
  if (!value.trimStart().startsWith(opening) || isTooDeep(value)) return undefined;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

/** For a sentence: "a list". */
export const kindOf = (value: unknown): string => (Array.isArray(value) ? 'a list' : value instanceof Uint8Array ? 'bytes' : isTextual(value) ? `a ${typeof value}` : 'an object');
