/** @file Sums over the rows of a matrix in one fixed order, for the gradients of vectors that every row shares. */
import columnSumSource from '../../../shaders/column-sum.wgsl?raw';
import type { Call, Slice } from '../../gpu/kernel.ts';
import { kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';

/** Rows that one partial sum covers. */
export const ROWS_PER_PART = 32;

interface Summation {
  readonly rows: number;
  readonly width: number;
  /** Times the sums are written, one after the other. */
  readonly copies?: number;
  /** Added to what is there. */
  readonly accumulate?: boolean;
}

/** Sums all rows of `parts` [rows, width] into `sums` [copies * width]. */
export function sumParts(parts: Slice, sums: Slice, { rows, width, copies = 1, accumulate = false }: Summation): Call {
  return columnSumCall(parts, sums, { ROWS: rows, WIDTH: width, COLUMNS: copies * width, ROWS_PER_PART: rows, ACCUMULATE: accumulate });
}

function columnSumCall(x: Slice, y: Slice, constants: { readonly ROWS: number; readonly WIDTH: number; readonly COLUMNS: number; readonly ROWS_PER_PART: number; readonly ACCUMULATE: boolean }): Call {
  const { ROWS, COLUMNS } = constants;
  return { kernel: kernel('columnSum', columnSumSource, ['read', 'write'], constants), slices: [x, y], grid: [Math.ceil(COLUMNS / 64), Math.ceil(ROWS / constants.ROWS_PER_PART), 1] };
}

/** Inputs x [rows, width][, onto] -> [copies * width]. */
const columnSumOperation: Operation<{ readonly copies: number }> = {
  name: 'columnSum',
  infer([x, onto], { copies }) {
    expectShape('columnSum', 'x', x!, [undefined, undefined]);
    const sums = { shape: [copies * x!.shape[1]!], dtype: 'f32' } as const;
    if (onto) expectShape('columnSum', 'the tensor added onto', onto, sums.shape);
    return [sums];
  },
  inPlace: (inputCount) => (inputCount === 2 ? { output: 0, input: 1 } : undefined),
  calls({ attributes: { copies }, inputs, outputs, scratch }) {
    const [rows, width] = inputs[0]!.shape as [number, number];
    const count = Math.ceil(rows / ROWS_PER_PART);
    const parts = scratch(4 * count * width);
    return [
      columnSumCall(inputs[0]!.slice, parts, { ROWS: rows, WIDTH: width, COLUMNS: width, ROWS_PER_PART, ACCUMULATE: false }),
      sumParts(parts, outputs[0]!.slice, { rows: count, width, copies, accumulate: inputs.length === 2 }),
    ];
  },
  reference([x, onto], { copies }, [type]) {
    const width = type!.shape[1]!;
    const sums = onto ? onto.slice() : new Float64Array(copies * width);
    for (const [i, value] of x!.entries()) for (let copy = 0; copy < copies; copy++) sums[copy * width + (i % width)]! += value;
    return [sums];
  },
};

/** The sums of x [rows, width] over its rows, `copies` times one after the other [copies * width]; with `onto` added to it, in its buffer. */
export const columnSum = (graph: Graph, x: Tensor, copies: number, onto?: Tensor): Tensor => graph.apply(columnSumOperation, onto ? [x, onto] : [x], { copies })[0]!;
