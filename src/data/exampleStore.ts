/**
 * @file The examples of a data set, in no more memory than their places take. The texts stay where they are: a .jsonl is read again from the file itself;
 * of every other container importing writes the mapped cells, a line of JSON each, into a Blob, which browsers keep outside the page's memory and move to
 * disk.
 */
import { cellOf } from './cells.ts';
import { isExample, toExample } from './examples.ts';
import type { Example, ExampleOptions } from './examples.ts';
import { Growing } from './growing.ts';
import { parseJsonRow } from './jsonRow.ts';
import type { DatasetColumns } from './mapping.ts';
import type { ReadRow, Row } from './parse.ts';
import { Pauses } from './pause.ts';
import { DataProblem } from './problem.ts';
import { isCompressed } from './source.ts';
import type { DataFile } from './source.ts';

/** How a row becomes an example. */
export interface Reading {
  readonly mapping: DatasetColumns;
  readonly options: ExampleOptions;
}

interface Places {
  /** Of each example: its row in the file, and its bytes in the blob. */
  readonly rows: Growing<Uint32Array>;
  readonly starts: Growing<Float64Array>;
  readonly lengths: Growing<Uint32Array>;
}

/** Bytes read at once when examples are read in order. */
const SLICE_BYTES = 2 ** 20;

/** Examples of a data set by their index from 0; each is read when it is asked for. */
export class ExampleStore {
  readonly #file: string;
  readonly #blob: Pick<Blob, 'slice'>;
  readonly #places: Places;
  readonly #reading: Reading;

  constructor(file: string, blob: Pick<Blob, 'slice'>, places: Places, reading: Reading) {
    this.#file = file;
    this.#blob = blob;
    this.#places = places;
    this.#reading = reading;
  }

  get length(): number {
    return this.#places.rows.length;
  }

  /** Row in the file of an example, as problems number them. */
  rowOf(index: number): number {
    return this.#places.rows.values[index]!;
  }

  /** @throws RangeError outside the examples; DataProblem where the file has changed or is gone. */
  async at(index: number): Promise<Example> {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`there is no example ${index} of ${this.length}`);
    return (await this.read(index, index + 1))[0]!;
  }

  /** Examples [from, to), cut to those there are. @throws DataProblem where the file has changed or is gone. */
  async read(from = 0, to = this.length): Promise<Example[]> {
    const examples: Example[] = [];
    for await (const slice of this.slices(from, to)) for (const example of slice) examples.push(example);
    return examples;
  }

  /** Examples [from, to) in order, some at a time; the thread can do other work between. */
  async *slices(from = 0, to = this.length): AsyncGenerator<Example[], void> {
    const { starts: { values: starts }, lengths: { values: lengths } } = this.#places;
    const end = Math.min(to, this.length);
    const pauses = new Pauses();
    for (let first = Math.max(0, from), next = first; first < end; first = next) {
      const start = starts[first]!;
      for (next = first + 1; next < end && starts[next]! + lengths[next]! - start <= SLICE_BYTES; ) next++;
      const bytes = await this.#bytes(start, starts[next - 1]! + lengths[next - 1]!);
      yield Array.from({ length: next - first }, (_, i) => {
        const at = starts[first + i]! - start;
        return this.#parse(bytes.subarray(at, at + lengths[first + i]!), this.rowOf(first + i));
      });
      await pauses.due();
    }
  }

  async #bytes(start: number, end: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
    } catch {
      throw this.#changed();
    }
  }

  #parse(line: Uint8Array, row: number): Example {
    const parsed = parseJsonRow(new TextDecoder('utf-8').decode(line), row, 'line');
    const example = 'value' in parsed ? toExample(parsed.value, row, this.#reading.mapping, this.#reading.options) : undefined;
    if (example === undefined || !isExample(example)) throw this.#changed(row);
    return example;
  }

  #changed(row?: number): DataProblem {
    return new DataProblem({
      file: this.#file, row, what: 'it can no longer be read: the file was changed, moved or removed after it was imported', stillHolds: 'Its counts and tokens are still loaded.', suggestion: 'Choose the file again.',
    });
  }
}

/** Bytes of cells that are gathered before they become a piece of the blob. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Takes examples in while a file is imported. */
export class ExampleWriter {
  readonly #file: DataFile;
  readonly #reading: Reading;
  readonly #columns: readonly string[];
  readonly #places: Places = { rows: new Growing(Uint32Array), starts: new Growing(Float64Array), lengths: new Growing(Uint32Array) };
  readonly #encoder = new TextEncoder();
  readonly #pieces: Blob[] = [];
  #piece = new Uint8Array(0);
  #filled = 0;
  #written = 0;

  constructor(file: DataFile, reading: Reading) {
    this.#file = file;
    this.#reading = reading;
    this.#columns = Object.values(reading.mapping) as string[];
  }

  /** A row that makes an example. */
  add({ row, value, bytes }: ReadRow): void {
    const [start, end] = bytes !== undefined && !isCompressed(this.#file.name) ? bytes : this.#keep(value);
    this.#places.rows.push(row);
    this.#places.starts.push(start);
    this.#places.lengths.push(end - start);
  }

  finish(): ExampleStore {
    this.#flush();
    return new ExampleStore(this.#file.name, this.#written > 0 ? new Blob(this.#pieces) : this.#file, this.#places, this.#reading);
  }

  /** Writes the mapped cells of a row. @returns its bytes in the blob. */
  #keep(value: Row): readonly [start: number, end: number] {
    const line = JSON.stringify(Object.fromEntries(this.#columns.map((column) => [column, cellOf(value, column)])));
    // UTF-8 takes three bytes for a UTF-16 unit at most.
    if (3 * line.length > this.#piece.length - this.#filled) {
      this.#flush();
      this.#piece = new Uint8Array(Math.max(PIECE_BYTES, 3 * line.length));
    }
    const { written } = this.#encoder.encodeInto(line, this.#piece.subarray(this.#filled));
    const start = this.#written;
    this.#filled += written;
    this.#written += written;
    return [start, this.#written];
  }

  #flush(): void {
    if (this.#filled > 0) this.#pieces.push(new Blob([this.#piece.subarray(0, this.#filled)]));
    this.#piece = new Uint8Array(0);
    this.#filled = 0;
  }
}
