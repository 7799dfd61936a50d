/** @file Rotary position embedding (arXiv 2104.09864) in the half-split convention of Hugging Face checkpoints. */
import ropeSource from '../../../shaders/rope.wgsl?raw';
import type { Access } from '../../gpu/kernel.ts';
import { kernel, linearGrid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { elementCount, expectShape } from '../graph.ts';
import { columnSum } from './column-sum.ts';
import { ontoParameter } from './matmul.ts';

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

/** Inputs x, positions, table[, bias]; as many numbers of a head as the table is wide are rotated, from the first. */
const ropeOperation: Operation<DirectedRope> = {
  name: 'rope',
  infer([x, positions, table, bias], { heads, headDim }) {
    expectShape('rope', 'x', x!, [undefined, heads * headDim]);
    expectShape('rope', 'the positions', positions!, [x!.shape[0]!], 'u32');
    expectShape('rope', 'the table', table!, [undefined, undefined]);
    const rotated = table!.shape[1]!;
    if (rotated % 2 || headDim % 2 || rotated > headDim) throw new Error(`rope: ${rotated} of ${headDim} numbers of a head cannot be rotated in pairs.`);
    if (bias) expectShape('rope', 'the bias', bias, [heads * headDim]);
    return [x!];
  },
  gradient({ inputs, attributes }, [dy], context) {
    const [, positions, table, bias] = inputs;
    const dx = context.graph.apply(ropeOperation, [dy!, positions!, table!], { ...attributes, backward: !attributes.backward })[0]!;
    return bias ? [dx, undefined, undefined, columnSum(context.graph, dx, 1, ontoParameter(context, inputs, 3))] : [dx];
  },
  calls({ attributes: { heads, rotatedHeads, headDim, backward }, inputs: [x, positions, table, bias], outputs: [y] }) {
    const rotated = table!.shape[1]!;
    // Four neighbouring pairs a lane where the halves of what is rotated and of what is not allow it.
    const together = rotated % 8 === 0 && headDim % 8 === 0 ? 4 : 1;
    const count = elementCount(x!.shape) / 2 / together;
    const constants = { QUADS: together === 4, COUNT: count, HEADS: heads, ROTATED: rotatedHeads, HALF: rotated / 2 / together, REST: (headDim - rotated) / 2 / together, BACKWARD: backward };
    const used = [x!, positions!, table!, y!, ...(bias ? [bias] : [])];
    const bindings: Access[] = ['read', 'read', 'read', 'write', 'read'];
    return [
      {
        kernel: kernel('rope', ropeSource, bindings.slice(0, used.length), { ...constants, BIAS: bias !== undefined }),
        slices: used.map(({ slice }) => slice),
        grid: linearGrid(count, 256),
      },
    ];
  },
  reference([x, positions, table, bias], { heads, rotatedHeads, headDim, backward }, [, , type]) {
    const rotated = type!.shape[1]!;
    const half = rotated / 2;
    const biased = bias ? x!.map((value, i) => value + bias[i % bias.length]!) : x!;
    const y = biased.slice();
    for (const [token, position] of positions!.entries()) {
      for (let head = 0; head < rotatedHeads; head++) {
        const at = (token * heads + head) * headDim;
        for (let i = 0; i < half; i++) {
          const cos = table![position * rotated + i]!;
          const sin = (backward ? -1 : 1) * table![position * rotated + half + i]!;
          y[at + i] = biased[at + i]! * cos - biased[at + half + i]! * sin;
          y[at + half + i] = biased[at + half + i]! * cos + biased[at + i]! * sin;
        }
      }
    }
    return [y];
  },
};

/**
 * Rotates the first heads of each row, after adding the bias if there is one.
 * @param x [tokens, heads headDim]
 * @param positions u32 [tokens]
 * @param table of `ropeTable`; numbers of a head beyond its width stay as they are
 * @param bias [heads headDim]
 */
export const rope = (graph: Graph, x: Tensor, positions: Tensor, table: Tensor, attributes: RopeAttributes, bias?: Tensor): Tensor =>
  graph.apply(ropeOperation, [x, positions, table, ...(bias ? [bias] : [])], { ...attributes, backward: false })[0]!;

/** Angles a position, theta^(-2i / size) for i < size / 2. */
export const ropeFrequencies = (size: number, theta: number): Float64Array => Float64Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));

/**
 * Cosines and sines [length, 2 frequencies], cosines in the first half of a row, all times `factor`. Computed in f64
 * here, because WGSL's own sin and cos are not accurate at large arguments.
 */
export function ropeTable(length: number, frequencies: Float64Array, factor = 1): Float32Array<ArrayBuffer> {
  const half = frequencies.length;
  const table = new Float32Array(length * 2 * half);
  for (let position = 0; position < length; position++) {
    for (const [i, frequency] of frequencies.entries()) {
      table[position * 2 * half + i] = factor * Math.cos(position * frequency);
      table[position * 2 * half + half + i] = factor * Math.sin(position * frequency);
    }
  }
  return table;
}
