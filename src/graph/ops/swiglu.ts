/** @file SwiGLU, the gated activation of Llama's MLP (arXiv 2002.05202): silu(gate) * up. */
import gradientSource from '../../../shaders/swiglu-gradient.wgsl?raw';
import forwardSource from '../../../shaders/swiglu.wgsl?raw';
import { kernel, linearGrid, type Grid } from '../../gpu/kernel.ts';
import type { Graph, Operation, Tensor, TensorType } from '../graph.ts';
import { elementCount, expectShape } from '../graph.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const halved = ({ shape: [rows, width] }: TensorType): TensorType => ({ shape: [rows!, width! / 2], dtype: 'f32' });

/** Constants and grid of an elementwise kernel over y: four neighbours a lane where rows allow it. */
function layout(y: TensorType): { constants: { QUADS: boolean; COUNT: number; WIDTH: number }; grid: Grid } {
  const width = y.shape[1]!;
  const together = width % 4 === 0 ? 4 : 1;
  const count = elementCount(y.shape) / together;
  return { constants: { QUADS: together === 4, COUNT: count, WIDTH: width / together }, grid: linearGrid(count, 256) };
}

const swigluOperation: Operation<null> = {
  name: 'swiglu',
  infer([gateUp]) {
    expectShape('swiglu', 'gate and up', gateUp!, [undefined, undefined]);
    if (gateUp!.shape[1]! % 2) throw new Error(`swiglu: the width ${gateUp!.shape[1]} is not two halves.`);
    return [halved(gateUp!)];
  },
  gradient: ({ inputs: [gateUp] }, [dy], { graph }) => graph.apply(swigluGradientOperation, [dy!, gateUp!], null),
  calls({ inputs: [gateUp], outputs: [y] }) {
    const { constants, grid } = layout(y!);
    return [{ kernel: kernel('swiglu', forwardSource, ['read', 'write'], constants), slices: [gateUp!.slice, y!.slice], grid }];
  },
  reference([gateUp], _attributes, _types, [type]) {
    const width = type!.shape[1]!;
    return [
      Float64Array.from({ length: elementCount(type!.shape) }, (_, i) => {
        const at = Math.floor(i / width) * 2 * width + (i % width);
        return gateUp![at]! * sigmoid(gateUp![at]!) * gateUp![at + width]!;
      }),
    ];
  },
};

/** dy [rows, width], gateUp [rows, 2 width] -> dGateUp. */
const swigluGradientOperation: Operation<null> = {
  name: 'swigluGradient',
  infer: ([, gateUp]) => [gateUp!],
  calls({ inputs: [dy, gateUp], outputs: [dGateUp] }) {
    const { constants, grid } = layout(dy!);
    return [{ kernel: kernel('swigluGradient', gradientSource, ['read', 'read', 'write'], constants), slices: [dy!.slice, gateUp!.slice, dGateUp!.slice], grid }];
  },
  reference([dy, gateUp], _attributes, [type]) {
    const width = type!.shape[1]!;
    const gradient = new Float64Array(gateUp!.length);
    for (const [i, d] of dy!.entries()) {
      const at = Math.floor(i / width) * 2 * width + (i % width);
      const gate = gateUp![at]!;
      const s = sigmoid(gate);
      gradient[at] = d * gateUp![at + width]! * s * (1 + gate * (1 - s));
      gradient[at + width] = d * gate * s;
    }
    return [gradient];
  },
};

/** `silu(gate) * up`: gateUp [tokens, 2 width], gate in the first half of a row -> [tokens, width]. */
export const swiglu = (graph: Graph, gateUp: Tensor): Tensor => graph.apply(swigluOperation, [gateUp], null)[0]!;
