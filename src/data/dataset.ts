/**
 * @file A dropped file becomes a data set: read as a stream, recognised from its first rows, every bad row named.
 */
import { Sha256 } from '../formats/sha256.ts';
import { isExample, textsOf, toExample } from './examples.ts';
import type { Example, ExampleOptions } from './examples.ts';
import type { ExampleStore } from './exampleStore.ts';
import { ExampleWriter } from './exampleStore.ts';
import { isLearnable } from './mapping.ts';
import type { DatasetColumns } from './mapping.ts';
import { Fingerprints } from './overlap.ts';
import { parseRows } from './parse.ts';
import type { ParsedRow, ReadRow, Row, RowProblem } from './parse.ts';
import { Pauses } from './pause.ts';
import { DataProblem, formatCount, rowsReadWell } from './problem.ts';
import { columnsOf, guessMapping, recognise } from './recognise.ts';
import type { DatasetKind, Recognised, Take } from './recognise.ts';
import type { DataFile } from './source.ts';

export interface Dataset {
  readonly name: string;
  readonly kind: DatasetKind;
  readonly columns: readonly string[];
  /** What was used. To change it, import the file again with `options.mapping`. */
  readonly mapping: DatasetColumns;
  /** The first rows as they stand in the file, for the mapping table. */
  readonly sample: readonly Row[];
  /** Read from the file when they are asked for. */
  readonly examples: ExampleStore;
  /** For duplicates, and for overlap with other data sets. */
  readonly fingerprints: Fingerprints;
  /** Examples that have a gold answer, and those that have options to choose from. */
  readonly answered: number;
  readonly withChoices: number;
  /** Examples that are conversations. */
  readonly withMessages: number;
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
  /** What to learn from rows that offer more than one thing. */
  readonly take?: Take | undefined;
  /** Overrides what is recognised; without a prompt the completion is plain text. */
  readonly mapping?: DatasetColumns | undefined;
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
/** Rows between two looks at the clock. */
const ROWS_PER_LOOK = 16;
/** Bad rows listed one by one; the rest are counted. */
const MAX_LISTED_PROBLEMS = 100;

/**
 * Reads a whole file once, in slices between which the thread can do other work; no text is kept.
 * @throws DataProblem at the first bad row (unless they are skipped), for columns without text, or for a file without rows; the signal's reason.
 */
export async function importDataset(file: DataFile, options: ImportOptions = {}, onProgress: (progress: ImportProgress) => void = () => {}): Promise<Dataset> {
  const hash = new Sha256();
  let bytesRead = 0;
  const builder = new DatasetBuilder(file, options);
  const pauses = new Pauses();
  const onBytes = (bytes: Uint8Array): void => {
    options.signal?.throwIfAborted();
    bytesRead += bytes.length;
    hash.update(bytes);
  };
  for await (const rows of parseRows(file, onBytes)) {
    for (const [i, row] of rows.entries()) {
      builder.add(row);
      if (i % ROWS_PER_LOOK === 0) await pauses.due();
    }
    options.signal?.throwIfAborted();
    onProgress({ bytesRead, size: file.size, rowsRead: builder.rowsRead });
  }
  return builder.finish(hash.hex());
}

class DatasetBuilder {
  rowsRead = 0;
  readonly #file: DataFile;
  readonly #options: ImportOptions;
  readonly #skipped: ReadonlySet<number>;
  readonly #problems: DataProblem[] = [];
  readonly #sample: Row[] = [];
  readonly #fingerprints = new Fingerprints();
  #pending: ReadRow[] | undefined = [];
  #recognised: Recognised | undefined;
  #writer: ExampleWriter | undefined;
  #counts = { answered: 0, withChoices: 0, withMessages: 0 };
  #badRows = 0;
  #emptyRows = 0;
  #damagedRows = 0;
  #firstDamaged = 0;

  constructor(file: DataFile, options: ImportOptions) {
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
      this.#addExample(parsed);
    } else {
      this.#pending.push(parsed);
      if (this.#pending.length === SAMPLE_SIZE) this.#decideShape();
    }
  }

  finish(sha256: string): Dataset {
    if (this.#sample.length === 0) {
      const what = this.rowsRead === 0 ? 'the file holds no rows' : 'no row of the file could be read';
      const stillHolds = [this.#problems[0]?.sentence, 'Nothing was imported.'].filter(Boolean).join(' ');
      throw new DataProblem({ file: this.#file.name, what, stillHolds, suggestion: 'Choose another file.' });
    }
    if (this.#pending !== undefined) this.#decideShape();
    this.#addWarnings();
    const { kind, mapping } = this.#recognised!;
    return {
      name: this.#file.name, kind, mapping, columns: columnsOf(this.#sample), sample: this.#sample, examples: this.#writer!.finish(), fingerprints: this.#fingerprints,
      ...this.#counts, rowsRead: this.rowsRead, emptyRows: this.#emptyRows, problems: this.#problems, sha256,
    };
  }

  #decideShape(): void {
    const columns = columnsOf(this.#sample);
    const listed = `Its columns: ${columns.join(', ')}.`;
    const refuse = (what: string, suggestion: string): never => {
      throw new DataProblem({ file: this.#file.name, what, stillHolds: listed, suggestion });
    };
    const known = recognise(this.#sample, this.#options.take);
    const mapping = this.#options.mapping ?? known?.mapping ?? guessMapping(this.#sample);
    if (mapping === undefined) {
      return refuse(
        'the columns have no shape that is known, and hold lists or numbers beside or instead of text',
        'Save it with the prompt and the completion as text in columns of their own, or as messages with role and content.',
      );
    }
    this.#recognised = { kind: known?.kind ?? 'custom', mapping };
    if (known === undefined && this.#options.mapping === undefined) {
      const { prompt, completion, messages } = mapping;
      const taken = messages !== undefined ? `"${messages}" was taken as conversations` : prompt === undefined ? `"${completion}" was taken as plain text` : `"${prompt}" was taken as the prompt and "${completion}" as the completion`;
      this.#problems.push(new DataProblem({
        file: this.#file.name, what: `the columns have no shape that is known; ${taken}`, stillHolds: listed, suggestion: 'Check the mapping.', severity: 'warning',
      }));
    }
    const missing = (Object.values(mapping) as string[]).find((column) => !columns.includes(column));
    if (missing !== undefined) refuse(`there is no column ${JSON.stringify(missing)}`, 'Change the mapping.');
    if (!isLearnable(mapping)) {
      const isAsked = mapping.prompt !== undefined && mapping.answer !== undefined;
      if (!isAsked) refuse('no column holds what is to be learnt or asked', 'Change the mapping.');
      if (this.#options.purpose !== 'evaluation') {
        refuse('the rows hold questions and their answers, but no completion to learn from', 'Use the file as held-out or out-of-domain data, or map a column of solutions as the completion.');
      }
    }
    this.#writer = new ExampleWriter(this.#file, { mapping, options: this.#options });
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const row of pending) this.#addExample(row);
  }

  #addExample(parsed: ReadRow): void {
    const { row, value } = parsed;
    const result = toExample(value, row, this.#recognised!.mapping, this.#options);
    if (result === undefined) {
      this.#emptyRows++;
    } else if (isExample(result)) {
      if (textsOf(result).some((text) => text.includes('\uFFFD')) && this.#damagedRows++ === 0) this.#firstDamaged = row;
      this.#count(result);
      this.#fingerprints.add(result);
      this.#writer!.add(parsed);
    } else {
      this.#refuse(row, result);
    }
  }

  #count({ answer, choices, messages }: Example): void {
    if (answer !== undefined) this.#counts.answered++;
    if (choices !== undefined) this.#counts.withChoices++;
    if (messages !== undefined) this.#counts.withMessages++;
  }

  /** @throws DataProblem unless bad rows are skipped. */
  #refuse(row: number, problem: RowProblem): void {
    const location = { file: this.#file.name, row, ...problem };
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
      this.#problems.push(new DataProblem({ file: this.#file.name, what, stillHolds: 'The other rows are used.', suggestion, severity: 'warning' }));
    };
    const ofAll = (count: number): string => `${formatCount(count)} of ${formatCount(this.rowsRead)}`;
    const unlisted = this.#badRows - MAX_LISTED_PROBLEMS;
    if (unlisted > 0) warn(`further rows were skipped: ${ofAll(unlisted)}`, 'Check that this is the right file.');
    if (this.#emptyRows > 0) warn(`rows without a completion were left out: ${ofAll(this.#emptyRows)}`, 'Check the mapping if this is unexpected.');
    if (this.#damagedRows === 0) return;
    warn(
      `rows hold \uFFFD, which stands for bytes that are no UTF-8: ${ofAll(this.#damagedRows)}, first row ${formatCount(this.#firstDamaged)}`,
      'They are used as they are; save the file as UTF-8 and choose it again if this is unexpected.',
    );
  }
}
