/** @file GELU (arXiv 1606.08415) of a biased input, exact or in the approximation by tanh that GPT-2 was trained with. */
import geluSource from '../../../shaders/gelu.wgsl?raw';
import { kernel } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowwiseLayout } from './bias.ts';
import { columnSum } from './column-sum.ts';
import { ontoParameter } from './matmul.ts';

/** `erf`: x Φ(x). `tanh`: x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³))). */
export type GeluForm = 'erf' | 'tanh';

interface GeluAttributes {
  readonly form: GeluForm;
}

const geluOperation: Operation<GeluAttributes> = {
  name: 'gelu',
  infer([x, bias]) {
    expectShape('gelu', 'x', x!, [undefined, undefined]);
    expectShape('gelu', 'the bias', bias!, [x!.shape[1]!]);
    return [x!];
  },
  gradient({ inputs, attributes }, [dy], context) {
    const [x, bias] = inputs;
    const dx = context.graph.apply(geluGradientOperation, [dy!, x!, bias!], attributes)[0]!;
    return [dx, columnSum(context.graph, dx, 1, ontoParameter(context, inputs, 1))];
  },
  calls({ attributes: { form }, inputs: [x, bias], outputs: [y] }) {
    const { constants, grid } = rowwiseLayout(x!);
    return [{ kernel: kernel('gelu', geluSource, ['read', 'read', 'write'], { ...constants, TANH: form === 'tanh', GRADIENT: false }), slices: [x!.slice, bias!.slice, y!.slice], grid }];
  },
  reference: ([x, bias], { form }) => [x!.map((value, i) => gelu(value + bias![i % bias!.length]!, form).value)],
};

/** Inputs dy, x, bias -> dx, which is the gradient of the sum x + bias. */
const geluGradientOperation: Operation<GeluAttributes> = {
  name: 'geluGradient',
  infer: ([dy]) => [dy!],
  calls({ attributes: { form }, inputs, outputs: [dx] }) {
    const { constants, grid } = rowwiseLayout(inputs[0]!);
    return [
      {
        kernel: kernel('geluGradient', geluSource, ['read', 'read', 'read', 'write'], { ...constants, TANH: form === 'tanh', GRADIENT: true }),
        slices: [...inputs.map(({ slice }) => slice), dx!.slice],
        grid,
      },
    ];
  },
  reference: ([dy, x, bias], { form }) => [dy!.map((d, i) => d * gelu(x![i]! + bias![i % bias!.length]!, form).slope)],
};

/** The function and its derivative in f64. */
function gelu(x: number, form: GeluForm): { value: number; slope: number } {
  if (form === 'erf') {
    const phi = 0.5 * (1 + erf(x / Math.SQRT2));
    return { value: x * phi, slope: phi + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI) };
  }
  const t = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
  return { value: 0.5 * x * (1 + t), slope: 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x) };
}

/** The error function by Kummer's series, all of whose terms are positive: 2/sqrt(π) exp(-x²) sum of 2ⁿ x²ⁿ⁺¹ / (2n+1)!!. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** `gelu(x + bias)`: x [tokens, width], bias [width]. */
export const biasGelu = (graph: Graph, x: Tensor, bias: Tensor, form: GeluForm): Tensor => graph.apply(geluOperation, [x, bias], { form })[0]!;
