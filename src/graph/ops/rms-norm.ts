/** @file Root-mean-square normalisation (arXiv 1910.07467), alone and fused with the residual addition before it. */
import gainGradientSource from '../../../shaders/rms-norm-gain-gradient.wgsl?raw';
import gradientSource from '../../../shaders/rms-norm-gradient.wgsl?raw';
import forwardSource from '../../../shaders/rms-norm.wgsl?raw';
import { f32Constant, kernel } from '../../gpu/kernel.ts';
import { rowGrid, rowLanes } from '../rows.ts';
import type { Graph, Operation, Tensor, TensorType } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { ontoParameter } from './matmul.ts';

interface NormAttributes {
  readonly epsilon: number;
}

/** Rows that one partial sum of the gain's gradient covers. */
const ROWS_PER_PARTIAL = 32;

const size = ({ shape }: TensorType): { rows: number; width: number } => ({ rows: shape[0]!, width: shape[1]! });

const inverseRms = (x: ArrayLike<number>, row: number, width: number, epsilon: number): number => {
  let squares = 0;
  for (let i = 0; i < width; i++) squares += x[row * width + i]! ** 2;
  return 1 / Math.sqrt(squares / width + epsilon);
};

/** Inputs x, gain -> y, 1/rms; or x, delta, gain -> x + delta, y, 1/rms. */
const rmsNormOperation: Operation<NormAttributes> = {
  name: 'rmsNorm',
  infer(inputs) {
    const x = inputs[0]!;
    const { rows, width } = size(x);
    expectShape('rmsNorm', 'x', x, [rows, width]);
    if (width % 4) throw new Error(`rmsNorm: the width ${width} is not a multiple of 4.`);
    if (inputs.length === 3) expectShape('rmsNorm', 'the residual', inputs[1]!, x.shape);
    expectShape('rmsNorm', 'the gain', inputs.at(-1)!, [width]);
    const inverse: TensorType = { shape: [rows], dtype: 'f32' };
    return inputs.length === 3 ? [x, x, inverse] : [x, inverse];
  },
  gradient(node, outputGradients, context) {
    const { inputs, outputs } = node;
    const added = inputs.length === 3;
    const total = added ? outputs[0]! : inputs[0]!;
    const gain = inputs.at(-1)!;
    const inverse = outputs.at(-1)!;
    const dTotal = added ? outputGradients[0] : undefined;
    const dy = outputGradients[added ? 1 : 0]!;
    const { graph } = context;
    const dx = graph.apply(rmsNormGradientOperation, dTotal ? [dy, total, gain, inverse, dTotal] : [dy, total, gain, inverse], null)[0]!;
    const onto = ontoParameter(context, inputs, inputs.length - 1);
    const dGain = graph.apply(gainGradientOperation, onto ? [dy, total, inverse, onto] : [dy, total, inverse], null)[0]!;
    return added ? [dx, dx, dGain] : [dx, dGain];
  },
  fromFirst(graph, { inputs, outputs, attributes }) {
    if (inputs.length < 3) return undefined;
    return [outputs[0]!, ...graph.apply(rmsNormOperation, [outputs[0]!, inputs.at(-1)!], attributes)];
  },
  calls({ facts, attributes: { epsilon }, inputs, outputs }) {
    const { rows, width } = size(inputs[0]!);
    const added = inputs.length === 3;
    const reads = inputs.map(() => 'read' as const);
    const writes = outputs.map(() => 'write' as const);
    return [
      {
        kernel: kernel('rmsNorm', forwardSource, [...reads, ...writes], { ADD: added, ROWS: rows, WIDTH: width, EPSILON: f32Constant(epsilon), LANES: rowLanes(facts) }),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: rowGrid(rows),
      },
    ];
  },
  reference(inputs, { epsilon }, inputTypes) {
    const { rows, width } = size(inputTypes[0]!);
    const [x, delta, gain] = inputs.length === 3 ? inputs : [inputs[0], undefined, inputs[1]];
    const total = delta ? x!.map((value, i) => value + delta[i]!) : x!;
    const inverse = Float64Array.from({ length: rows }, (_, row) => inverseRms(total, row, width, epsilon));
    const y = total.map((value, i) => value * inverse[Math.floor(i / width)]! * gain![i % width]!);
    return delta ? [total, y, inverse] : [y, inverse];
  },
};

/** dy, total, gain, inverse[, dTotal] -> dx, with r = inverse and h = total r: r (gain dy - h mean(gain dy h)) + dTotal. */
const rmsNormGradientOperation: Operation<null> = {
  name: 'rmsNormGradient',
  infer: ([dy]) => [dy!],
  calls({ facts, inputs, outputs }) {
    const { rows, width } = size(inputs[0]!);
    return [
      {
        kernel: kernel('rmsNormGradient', gradientSource, [...inputs.map(() => 'read' as const), 'write'], { ADD: inputs.length === 5, ROWS: rows, WIDTH: width, LANES: rowLanes(facts) }),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: rowGrid(rows),
      },
    ];
  },
  reference([dy, total, gain, inverse, dTotal], _attributes, [type]) {
    const { rows, width } = size(type!);
    const dx = dTotal ? dTotal.slice() : new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const at = row * width;
      const r = inverse![row]!;
      let mean = 0;
      for (let i = 0; i < width; i++) mean += (gain![i]! * dy![at + i]! * total![at + i]! * r) / width;
      for (let i = 0; i < width; i++) dx[at + i]! += r * (gain![i]! * dy![at + i]! - total![at + i]! * r * mean);
    }
    return [dx];
  },
};

/** dy, total, inverse[, onto] -> dGain [width], summed over rows in two fixed stages. */
const gainGradientOperation: Operation<null> = {
  name: 'rmsNormGainGradient',
  infer: ([dy]) => [{ shape: [dy!.shape[1]!], dtype: 'f32' }],
  inPlace: (inputCount) => (inputCount === 4 ? { output: 0, input: 3 } : undefined),
  calls({ inputs, outputs, scratch }) {
    const { rows, width } = size(inputs[0]!);
    const partials = Math.ceil(rows / ROWS_PER_PARTIAL);
    const partial = scratch(4 * partials * width);
    const constants = { ROWS: rows, WIDTH: width, PARTIALS: partials, ROWS_PER_PARTIAL };
    return [
      {
        kernel: kernel('rmsNormGainGradient.rows', gainGradientSource, ['read', 'read', 'read', 'write'], { ...constants, ACCUMULATE: false, FINISH: false }),
        slices: [inputs[0]!.slice, inputs[1]!.slice, inputs[2]!.slice, partial],
        grid: [Math.ceil(width / 64), partials, 1],
      },
      {
        kernel: kernel('rmsNormGainGradient.finish', gainGradientSource, ['read', 'write'], { ...constants, ACCUMULATE: inputs.length === 4, FINISH: true }),
        slices: [partial, outputs[0]!.slice],
        grid: [Math.ceil(width / 64), 1, 1],
      },
    ];
  },
  reference([dy, total, inverse, onto], _attributes, [type]) {
    const { width } = size(type!);
    const gradient = onto ? onto.slice() : new Float64Array(width);
    for (const [i, value] of dy!.entries()) gradient[i % width]! += value * total![i]! * inverse![Math.floor(i / width)]!;
    return [gradient];
  },
};

/** `x / rms(x) * gain`: x [tokens, width], gain [width] -> [tokens, width]. */
export const rmsNorm = (graph: Graph, x: Tensor, gain: Tensor, epsilon: number): Tensor => graph.apply(rmsNormOperation, [x, gain], { epsilon })[0]!;

/** The residual sum `x + delta` and its norm, in one kernel: both [tokens, width]. */
export function addRmsNorm(graph: Graph, x: Tensor, delta: Tensor, gain: Tensor, epsilon: number): { total: Tensor; normed: Tensor } {
  const [total, normed] = graph.apply(rmsNormOperation, [x, delta, gain], { epsilon });
  return { total: total!, normed: normed! };
}
