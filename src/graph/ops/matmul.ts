/** @file Matrix products, and the linear layer as the one that models use. */
import type { MatmulLayout } from '../../gpu/matmul.ts';
import { matmulCalls, planMatmul } from '../../gpu/matmul.ts';
import type { GradientContext, Graph, Operation, Tensor, TensorType } from '../graph.ts';
import { expectShape, expectWeight, floatType } from '../graph.ts';

interface MatmulAttributes {
  readonly layout: MatmulLayout;
}

/** m, n and k of C[m, n] = A B with A stored [k, m] in TN and B stored [n, k] in NT. */
function dimensions([a, b]: readonly TensorType[], layout: MatmulLayout): { m: number; n: number; k: number } {
  const [a0 = 0, a1 = 0] = a!.shape;
  const [b0 = 0, b1 = 0] = b!.shape;
  return { m: layout === 'TN' ? a1 : a0, k: layout === 'TN' ? a0 : a1, n: layout === 'NT' ? b0 : b1 };
}

const matmulOperation: Operation<MatmulAttributes> = {
  name: 'matmul',
  infer(inputs, { layout }) {
    const { m, n, k } = dimensions(inputs, layout);
    expectShape('matmul', 'A', inputs[0]!, layout === 'TN' ? [k, m] : [m, k]);
    expectWeight('matmul', `B (${layout})`, inputs[1]!, layout === 'NT' ? [n, k] : [k, n]);
    if (inputs[2]) expectShape('matmul', 'the tensor added onto', inputs[2], [m, n]);
    return [{ shape: [m, n], dtype: 'f32' }];
  },
  inPlace: (inputCount) => (inputCount === 3 ? { output: 0, input: 2 } : undefined),
  gradient({ inputs, attributes: { layout } }, [dy], context) {
    const [a, b] = inputs as [Tensor, Tensor];
    const { graph } = context;
    const product = (to: number, as: MatmulLayout, left: Tensor, right: Tensor): Tensor => matmul(graph, as, left, right, ontoParameter(context, inputs, to));
    if (layout === 'NT') return [product(0, 'NN', dy!, b), product(1, 'TN', dy!, a)];
    if (layout === 'NN') return [product(0, 'NT', dy!, b), product(1, 'TN', a, dy!)];
    return [product(0, 'NT', b, dy!), product(1, 'NN', a, dy!)];
  },
  calls({ facts, attributes: { layout }, inputs, outputs, scratch }) {
    const { m, n, k } = dimensions(inputs, layout);
    const plan = planMatmul({ layout, m, n, k, bType: floatType(inputs[1]!), accumulate: inputs.length === 3 }, facts);
    return matmulCalls(plan, {
      a: inputs[0]!.slice,
      b: inputs[1]!.slice,
      c: outputs[0]!.slice,
      ...(plan.scratchBytes > 0 ? { scratch: scratch(plan.scratchBytes) } : {}),
    });
  },
  reference([a, b, onto], { layout }, inputTypes) {
    const { m, n, k } = dimensions(inputTypes, layout);
    const c = onto ? onto.slice() : new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        for (let l = 0; l < k; l++) c[i * n + j]! += a![layout === 'TN' ? l * m + i : i * k + l]! * b![layout === 'NT' ? j * k + l : l * n + j]!;
      }
    }
    return [c];
  },
};

/** The gradient so far of input `index` when that input is a parameter, whose gradient may be added onto in place. */
export function ontoParameter(context: GradientContext, inputs: readonly Tensor[], index: number): Tensor | undefined {
  return inputs[index]?.source === 'parameter' ? context.onto(index) : undefined;
}

/** A matrix product `[m, n]`, B possibly in halves; with `onto` [m, n] the product is added to it, in its buffer. */
export function matmul(graph: Graph, layout: MatmulLayout, a: Tensor, b: Tensor, onto?: Tensor): Tensor {
  return graph.apply(matmulOperation, onto ? [a, b, onto] : [a, b], { layout })[0]!;
}

/** `x Wᵀ`: x [tokens, in], W [out, in] as PyTorch stores it -> [tokens, out]. */
export const linear = (graph: Graph, x: Tensor, weight: Tensor): Tensor => matmul(graph, 'NT', x, weight);

