/**
 * @file Rows out of .jsonl, .json, .csv, .tsv, .txt (and .gz of them) and .parquet, streamed: no more than one row and one chunk is held, of a parquet
 * file one slice of rows. A bad row comes out as its problem, so that the rest can still be read.
 */
import { asRow, isRow, parseJsonRow } from './jsonRow.ts';
import { parseJsonList } from './parseJsonList.ts';
import { parseLines } from './parseLines.ts';
import { parseTable } from './parseTable.ts';
import { DataProblem, formatCount } from './problem.ts';
import { containerName, decodeText, isCompressed, MAX_ROW_LENGTH, readBytes } from './source.ts';
import type { DataFile, OnBytes } from './source.ts';

export type Row = Readonly<Record<string, unknown>>;

/** What is wrong with one row; importing adds what still holds and what to do. */
export interface RowProblem {
  readonly what: string;
  readonly column?: string | undefined;
  readonly character?: number | undefined;
}

/**
 * `row` is the line of a .jsonl and the record of the others (a table's header is not one), counted from 1. A row that is a line also knows its bytes in
 * the unpacked file, [start, end).
 */
export interface ReadRow {
  readonly row: number;
  readonly value: Row;
  readonly bytes?: readonly [start: number, end: number];
}

export type ParsedRow = ReadRow | { readonly row: number; readonly problem: RowProblem };

/**
 * The rows of a file, some at a time.
 * @throws DataProblem where the whole file cannot be read.
 */
export async function* parseRows(file: DataFile, onBytes: OnBytes = () => {}): AsyncGenerator<ParsedRow[], void> {
  const name = containerName(file.name);
  if (name.endsWith('.parquet') && !isCompressed(file.name)) {
    // The reader and its codecs weigh more than the rest of this room, and few files need them.
    const { parseParquet } = await import('./parquet.ts');
    yield* parseParquet(file, onBytes);
    return;
  }
  const bytes = readBytes(file, onBytes);
  if (name.endsWith('.jsonl') || name.endsWith('.ndjson')) yield* parseLines(bytes);
  else if (name.endsWith('.json')) yield* parseJson(bytes, file.name);
  else if (name.endsWith('.csv')) yield* parseTable(decodeText(bytes), file.name, undefined);
  else if (name.endsWith('.tsv')) yield* parseTable(decodeText(bytes), file.name, '\t');
  else if (name.endsWith('.txt')) yield* parseDocuments(decodeText(bytes));
  else {
    throw new DataProblem({
      file: file.name,
      what: 'files of this kind cannot be read',
      stillHolds: 'Nothing was imported.',
      suggestion: 'Choose a .jsonl, .json, .csv, .tsv, .txt or .parquet file, or one of the first five compressed as .gz.',
    });
  }
}

/** Bytes of a .json file that are looked at to tell its layout. */
const LAYOUT_BYTES = 2 ** 20;

/** A list of objects; or an object that holds one; or, as many .json files are, one object a line. */
async function* parseJson(bytes: AsyncGenerator<Uint8Array, void>, fileName: string): AsyncGenerator<ParsedRow[], void> {
  const chunks: Uint8Array[] = [];
  const decoder = new TextDecoder('utf-8');
  let start = '';
  let length = 0;
  while (length < LAYOUT_BYTES && !/\S\s*\n|^\s*\[/u.test(start)) {
    const chunk = await bytes.next();
    if (chunk.done === true) break;
    chunks.push(chunk.value);
    length += chunk.value.length;
    start += decoder.decode(chunk.value, { stream: true });
  }
  if (start.trim() === '' && length < LAYOUT_BYTES) return;
  const whole = prepend(chunks, bytes);
  if (start.trimStart().startsWith('[')) {
    yield* parseJsonList(decodeText(whole), parseJsonRow);
    return;
  }
  const [firstLine, ...others] = start.trimStart().split('\n', 2);
  if (others.length > 0 && 'value' in parseJsonRow(firstLine!, 1, 'line')) {
    yield* parseLines(whole);
    return;
  }
  yield parseJsonObject(await collect(decodeText(whole), fileName), fileName);
}

function parseJsonObject(text: string, fileName: string): ParsedRow[] {
  const parsed = parseJsonRow(text, 1, 'file');
  if ('problem' in parsed) {
    throw new DataProblem({ file: fileName, ...parsed.problem, stillHolds: 'Nothing was imported.', suggestion: 'Choose a file that holds a list of objects.' });
  }
  const lists = Object.values(parsed.value).filter((value) => Array.isArray(value) && value.length > 0 && value.every(isRow));
  // A conversation is a row by itself, and not a list of rows.
  const [list] = lists as Row[][];
  if (lists.length === 1 && !list!.some((item) => Object.hasOwn(item, 'role') || Object.hasOwn(item, 'from'))) return list!.map((value, i) => asRow(value, i + 1));
  return [parsed];
}

const DOCUMENT_MARK = '<|endoftext|>';

/** Documents of plain text: apart at <|endoftext|> lines where the beginning of the file has one, else at blank lines. */
async function* parseDocuments(text: AsyncIterable<string>): AsyncGenerator<ParsedRow[], void> {
  let separator: string | undefined;
  let rest = '';
  /** Characters of a document that has grown too long and is no longer kept. */
  let dropped = 0;
  let row = 0;
  const toRow = (document: string): ParsedRow[] => {
    const length = dropped + document.length;
    dropped = 0;
    if (length > MAX_ROW_LENGTH) {
      return [{ row: ++row, problem: { what: `the document is too long: ${formatCount(length)} characters of at most ${formatCount(MAX_ROW_LENGTH)}; documents end at ${separator === DOCUMENT_MARK ? DOCUMENT_MARK : 'a blank line'}` } }];
    }
    const trimmed = withoutLineEnds(document);
    return trimmed.trim() === '' ? [] : [{ row: ++row, value: { text: trimmed } }];
  };
  /** Where the end of the rest may hold the first half of a separator; the rest itself is not searched twice. */
  let tail = '';
  for await (const chunk of text) {
    separator ??= chunk.includes(DOCUMENT_MARK) ? DOCUMENT_MARK : '\n\n';
    const isWhole = (tail + chunk).includes(separator);
    tail = (tail + chunk).slice(1 - separator.length);
    rest += chunk;
    if (isWhole) {
      const documents = rest.split(separator);
      rest = documents.pop()!;
      yield documents.flatMap(toRow);
    } else if (rest.length > MAX_ROW_LENGTH) {
      dropped += rest.length - tail.length;
      rest = tail;
    }
  }
  yield toRow(rest);
}

/** Without the line ends at its beginning and its end. */
function withoutLineEnds(text: string): string {
  let [start, end] = [0, text.length];
  while (text[start] === '\n') start++;
  while (end > start && text[end - 1] === '\n') end--;
  return text.slice(start, end);
}

async function* prepend(chunks: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* chunks;
  yield* rest;
}

/** A single value has to be parsed as a whole. */
const MAX_JSON_VALUE = 64 * 2 ** 20;

async function collect(text: AsyncIterable<string>, fileName: string): Promise<string> {
  const parts: string[] = [];
  let length = 0;
  for await (const part of text) {
    parts.push(part);
    length += part.length;
    if (length <= MAX_JSON_VALUE) continue;
    throw new DataProblem({
      file: fileName,
      what: `the file is one JSON value of more than ${formatCount(MAX_JSON_VALUE)} characters`,
      stillHolds: 'Nothing was imported.',
      suggestion: 'Save its rows as a list, or one a line as .jsonl.',
    });
  }
  return parts.join('');
}
