/** @file The linear layers of a decoder by their Hugging Face modules: what adapters name. */
import type { ParameterSpec } from './parameters.ts';

/** A linear layer of a decoder block: what an adapter can be put on. */
export interface LinearModule {
  /** Path of the module, without `.weight`. */
  readonly module: string;
  /** The parameter that holds its matrix, and where: rows `fromRow` to `fromRow + rows`, all columns. */
  readonly parameter: string;
  readonly fromRow: number;
  readonly rows: number;
  readonly columns: number;
  /** GPT-2's Conv1D, whose file is [columns, rows]; PEFT calls it `fan_in_fan_out`. */
  readonly conv1d?: boolean;
  /** Row r of the matrix is row fileRows[r] of the module's output, where the file orders them otherwise. */
  readonly fileRows?: Uint32Array;
}

/** The linear layers among parameters named `layers.*`, which hold no embeddings. */
export function linearsOf(parameters: readonly ParameterSpec[]): LinearModule[] {
  return parameters
    .filter(({ name, shape }) => name.startsWith('layers.') && shape.length > 1)
    .flatMap(({ name: parameter, shape, parts }) => {
      let row = 0;
      return parts.map(({ name, rows, stored }) => {
        const fromRow = row;
        row += rows;
        const layout = { ...(stored?.transposed ? { conv1d: true } : {}), ...(stored?.fileRows ? { fileRows: stored.fileRows } : {}) };
        return { module: name.replace(/\.weight$/, ''), parameter, fromRow, rows, columns: shape[1]!, ...layout };
      });
    });
}
