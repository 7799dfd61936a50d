/** @file A vector added to every row, where no other kernel takes the bias along. */
import biasSource from '../../../shaders/bias.wgsl?raw';
import type { Grid } from '../../gpu/kernel.ts';
import { kernel, linearGrid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor, TensorType } from '../graph.ts';
import { elementCount, expectShape } from '../graph.ts';
import { columnSum } from './column-sum.ts';
import { ontoParameter } from './matmul.ts';

/** Constants and grid of an elementwise kernel with a vector that repeats over the rows: four neighbours a lane where rows allow it. */
export function rowwiseLayout(x: TensorType): { constants: { QUADS: boolean; COUNT: number; WIDTH: number }; grid: Grid } {
  const width = x.shape[1]!;
  const together = width % 4 === 0 ? 4 : 1;
  const count = elementCount(x.shape) / together;
  return { constants: { QUADS: together === 4, COUNT: count, WIDTH: width / together }, grid: linearGrid(count, 256) };
}

const biasOperation: Operation<null> = {
  name: 'bias',
  infer([x, bias]) {
    expectShape('bias', 'x', x!, [undefined, undefined]);
    expectShape('bias', 'the bias', bias!, [x!.shape[1]!]);
    return [x!];
  },
  gradient: ({ inputs }, [dy], context) => [dy, columnSum(context.graph, dy!, 1, ontoParameter(context, inputs, 1))],
  calls({ inputs: [x, bias], outputs: [y] }) {
    const { constants, grid } = rowwiseLayout(x!);
    return [{ kernel: kernel('bias', biasSource, ['read', 'read', 'write'], constants), slices: [x!.slice, bias!.slice, y!.slice], grid }];
  },
  reference: ([x, bias]) => [x!.map((value, i) => value + bias![i % bias!.length]!)],
};

/** `x + bias`: x [tokens, width], bias [width]. */
export const addBias = (graph: Graph, x: Tensor, bias: Tensor): Tensor => graph.apply(biasOperation, [x, bias], null)[0]!;
