/**
 * @file How a weight stands in its file where that differs from how the graph has it: transposed (GPT-2's Conv1D) or
 * with its rows in another order (GPT-NeoX mixes query, key and value rows head by head). Loading and export go
 * through here, so everything between knows one layout only.
 */

export interface StoredLayout {
  /** The file holds [columns, rows]. */
  readonly transposed?: boolean;
  /** Row r of the weight is row fileRows[r] of the file; the same order where absent. */
  readonly fileRows?: Uint32Array;
}

interface Stored {
  readonly rows: number;
  /** 1 for vectors. */
  readonly columns: number;
  readonly stored?: StoredLayout;
}

/** The shape that the file gives a weight. */
export const fileShape = ({ shape, stored }: { readonly shape: readonly number[]; readonly stored?: StoredLayout }): readonly number[] => (stored?.transposed ? shape.toReversed() : shape);

/** Row-major numbers [rows, columns] of a weight from those of its file. */
export function fromFile({ rows, columns, stored }: Stored, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (stored?.transposed) return transpose(values, columns, rows);
  if (!stored?.fileRows) return values;
  const ours = new Float32Array(values.length);
  for (const [row, at] of stored.fileRows.entries()) ours.set(values.subarray(at * columns, (at + 1) * columns), row * columns);
  return ours;
}

/** The inverse of `fromFile`. */
export function toFile({ rows, columns, stored }: Stored, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (stored?.transposed) return transpose(values, rows, columns);
  if (!stored?.fileRows) return values;
  const file = new Float32Array(values.length);
  for (const [row, at] of stored.fileRows.entries()) file.set(values.subarray(row * columns, (row + 1) * columns), at * columns);
  return file;
}

/** [rows, columns] -> [columns, rows]. */
function transpose(values: Float32Array<ArrayBuffer>, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  return turned;
}
