/** @file Layer normalisation (arXiv 1607.06450), alone and fused with the residual addition and its biases before it. */
import affineGradientSource from '../../../shaders/layer-norm-affine-gradient.wgsl?raw';
import gradientSource from '../../../shaders/layer-norm-gradient.wgsl?raw';
import forwardSource from '../../../shaders/layer-norm.wgsl?raw';
import type { Access } from '../../gpu/kernel.ts';
import { f32Constant, kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, ReferenceArray, Tensor, TensorType } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowGrid, rowLanes } from '../rows.ts';
import { columnSum, ROWS_PER_PART, sumParts } from './column-sum.ts';
import { ontoParameter } from './matmul.ts';

interface LayerNormAttributes {
  readonly epsilon: number;
  /** Tensors added to x. */
  readonly deltas: 0 | 1 | 2;
  /** Vectors added to each row of the sum, stacked in one input; they need a delta. */
  readonly biases: 0 | 1 | 2;
}

const size = ({ shape }: TensorType): { rows: number; width: number } => ({ rows: shape[0]!, width: shape[1]! });

/** Inputs x, deltas, biases if any, affine. */
function named<T>(inputs: readonly T[], { deltas, biases }: LayerNormAttributes): { x: T; deltas: readonly T[]; biases: T | undefined; affine: T } {
  return { x: inputs[0]!, deltas: inputs.slice(1, 1 + deltas), biases: biases > 0 ? inputs[1 + deltas] : undefined, affine: inputs.at(-1)! };
}

/** Inputs as `named` says -> with deltas the sum; y; stats [rows, 2], mean and 1/deviation of each row. */
const layerNormOperation: Operation<LayerNormAttributes> = {
  name: 'layerNorm',
  infer(inputs, attributes) {
    const { x, deltas, biases, affine } = named(inputs, attributes);
    const { rows, width } = size(x);
    expectShape('layerNorm', 'x', x, [rows, width]);
    if (width % 4) throw new Error(`layerNorm: the width ${width} is not a multiple of 4.`);
    if (attributes.biases > 0 && attributes.deltas === 0) throw new Error('layerNorm: biases come with a residual addition.');
    if (attributes.deltas === 2 && attributes.biases === 0) throw new Error('layerNorm: two residuals come with a bias.');
    for (const delta of deltas) expectShape('layerNorm', 'a residual', delta, x.shape);
    if (biases) expectShape('layerNorm', 'the biases', biases, [attributes.biases * width]);
    expectShape('layerNorm', 'gain and bias', affine, [2 * width]);
    const stats: TensorType = { shape: [rows, 2], dtype: 'f32' };
    return deltas.length > 0 ? [x, x, stats] : [x, stats];
  },
  gradient({ inputs, outputs, attributes }, outputGradients, context) {
    const { x, deltas, affine } = named(inputs, attributes);
    const added = deltas.length > 0;
    const { graph } = context;
    const total = added ? outputs[0]! : x;
    const stats = outputs.at(-1)!;
    const dy = outputGradients[added ? 1 : 0]!;
    // What reaches the normed tensor on other ways is added here rather than in a dispatch of its own.
    const more = added ? outputGradients[0] : context.onto(0);
    const dx = graph.apply(layerNormGradientOperation, [dy, total, affine, stats, ...(more ? [more] : [])], null)[0]!;
    const dBiases = attributes.biases > 0 ? [columnSum(graph, dx, attributes.biases, ontoParameter(context, inputs, inputs.length - 2))] : [];
    const onto = ontoParameter(context, inputs, inputs.length - 1);
    const dAffine = graph.apply(affineGradientOperation, [dy, total, stats, ...(onto ? [onto] : [])], null)[0]!;
    return [dx, ...deltas.map(() => dx), ...dBiases, dAffine];
  },
  fromFirst(graph, { inputs, outputs, attributes }) {
    if (attributes.deltas === 0) return undefined;
    return [outputs[0]!, ...graph.apply(layerNormOperation, [outputs[0]!, inputs.at(-1)!], { ...attributes, deltas: 0, biases: 0 })];
  },
  calls({ facts, attributes, inputs, outputs }) {
    const { x, deltas, biases, affine } = named(inputs, attributes);
    const { rows, width } = size(x);
    const [total, y, stats] = deltas.length > 0 ? outputs : [undefined, ...outputs];
    const bindings: Access[] = ['read', 'read', 'write', 'write', 'write', 'read', 'read', 'read'];
    const used = [affine, x, y, stats, total, deltas[0], biases, deltas[1]].filter((tensor) => tensor !== undefined);
    const constants = { ADD: deltas.length > 0, SECOND: deltas.length > 1, BIAS: biases !== undefined, BIASES: attributes.biases, ROWS: rows, WIDTH: width, EPSILON: f32Constant(attributes.epsilon) };
    return [
      {
        kernel: kernel('layerNorm', forwardSource, bindings.slice(0, used.length), { ...constants, LANES: rowLanes(facts) }),
        slices: used.map(({ slice }) => slice),
        grid: rowGrid(rows),
      },
    ];
  },
  reference(inputs, attributes, inputTypes) {
    const { x, deltas, biases, affine } = named(inputs, attributes);
    const { rows, width } = size(inputTypes[0]!);
    const total = x.map((value, i) => {
      let sum = deltas.reduce((before, delta) => before + delta[i]!, value);
      for (let b = 0; b < attributes.biases; b++) sum += biases![b * width + (i % width)]!;
      return sum;
    });
    const stats = new Float64Array(2 * rows);
    const y = new Float64Array(total.length);
    for (let row = 0; row < rows; row++) {
      const values = total.subarray(row * width, (row + 1) * width);
      const mean = values.reduce((sum, value) => sum + value, 0) / width;
      const inverse = 1 / Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width + attributes.epsilon);
      stats.set([mean, inverse], 2 * row);
      for (let i = 0; i < width; i++) y[row * width + i] = (values[i]! - mean) * inverse * affine[i]! + affine[width + i]!;
    }
    return deltas.length > 0 ? [total, y, stats] : [y, stats];
  },
};

/** (total - mean) / deviation at element i. */
const normedAt = (total: ReferenceArray, stats: ReferenceArray, i: number, width: number): number => {
  const row = Math.floor(i / width);
  return (total[i]! - stats[2 * row]!) * stats[2 * row + 1]!;
};

/** dy, total, affine, stats[, more] -> dx, with r = 1/deviation and h the normed row: r (gain dy - mean(gain dy) - h mean(gain dy h)) + more. */
const layerNormGradientOperation: Operation<null> = {
  name: 'layerNormGradient',
  infer: ([dy]) => [dy!],
  calls({ facts, inputs, outputs }) {
    const { rows, width } = size(inputs[0]!);
    return [
      {
        kernel: kernel('layerNormGradient', gradientSource, [...inputs.map(() => 'read' as const), 'write'], { ADD: inputs.length === 5, ROWS: rows, WIDTH: width, LANES: rowLanes(facts) }),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: rowGrid(rows),
      },
    ];
  },
  reference([dy, total, affine, stats, more], _attributes, [type]) {
    const { rows, width } = size(type!);
    const dx = more ? more.slice() : new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      let along = 0;
      let across = 0;
      for (let i = 0; i < width; i++) {
        const d = affine![i]! * dy![row * width + i]!;
        along += d / width;
        across += (d * normedAt(total!, stats!, row * width + i, width)) / width;
      }
      for (let i = 0; i < width; i++) {
        const at = row * width + i;
        dx[at]! += stats![2 * row + 1]! * (affine![i]! * dy![at]! - along - normedAt(total!, stats!, at, width) * across);
      }
    }
    return [dx];
  },
};

/** dy, total, stats[, onto] -> gradients of gain and bias [2 width], summed over rows in two fixed stages. */
const affineGradientOperation: Operation<null> = {
  name: 'layerNormAffineGradient',
  infer: ([dy]) => [{ shape: [2 * dy!.shape[1]!], dtype: 'f32' }],
  inPlace: (inputCount) => (inputCount === 4 ? { output: 0, input: 3 } : undefined),
  calls({ inputs, outputs, scratch }) {
    const { rows, width } = size(inputs[0]!);
    const count = Math.ceil(rows / ROWS_PER_PART);
    const parts = scratch(4 * count * 2 * width);
    return [
      {
        kernel: kernel('layerNormAffineGradient', affineGradientSource, ['read', 'read', 'read', 'write'], { ROWS: rows, WIDTH: width, ROWS_PER_PART }),
        slices: [inputs[0]!.slice, inputs[1]!.slice, inputs[2]!.slice, parts],
        grid: [Math.ceil(width / 64), count, 1],
      },
      sumParts(parts, outputs[0]!.slice, { rows: count, width: 2 * width, accumulate: inputs.length === 4 }),
    ];
  },
  reference([dy, total, stats, onto], _attributes, [type]) {
    const { width } = size(type!);
    const gradient = onto ? onto.slice() : new Float64Array(2 * width);
    for (const [i, value] of dy!.entries()) {
      gradient[i % width]! += value * normedAt(total!, stats!, i, width);
      gradient[width + (i % width)]! += value;
    }
    return [gradient];
  },
};

/** `(x - mean) / deviation * gain + bias`: x [tokens, width], affine [2 width] holds gain, then bias -> [tokens, width]. */
export const layerNorm = (graph: Graph, x: Tensor, affine: Tensor, epsilon: number): Tensor => graph.apply(layerNormOperation, [x, affine], { epsilon, deltas: 0, biases: 0 })[0]!;

/**
 * The residual sum of `x`, one or two `deltas`, and the biases that these lack, with its norm, in one kernel.
 * @param deltas each [tokens, width], as x
 * @param biases [width] or [2 width]: one or two vectors, one after the other, added to every row; two deltas need one at least
 * @returns both [tokens, width]
 */
export function addLayerNorm(graph: Graph, x: Tensor, deltas: readonly [Tensor] | readonly [Tensor, Tensor], biases: Tensor | undefined, affine: Tensor, epsilon: number): { total: Tensor; normed: Tensor } {
  const count = biases ? biases.shape[0]! / x.shape[1]! : 0;
  if (count !== 0 && count !== 1 && count !== 2) throw new Error(`layerNorm: ${biases!.shape[0]} numbers are not one or two biases of ${x.shape[1]}.`);
  const [total, normed] = graph.apply(layerNormOperation, [x, ...deltas, ...(biases ? [biases] : []), affine], { epsilon, deltas: deltas.length, biases: count });
  return { total: total!, normed: normed! };
}
