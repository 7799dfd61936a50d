/**
 * @file Rows of a parquet file, by hyparquet, read in slices so that neither the file nor a large row group is ever whole in memory. Loaded only where a
 * parquet file is opened.
 *
 * Codecs are plain JavaScript: the page's policy forbids WebAssembly, which the codec package's own entry would start (for snappy, which hyparquet has).
 */
import { decompress as decompressZstd } from 'fzstd';
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData, RowGroup } from 'hyparquet';
import { decompressBrotli } from 'hyparquet-compressors/src/brotli.js';
import { gunzip } from 'hyparquet-compressors/src/gzip.js';
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js';
import type { ParsedRow, Row } from './parse.ts';
import { DataProblem, formatCount } from './problem.ts';
import type { DataFile, OnBytes } from './source.ts';

/** Unpacked bytes of the rows read at once. */
const SLICE_BYTES = 16 * 2 ** 20;
/** Rows of an empty or wrongly described group cost memory too. */
const SLICE_ROWS = 20_000;
/** A page is some 1 MB by custom, and has a whole column of a row group at most. */
const MAX_PAGE_BYTES = 2 ** 28;

type Codec = (input: Uint8Array, outputLength: number) => Uint8Array;

/** The size of a page stands in the file: no codec may be made to take more. */
const bounded = (decompress: Codec): Codec => (input, outputLength) => {
  if (outputLength > MAX_PAGE_BYTES) throw new RangeError(`a page of ${formatCount(outputLength)} bytes is more than the ${formatCount(MAX_PAGE_BYTES)} that are read`);
  return decompress(input, outputLength);
};

const compressors: Compressors = {
  GZIP: bounded((input, outputLength) => gunzip(input, new Uint8Array(outputLength))),
  BROTLI: bounded(decompressBrotli),
  ZSTD: bounded((input, outputLength) => decompressZstd(input, new Uint8Array(outputLength))),
  LZ4: bounded(decompressLz4),
  LZ4_RAW: bounded(decompressLz4Raw),
};

/**
 * @param onBytes sees the whole file once, before the rows: they are read out of order.
 * @throws DataProblem for a file that is no parquet, or whose pages cannot be unpacked.
 */
export async function* parseParquet(file: DataFile, onBytes: OnBytes): AsyncGenerator<ParsedRow[], void> {
  const reader = file.stream().getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) onBytes(chunk.value);
  const buffer: AsyncBuffer = { byteLength: file.size, slice: (start, end) => file.slice(start, end).arrayBuffer() };

  let row = 0;
  const metadata = await attempt(file.name, row, () => parquetMetadataAsync(buffer));
  for (const [rowStart, rowEnd] of slices(metadata)) {
    const rows = await attempt(file.name, row, () => parquetReadObjects({ file: buffer, metadata, compressors, rowStart, rowEnd, useOffsetIndex: true }));
    yield rows.map((value) => ({ row: ++row, value: toRow(value) }));
  }
}

/** A DOMException says that the file itself can no longer be read; all else comes from its contents. */
async function attempt<T>(file: string, rowsRead: number, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    const reason = error instanceof Error ? error.message.replace(/^parquet /u, '') : String(error);
    throw new DataProblem({
      file,
      what: `the parquet file cannot be read${rowsRead === 0 ? '' : ` beyond row ${formatCount(rowsRead)}`} (${reason})`,
      stillHolds: 'Nothing was imported.',
      suggestion: 'Write it again, or choose another file.',
    });
  }
}

/** Row ranges of the file, each inside one row group. Without an offset index a column is unpacked from the beginning of its group for every slice. */
function* slices(metadata: FileMetaData): Generator<readonly [start: number, end: number], void> {
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const count = Math.max(Math.ceil(unpackedBytes(group) / SLICE_BYTES), Math.ceil(rows / SLICE_ROWS));
    const size = Math.ceil(rows / count);
    for (let start = 0; start < rows; start += size) yield [groupStart + start, groupStart + Math.min(rows, start + size)];
    groupStart += rows;
  }
}

const unpackedBytes = (group: RowGroup): number => group.columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);

/** A column without a value is a column all the same. */
const toRow = (values: Record<string, unknown>): Row => Object.fromEntries(Object.entries(values).map(([column, value]) => [column, normalise(value)]));

/** Whole numbers of 64 bits become numbers where those are exact, else their digits; times become ISO 8601; nested values are walked. Bytes that the reader took for no text stay bytes. */
export function normalise(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  // JSON, in which rows are kept, has no NaN.
  if (typeof value !== 'object' || value === null) return Number.isNaN(value) ? null : (value ?? null);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(normalise);
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, normalise);
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, normalise(item)]));
}
