/** @file RMS norm of every query and key head by itself, as Qwen3 has it before the rotary embedding. */
import gainGradientSource from '../../../shaders/head-norm-gain-gradient.wgsl?raw';
import gradientSource from '../../../shaders/head-norm-gradient.wgsl?raw';
import forwardSource from '../../../shaders/head-norm.wgsl?raw';
import { f32Constant, kernel, linearGrid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor, TensorType } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { ROWS_PER_PART, sumParts } from './column-sum.ts';
import { ontoParameter } from './matmul.ts';

export interface HeadNormAttributes {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly epsilon: number;
}

/** Sizes as the kernels call them: heads in a row, those of them that are normed, and those of these that are queries. */
const constantsOf = ({ shape }: TensorType, { heads, keyValueHeads }: HeadNormAttributes): { ROWS: number; HEADS: number; NORMED: number; QUERIES: number } => ({
  ROWS: shape[0]!,
  HEADS: heads + 2 * keyValueHeads,
  NORMED: heads + keyValueHeads,
  QUERIES: heads,
});

/** Inputs qkv, gains [2 headDim] -> normed qkv, 1/rms [tokens, heads + keyValueHeads]. */
const headNormOperation: Operation<HeadNormAttributes> = {
  name: 'headNorm',
  infer([qkv, gains], { heads, keyValueHeads, headDim }) {
    expectShape('headNorm', 'qkv', qkv!, [undefined, (heads + 2 * keyValueHeads) * headDim]);
    expectShape('headNorm', 'the gains', gains!, [2 * headDim]);
    if (headDim % 4) throw new Error(`headNorm: the head dimension ${headDim} is not a multiple of 4.`);
    return [qkv!, { shape: [qkv!.shape[0]!, heads + keyValueHeads], dtype: 'f32' }];
  },
  gradient({ inputs, outputs, attributes }, [dy], context) {
    const [qkv, gains] = inputs;
    const inverse = outputs[1]!;
    const { graph } = context;
    const onto = ontoParameter(context, inputs, 1);
    return [graph.apply(headNormGradientOperation, [dy!, qkv!, gains!, inverse], attributes)[0], graph.apply(gainGradientOperation, [dy!, qkv!, inverse, ...(onto ? [onto] : [])], attributes)[0]];
  },
  calls({ attributes, inputs: [qkv, gains], outputs: [y, inverse] }) {
    const constants = constantsOf(qkv!, attributes);
    return [
      {
        kernel: kernel('headNorm', forwardSource, ['read', 'read', 'write', 'write'], { ...constants, QUADS: attributes.headDim / 4, EPSILON: f32Constant(attributes.epsilon) }),
        slices: [qkv!.slice, gains!.slice, y!.slice, inverse!.slice],
        grid: linearGrid(constants.ROWS * constants.HEADS, 64),
      },
    ];
  },
  reference([qkv, gains], attributes, [type]) {
    const { ROWS, HEADS, NORMED, QUERIES } = constantsOf(type!, attributes);
    const { headDim, epsilon } = attributes;
    const y = qkv!.slice();
    const inverse = new Float64Array(ROWS * NORMED);
    for (let row = 0; row < ROWS; row++) {
      for (let head = 0; head < NORMED; head++) {
        const at = (row * HEADS + head) * headDim;
        const gain = head < QUERIES ? 0 : headDim;
        const squares = qkv!.subarray(at, at + headDim).reduce((sum, value) => sum + value * value, 0);
        const r = 1 / Math.sqrt(squares / headDim + epsilon);
        inverse[row * NORMED + head] = r;
        for (let i = 0; i < headDim; i++) y[at + i] = qkv![at + i]! * r * gains![gain + i]!;
      }
    }
    return [y, inverse];
  },
};

/** dy, qkv, gains, inverse -> dQkv, with r = inverse and h = qkv r: r (gain dy - h mean(gain dy h)); value heads are copied. */
const headNormGradientOperation: Operation<HeadNormAttributes> = {
  name: 'headNormGradient',
  infer: ([dy]) => [dy!],
  calls({ attributes, inputs, outputs }) {
    const constants = constantsOf(inputs[0]!, attributes);
    return [
      {
        kernel: kernel('headNormGradient', gradientSource, ['read', 'read', 'read', 'read', 'write'], { ...constants, QUADS: attributes.headDim / 4 }),
        slices: [...inputs, ...outputs].map(({ slice }) => slice),
        grid: linearGrid(constants.ROWS * constants.HEADS, 64),
      },
    ];
  },
  reference([dy, qkv, gains, inverse], attributes, [type]) {
    const { ROWS, HEADS, NORMED, QUERIES } = constantsOf(type!, attributes);
    const { headDim } = attributes;
    const dx = dy!.slice();
    for (let row = 0; row < ROWS; row++) {
      for (let head = 0; head < NORMED; head++) {
        const at = (row * HEADS + head) * headDim;
        const gain = head < QUERIES ? 0 : headDim;
        const r = inverse![row * NORMED + head]!;
        let mean = 0;
        for (let i = 0; i < headDim; i++) mean += (gains![gain + i]! * dy![at + i]! * qkv![at + i]! * r) / headDim;
        for (let i = 0; i < headDim; i++) dx[at + i] = r * (gains![gain + i]! * dy![at + i]! - qkv![at + i]! * r * mean);
      }
    }
    return [dx];
  },
};

/** dy, qkv, inverse[, onto] -> gradients of the two gains [2 headDim], summed over rows in two fixed stages. */
const gainGradientOperation: Operation<HeadNormAttributes> = {
  name: 'headNormGainGradient',
  infer: (_inputs, { headDim }) => [{ shape: [2 * headDim], dtype: 'f32' }],
  inPlace: (inputCount) => (inputCount === 4 ? { output: 0, input: 3 } : undefined),
  calls({ attributes, inputs, outputs, scratch }) {
    const constants = constantsOf(inputs[0]!, attributes);
    const width = 2 * attributes.headDim;
    const count = Math.ceil(constants.ROWS / ROWS_PER_PART);
    const parts = scratch(4 * count * width);
    return [
      {
        kernel: kernel('headNormGainGradient', gainGradientSource, ['read', 'read', 'read', 'write'], { ...constants, HEAD_DIM: attributes.headDim, ROWS_PER_PART }),
        slices: [inputs[0]!.slice, inputs[1]!.slice, inputs[2]!.slice, parts],
        grid: [Math.ceil(width / 64), count, 1],
      },
      sumParts(parts, outputs[0]!.slice, { rows: count, width, accumulate: inputs.length === 4 }),
    ];
  },
  reference([dy, qkv, inverse, onto], attributes, [type]) {
    const { HEADS, NORMED, QUERIES } = constantsOf(type!, attributes);
    const { headDim } = attributes;
    const gradient = onto ? onto.slice() : new Float64Array(2 * headDim);
    for (const [i, value] of dy!.entries()) {
      const head = Math.floor(i / headDim) % HEADS;
      if (head >= NORMED) continue;
      const row = Math.floor(i / (headDim * HEADS));
      gradient[(head < QUERIES ? 0 : headDim) + (i % headDim)]! += value * qkv![i]! * inverse![row * NORMED + head]!;
    }
    return [gradient];
  },
};

/**
 * Norms each query and key head of qkv [tokens, (heads + 2 keyValueHeads) headDim]; value heads stay.
 * @param gains [2 headDim]: the queries' gain, then the keys'
 */
export const headNorm = (graph: Graph, qkv: Tensor, gains: Tensor, attributes: HeadNormAttributes): Tensor => graph.apply(headNormOperation, [qkv, gains], attributes)[0]!;
