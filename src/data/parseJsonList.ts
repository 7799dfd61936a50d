/**
 * @file Cuts a JSON list into the texts of its elements while it streams in, so that a 1 GB list is never one value in memory.
 */
import type { ParsedRow } from './parse.ts';
import { formatCount } from './problem.ts';
import { MAX_ROW_LENGTH } from './source.ts';

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d];

/**
 * @param text begins with [ after whitespace.
 * @param parseElement text of one element, and its number from 1.
 */
export async function* parseJsonList(
  text: AsyncIterable<string>,
  parseElement: (text: string, row: number, unit: string) => ParsedRow,
): AsyncGenerator<ParsedRow[], void> {
  let row = 0;
  /** Of the element being read; the list itself is depth 0, before it -1. */
  let depth = -1;
  let inString = false;
  let isEscaped = false;
  /** Text of the element so far. An element begins after a comma or [, and whitespace around it does no harm. */
  let element = '';
  /** Characters of an element that has grown too long and is no longer kept. */
  let dropped = 0;
  let isClosed = false;

  for await (const chunk of text) {
    const rows: ParsedRow[] = [];
    const finish = (end: string, isLast: boolean): void => {
      const whole = element + end;
      const length = dropped + whole.length;
      element = '';
      dropped = 0;
      // A list may be empty; a comma without an element before it is an error that parseElement words.
      if (isLast && row === 0 && whole.trim() === '') return;
      rows.push(length > MAX_ROW_LENGTH ? tooLong(length, ++row) : parseElement(whole, ++row, 'row'));
    };
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const code = chunk.charCodeAt(i);
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (code === BACKSLASH) isEscaped = true;
        else if (code === QUOTE) inString = false;
      } else if (code === QUOTE) {
        inString = true;
      } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
        depth++;
        if (depth === 0) start = i + 1;
      } else if (code === COMMA && depth === 0) {
        finish(chunk.slice(start, i), false);
        start = i + 1;
      } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
        depth--;
        if (depth >= 0) continue;
        finish(chunk.slice(start, i), true);
        isClosed = true;
        start = i + 1;
      }
    }
    element += depth === -1 && !isClosed ? '' : chunk.slice(start);
    if (element.length > MAX_ROW_LENGTH) {
      dropped += element.length;
      element = '';
    }
    yield rows;
  }
  if (!isClosed && dropped > 0) yield [tooLong(dropped + element.length, row + 1)];
  else if (!isClosed) yield [element.trim() === '' ? { row: row + 1, problem: { what: 'the file ends before the list is closed' } } : unfinished(element, row + 1, parseElement)];
  else if (dropped > 0 || element.trim() !== '') yield [{ row: row + 1, problem: { what: 'there is more text after the end of the list' } }];
}

function unfinished(element: string, row: number, parseElement: (text: string, row: number, unit: string) => ParsedRow): ParsedRow {
  const parsed = parseElement(element, row, 'file');
  return 'problem' in parsed ? parsed : { row, problem: { what: 'the file ends before the list is closed' } };
}

const tooLong = (length: number, row: number): ParsedRow => ({
  row,
  problem: { what: `it is too long: ${formatCount(length)} characters of at most ${formatCount(MAX_ROW_LENGTH)}` },
});
