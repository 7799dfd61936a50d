/**
 * @file Rows out of .jsonl, .json, .csv, .tsv and .txt (and .gz of them), streamed: no more than one row and one chunk is held.
 * A bad row comes out as its problem, so that the rest can still be read.
 */
import { locateJsonError } from './jsonError.ts';
import { parseJsonList } from './parseJsonList.ts';
import { parseTable } from './parseTable.ts';
import { DataProblem } from './problem.ts';
import { containerName, readText } from './source.ts';
import type { DataFile, OnBytes } from './source.ts';

export type Row = Readonly<Record<string, unknown>>;

/** What is wrong with one row; importing adds what still holds and what to do. */
export interface RowProblem {
  readonly what: string;
  readonly column?: string | undefined;
  readonly character?: number | undefined;
}

/** `row` is the line of a .jsonl and the record of the others (a table's header is not one), counted from 1. */
export type ParsedRow = { readonly row: number; readonly value: Row } | { readonly row: number; readonly problem: RowProblem };

/**
 * The rows of a file, some at a time.
 * @throws DataProblem where the whole file cannot be read.
 */
export async function* parseRows(file: DataFile, onBytes: OnBytes = () => {}): AsyncGenerator<ParsedRow[], void> {
  const name = containerName(file.name);
  const text = readText(file, onBytes);
  if (name.endsWith('.jsonl') || name.endsWith('.ndjson')) yield* parseLines(text);
  else if (name.endsWith('.json')) yield* parseJson(text, file.name);
  else if (name.endsWith('.csv')) yield* parseTable(text, file.name, undefined);
  else if (name.endsWith('.tsv')) yield* parseTable(text, file.name, '\t');
  else if (name.endsWith('.txt')) yield* parseDocuments(text);
  else {
    throw new DataProblem({
      file: file.name,
      what: 'files of this kind cannot be read',
      stillHolds: 'Nothing was imported.',
      suggestion: 'Choose a .jsonl, .json, .csv, .tsv or .txt file, or one of them compressed as .gz.',
    });
  }
}

/** One JSON value -> a row, or what is wrong with it. `unit` is what the text is to the reader. */
export function parseJsonRow(text: string, row: number, unit: string): ParsedRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { row, problem: locateJsonError(text, unit) };
  }
  return asRow(value, row);
}

function asRow(value: unknown, row: number): ParsedRow {
  if (isRow(value)) return { row, value };
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  return { row, problem: { what: `it is ${kind} and not an object with named values` } };
}

/** One object a line; blank lines are passed over, and counted. */
async function* parseLines(text: AsyncIterable<string>): AsyncGenerator<ParsedRow[], void> {
  let rest = '';
  let row = 0;
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    const rows: ParsedRow[] = [];
    for (const line of lines) {
      row++;
      if (line.trim() !== '') rows.push(parseJsonRow(line, row, 'line'));
    }
    yield rows;
  }
  if (rest.trim() !== '') yield [parseJsonRow(rest, row + 1, 'line')];
}

/** A list of objects; or an object that holds one; or, as many .json files are, one object a line. */
async function* parseJson(text: AsyncGenerator<string, void>, fileName: string): AsyncGenerator<ParsedRow[], void> {
  let start = '';
  while (start.trim() === '') {
    const chunk = await text.next();
    if (chunk.done === true) return;
    start += chunk.value;
  }
  const whole = prepend(start, text);
  if (start.trimStart().startsWith('[')) {
    yield* parseJsonList(whole, parseJsonRow);
    return;
  }
  const [firstLine, ...others] = start.trim().split('\n', 2);
  if (others.length > 0 && 'value' in parseJsonRow(firstLine!, 1, 'line')) {
    yield* parseLines(whole);
    return;
  }
  yield parseJsonObject(await collect(whole), fileName);
}

function parseJsonObject(text: string, fileName: string): ParsedRow[] {
  const parsed = parseJsonRow(text, 1, 'file');
  if ('problem' in parsed) {
    throw new DataProblem({ file: fileName, ...parsed.problem, stillHolds: 'Nothing was imported.', suggestion: 'Choose a file that holds a list of objects.' });
  }
  const lists = Object.values(parsed.value).filter((value) => Array.isArray(value) && value.length > 0 && value.every(isRow));
  if (lists.length === 1) return (lists[0] as unknown[]).map((value, i) => asRow(value, i + 1));
  return [parsed];
}

const DOCUMENT_MARK = '<|endoftext|>';

/** Documents of plain text: apart at <|endoftext|> lines where the beginning of the file has one, else at blank lines. */
async function* parseDocuments(text: AsyncIterable<string>): AsyncGenerator<ParsedRow[], void> {
  let separator: string | undefined;
  let rest = '';
  let row = 0;
  const toRows = (documents: string[]): ParsedRow[] =>
    documents.map((document) => document.replace(/^\n+|\n+$/gu, '')).filter((document) => document.trim() !== '').map((document) => ({ row: ++row, value: { text: document } }));
  for await (const chunk of text) {
    rest += chunk;
    separator ??= rest.includes(DOCUMENT_MARK) ? DOCUMENT_MARK : '\n\n';
    const documents = rest.split(separator);
    rest = documents.pop()!;
    yield toRows(documents);
  }
  yield toRows([rest]);
}

async function* prepend(start: string, text: AsyncIterable<string>): AsyncGenerator<string, void> {
  yield start;
  yield* text;
}

async function collect(text: AsyncIterable<string>): Promise<string> {
  const parts: string[] = [];
  for await (const part of text) parts.push(part);
  return parts.join('');
}

const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);
