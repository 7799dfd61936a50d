/**
 * @file Comma- and tab-separated tables with a header (RFC 4180), by Papa Parse's core, fed chunk by chunk. Its own streaming needs a FileReader,
 * which Node lacks; the core tells where the last complete record ended, and that is all streaming takes.
 */
import Papa from 'papaparse';
import { MAX_COLUMNS } from './jsonRow.ts';
import type { ParsedRow, Row, RowProblem } from './parse.ts';
import { DataProblem, formatCount } from './problem.ts';
import { MAX_ROW_LENGTH } from './source.ts';

/** What Papa.Parser.parse returns, of which the types say nothing. */
interface CoreResult {
  readonly data: readonly (readonly string[])[];
  readonly errors: readonly { readonly code: string; readonly row: number }[];
  readonly meta: { readonly cursor: number };
}

/**
 * @param delimiter undefined: the one of comma, semicolon and tab that the header has most of.
 * @throws DataProblem for a header that cannot be used.
 */
export async function* parseTable(text: AsyncIterable<string>, fileName: string, delimiter: string | undefined): AsyncGenerator<ParsedRow[], void> {
  let parser: Papa.Parser | undefined;
  let header: readonly string[] | undefined;
  let row = 0;
  let rest = '';
  /** Length of the rest in which the last look found no end of a record. It is looked at again when twice as long, so that the work stays linear. */
  let stuckAt = 0;

  const read = (isEnd: boolean): ParsedRow[] => {
    parser ??= new Papa.Parser({ delimiter: delimiter ?? guessDelimiter(rest), newline: '\n', quoteChar: '"' });
    const { data, errors, meta } = parser.parse(rest, 0, !isEnd) as CoreResult;
    const quoteErrors = new Map(errors.map((error) => [error.row, error.code]));
    const rows: ParsedRow[] = [];
    data.forEach((fields, i) => {
      if (fields.length === 1 && fields[0]!.trim() === '') return;
      if (header === undefined) {
        header = checkHeader(fields, fileName);
        return;
      }
      row++;
      const problem = checkFields(fields, header, quoteErrors.get(i));
      rows.push(problem === undefined ? { row, value: toRow(fields, header) } : { row, problem });
    });
    rest = isEnd ? '' : rest.slice(meta.cursor);
    return rows;
  };

  for await (const chunk of text) {
    rest += chunk;
    const isWorthALook = chunk.includes('\n') && rest.length >= 2 * stuckAt;
    if (!isWorthALook && rest.length <= MAX_ROW_LENGTH) continue;
    const before = rest.length;
    yield read(false);
    stuckAt = rest.length === before ? before : 0;
    // A record as long as this has an open quote somewhere.
    if (rest.length > MAX_ROW_LENGTH) {
      yield [{ row: row + 1, problem: { what: `a quoted field has not ended after ${formatCount(rest.length)} characters` } }];
      return;
    }
  }
  yield read(true);
}

function guessDelimiter(text: string): string {
  const header = text.split('\n', 1)[0]!;
  const count = (candidate: string): number => header.split(candidate).length;
  return [',', ';', '\t'].reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best));
}

function checkHeader(fields: readonly string[], fileName: string): string[] {
  if (fields.length > MAX_COLUMNS) {
    const what = `the header names ${formatCount(fields.length)} columns of at most ${formatCount(MAX_COLUMNS)}`;
    throw new DataProblem({ file: fileName, what, stillHolds: 'Nothing was imported.', suggestion: 'Save the columns that hold text and choose the file again.' });
  }
  // pandas writes its index under an empty name.
  const names = fields.map((name, i) => (name.trim() === '' ? `column ${i + 1}` : name.trim()));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new DataProblem({
      file: fileName, what: `the header names the column "${twice}" twice`, stillHolds: 'Nothing was imported.', suggestion: 'Rename one of them and choose the file again.',
    });
  }
  return names;
}

function checkFields(fields: readonly string[], header: readonly string[], quoteError: string | undefined): RowProblem | undefined {
  if (quoteError !== undefined) {
    const what = quoteError === 'MissingQuotes' ? 'a quoted field does not end' : 'text follows the closing quote of a field; a quote inside a field is written twice';
    return { what, column: header[Math.min(fields.length, header.length) - 1] };
  }
  if (fields.length < header.length) return { what: `it has ${fields.length} of ${header.length} fields`, column: header[fields.length] };
  if (fields.length > header.length) return { what: `it has ${fields.length} fields, the header names ${header.length}`, column: header.at(-1) };
  return undefined;
}

const toRow = (fields: readonly string[], header: readonly string[]): Row => Object.fromEntries(header.map((name, i) => [name, fields[i]]));
