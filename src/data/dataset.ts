/**
 * @file A dropped file becomes a data set: read as a stream, recognised from its first rows, every bad row named.
 */
import { Sha256 } from '../formats/sha256.ts';
import { isExample, toExample } from './examples.ts';
import type { Example, ExampleOptions } from './examples.ts';
import { parseRows } from './parse.ts';
import type { ParsedRow, Row, RowProblem } from './parse.ts';
import { DataProblem, formatCount, rowsReadWell } from './problem.ts';
import { columnsOf, guessMapping, recognise } from './recognise.ts';
import type { ColumnMapping, DatasetKind, Recognised } from './recognise.ts';
import type { DataFile } from './source.ts';

export interface Dataset {
  readonly name: string;
  readonly kind: DatasetKind;
  readonly columns: readonly string[];
  /** What was used. To change it, import the file again with `options.mapping`. */
  readonly mapping: ColumnMapping;
  /** The first rows as they stand in the file, for the mapping table. */
  readonly sample: readonly Row[];
  readonly examples: readonly Example[];
  /** Rows in the file, those that became no example included. */
  readonly rowsRead: number;
  /** Rows left out because their completion is blank. */
  readonly emptyRows: number;
  /** Warnings: rows that were skipped, characters that were lost. */
  readonly problems: readonly DataProblem[];
  /** Of the bytes of the file as it was dropped. */
  readonly sha256: string;
}

export interface ImportOptions extends ExampleOptions {
  /** Overrides what is recognised; without a prompt the completion is plain text. */
  readonly mapping?: ColumnMapping | undefined;
  /** Rows to leave out, as problems number them. */
  readonly skipRows?: readonly number[] | undefined;
  /** Leave every bad row out and list it, instead of stopping at the first. */
  readonly skipBadRows?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ImportProgress {
  readonly bytesRead: number;
  readonly size: number;
  readonly rowsRead: number;
}

const SAMPLE_SIZE = 20;
/** Bad rows listed one by one; the rest are counted. */
const MAX_LISTED_PROBLEMS = 100;

/**
 * @throws DataProblem at the first bad row (unless they are skipped), for columns without text, or for a file without rows.
 */
export async function importDataset(file: DataFile, options: ImportOptions = {}, onProgress: (progress: ImportProgress) => void = () => {}): Promise<Dataset> {
  const hash = new Sha256();
  let bytesRead = 0;
  const builder = new DatasetBuilder(file.name, options);
  const onBytes = (bytes: Uint8Array): void => {
    bytesRead += bytes.length;
    hash.update(bytes);
  };
  for await (const rows of parseRows(file, onBytes)) {
    options.signal?.throwIfAborted();
    for (const row of rows) builder.add(row);
    onProgress({ bytesRead, size: file.size, rowsRead: builder.rowsRead });
  }
  return builder.finish(hash);
}

class DatasetBuilder {
  rowsRead = 0;
  readonly #file: string;
  readonly #options: ImportOptions;
  readonly #skipped: ReadonlySet<number>;
  readonly #examples: Example[] = [];
  readonly #problems: DataProblem[] = [];
  readonly #sample: Row[] = [];
  #pending: { row: number; value: Row }[] | undefined = [];
  #recognised: Recognised | undefined;
  #badRows = 0;
  #emptyRows = 0;
  #damagedRows: number[] = [];

  constructor(file: string, options: ImportOptions) {
    this.#file = file;
    this.#options = options;
    this.#skipped = new Set(options.skipRows);
  }

  /** Rows wait until there are enough of them to tell the shape. */
  add(parsed: ParsedRow): void {
    this.rowsRead++;
    if (this.#skipped.has(parsed.row)) return;
    if ('problem' in parsed) {
      this.#refuse(parsed.row, parsed.problem);
      return;
    }
    if (this.#sample.length < SAMPLE_SIZE) this.#sample.push(parsed.value);
    if (this.#pending === undefined) {
      this.#addExample(parsed.row, parsed.value);
    } else {
      this.#pending.push(parsed);
      if (this.#pending.length === SAMPLE_SIZE) this.#decideShape();
    }
  }

  finish(hash: Sha256): Dataset {
    if (this.#sample.length === 0) {
      const what = this.rowsRead === 0 ? 'the file holds no rows' : 'no row of the file could be read';
      throw new DataProblem({ file: this.#file, what, stillHolds: 'Nothing was imported.', suggestion: 'Choose another file.' });
    }
    if (this.#pending !== undefined) this.#decideShape();
    this.#addWarnings();
    const { kind, mapping } = this.#recognised!;
    return {
      name: this.#file, kind, mapping, columns: columnsOf(this.#sample), sample: this.#sample, examples: this.#examples,
      rowsRead: this.rowsRead, emptyRows: this.#emptyRows, problems: this.#problems, sha256: hash.hex(),
    };
  }

  #decideShape(): void {
    const columns = columnsOf(this.#sample);
    const listed = `Its columns: ${columns.join(', ')}.`;
    const known = recognise(this.#sample);
    const mapping = this.#options.mapping ?? known?.mapping ?? guessMapping(this.#sample);
    if (mapping === undefined) {
      throw new DataProblem({
        file: this.#file,
        what: 'the columns have no shape that is known, and hold lists or numbers beside or instead of text',
        stillHolds: listed,
        suggestion: 'Save it with the prompt and the completion as text in columns of their own; conversations are not read.',
      });
    }
    this.#recognised = { kind: known?.kind ?? 'custom', mapping };
    if (known === undefined && this.#options.mapping === undefined) {
      const { prompt, completion } = mapping;
      const taken = prompt === undefined ? `"${completion}" was taken as plain text` : `"${prompt}" was taken as the prompt and "${completion}" as the completion`;
      this.#problems.push(new DataProblem({
        file: this.#file, what: `the columns have no shape that is known; ${taken}`, stillHolds: listed, suggestion: 'Check the mapping.', severity: 'warning',
      }));
    }
    const missing = (Object.values(this.#recognised.mapping) as string[]).find((column) => !columns.includes(column));
    if (missing !== undefined) {
      throw new DataProblem({ file: this.#file, what: `there is no column ${JSON.stringify(missing)}`, stillHolds: listed, suggestion: 'Change the mapping.' });
    }
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const { row, value } of pending) this.#addExample(row, value);
  }

  #addExample(row: number, value: Row): void {
    const result = toExample(value, row, this.#recognised!.mapping, this.#options);
    if (result === undefined) {
      this.#emptyRows++;
    } else if (isExample(result)) {
      if (result.segments.some(({ text }) => text.includes('\uFFFD'))) this.#damagedRows.push(row);
      this.#examples.push(result);
    } else {
      this.#refuse(row, result);
    }
  }

  /** @throws DataProblem unless bad rows are skipped. */
  #refuse(row: number, problem: RowProblem): void {
    const location = { file: this.#file, row, ...problem };
    if (this.#options.skipBadRows === true) {
      this.#badRows++;
      if (this.#badRows <= MAX_LISTED_PROBLEMS) {
        this.#problems.push(new DataProblem({ ...location, stillHolds: 'The other rows are used.', suggestion: 'This row was skipped.', severity: 'warning' }));
      }
      return;
    }
    throw new DataProblem({ ...location, stillHolds: rowsReadWell(row - 1), suggestion: 'Skip this row, or choose another file.' });
  }

  #addWarnings(): void {
    const warn = (what: string, suggestion: string): void => {
      this.#problems.push(new DataProblem({ file: this.#file, what, stillHolds: 'The other rows are used.', suggestion, severity: 'warning' }));
    };
    const ofAll = (count: number): string => `${formatCount(count)} of ${formatCount(this.rowsRead)}`;
    const unlisted = this.#badRows - MAX_LISTED_PROBLEMS;
    if (unlisted > 0) warn(`further rows were skipped: ${ofAll(unlisted)}`, 'Check that this is the right file.');
    if (this.#emptyRows > 0) warn(`rows without a completion were left out: ${ofAll(this.#emptyRows)}`, 'Check the mapping if this is unexpected.');
    const [firstDamaged] = this.#damagedRows;
    if (firstDamaged === undefined) return;
    warn(
      `rows hold \uFFFD, which stands for bytes that are no UTF-8: ${ofAll(this.#damagedRows.length)}, first row ${formatCount(firstDamaged)}`,
      'They are used as they are; save the file as UTF-8 and choose it again if this is unexpected.',
    );
  }
}
