/** @file Elementwise sum of two tensors of one shape. */
import addSource from '../../../shaders/add.wgsl?raw';
import { kernel, linearGrid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { elementCount, expectShape } from '../graph.ts';

const addOperation: Operation<null> = {
  name: 'add',
  infer([a, b]) {
    expectShape('add', 'the second operand', b!, a!.shape);
    return [a!];
  },
  gradient: (_node, [dy]) => [dy, dy],
  calls({ inputs: [a, b], outputs: [y] }) {
    const count = elementCount(y!.shape);
    return [
      {
        kernel: kernel('add', addSource, ['read', 'read', 'write'], { COUNT: count }),
        slices: [a!.slice, b!.slice, y!.slice],
        grid: linearGrid(count, 256),
      },
    ];
  },
  reference: ([a, b]) => [a!.map((value, i) => value + b![i]!)],
};

/** `a + b`, both of one shape. */
export const add = (graph: Graph, a: Tensor, b: Tensor): Tensor => graph.apply(addOperation, [a, b], null)[0]!;
