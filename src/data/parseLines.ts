/**
 * @file One JSON object a line, cut at the line ends of the bytes themselves, so that every row knows where in the file it stands and can be read again
 * from there.
 */
import { parseJsonRow } from './jsonRow.ts';
import type { ParsedRow } from './parse.ts';
import { formatCount } from './problem.ts';
import { MAX_ROW_LENGTH } from './source.ts';

const LINE_END = 10;

/** Blank lines are passed over, and counted. The bytes of a row end before its \n. */
export async function* parseLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ParsedRow[], void> {
  const decoder = new TextDecoder('utf-8');
  /** The beginning of the line that no chunk has ended yet; emptied where it grows too long. */
  let begun: Uint8Array[] = [];
  let begunLength = 0;
  let lineStart = 0;
  let row = 0;

  const finish = (end: Uint8Array): ParsedRow | undefined => {
    row++;
    const start = lineStart;
    const length = begunLength + end.length;
    lineStart += length + 1;
    const parts = begun;
    begun = [];
    begunLength = 0;
    if (length > MAX_ROW_LENGTH) return { row, problem: { what: `the line is too long: ${formatCount(length)} bytes of at most ${formatCount(MAX_ROW_LENGTH)}` } };
    const line = decoder.decode(parts.length === 0 ? end : concat([...parts, end], length));
    if (line.trim() === '') return undefined;
    const parsed = parseJsonRow(line, row, 'line');
    return 'problem' in parsed ? parsed : { ...parsed, bytes: [start, start + length] };
  };

  for await (const chunk of chunks) {
    const rows: ParsedRow[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      const parsed = finish(chunk.subarray(start, end));
      if (parsed !== undefined) rows.push(parsed);
      start = end + 1;
    }
    begunLength += chunk.length - start;
    if (begunLength > MAX_ROW_LENGTH) begun = [];
    else begun.push(chunk.slice(start));
    yield rows;
  }
  const last = finish(new Uint8Array(0));
  if (last !== undefined) yield [last];
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
