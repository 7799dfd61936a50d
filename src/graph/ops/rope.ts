/** @file Rotary position embedding (arXiv 2104.09864) in the half-split convention of Llama checkpoints. */
import ropeSource from '../../../shaders/rope.wgsl?raw';
import { kernel, linearGrid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { elementCount, expectShape } from '../graph.ts';

export interface RopeAttributes {
  /** Heads in a row of the input. */
  readonly heads: number;
  /** How many of them, from the first, are rotated (queries and keys, not values). */
  readonly rotatedHeads: number;
  readonly headDim: number;
}

interface DirectedRope extends RopeAttributes {
  /** Rotates by -theta: the gradient of a rotation is the rotation back. */
  readonly backward: boolean;
}

const ropeOperation: Operation<DirectedRope> = {
  name: 'rope',
  infer([x, positions, table], { heads, headDim }) {
    expectShape('rope', 'x', x!, [undefined, heads * headDim]);
    expectShape('rope', 'the positions', positions!, [x!.shape[0]!], 'u32');
    expectShape('rope', 'the table', table!, [undefined, headDim]);
    return [x!];
  },
  gradient: ({ inputs: [, positions, table], attributes }, [dy], { graph }) =>
    graph.apply(ropeOperation, [dy!, positions!, table!], { ...attributes, backward: !attributes.backward }),
  calls({ attributes: { heads, rotatedHeads, headDim, backward }, inputs, outputs }) {
    // Four neighbouring pairs a lane where half a head allows it.
    const together = headDim % 8 === 0 ? 4 : 1;
    const pairs = elementCount(inputs[0]!.shape) / 2 / together;
    const constants = { QUADS: together === 4, PAIRS: pairs, HEADS: heads, ROTATED: rotatedHeads, HALF: headDim / 2 / together, BACKWARD: backward };
    return [
      {
        kernel: kernel('rope', ropeSource, ['read', 'read', 'read', 'write'], constants),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: linearGrid(pairs, 256),
      },
    ];
  },
  reference([x, positions, table], { heads, rotatedHeads, headDim, backward }) {
    const half = headDim / 2;
    const y = x!.slice();
    for (const [token, position] of positions!.entries()) {
      for (let head = 0; head < rotatedHeads; head++) {
        const at = (token * heads + head) * headDim;
        for (let i = 0; i < half; i++) {
          const cos = table![position * headDim + i]!;
          const sin = (backward ? -1 : 1) * table![position * headDim + half + i]!;
          y[at + i] = x![at + i]! * cos - x![at + half + i]! * sin;
          y[at + half + i] = x![at + half + i]! * cos + x![at + i]! * sin;
        }
      }
    }
    return [y];
  },
};

/** Rotates the first heads of each row: x [tokens, heads headDim], positions u32 [tokens], table of `ropeTable`. */
export const rope = (graph: Graph, x: Tensor, positions: Tensor, table: Tensor, attributes: RopeAttributes): Tensor =>
  graph.apply(ropeOperation, [x, positions, table], { ...attributes, backward: false })[0]!;

/**
 * Cosines and sines [length, headDim], cosines in the first half of a row. Computed in f64 here, because WGSL's own
 * sin and cos are not accurate at large arguments.
 */
export function ropeTable(length: number, headDim: number, theta: number): Float32Array<ArrayBuffer> {
  const half = headDim / 2;
  const table = new Float32Array(length * headDim);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * theta ** (-i / half);
      table[position * headDim + i] = Math.cos(angle);
      table[position * headDim + half + i] = Math.sin(angle);
    }
  }
  return table;
}
