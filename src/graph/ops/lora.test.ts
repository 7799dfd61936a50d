/** @file Adapted linear layers: kernels against f64, rules against finite differences, the variant for GPUs against the other. */
import { describe, expect, it } from 'vitest';
import { readFloats } from '../../gpu/buffers.ts';
import { Program } from '../../gpu/program.ts';
import { testContext } from '../../gpu/testing.ts';
import { compile, neededNodes } from '../compile.ts';
import { applyRule, gradients } from '../gradients.ts';
import type { ReferenceArray, Tensor } from '../graph.ts';
import { elementCount, Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { differenceError, randomNormal, relativeError, runOnGpu } from '../testing.ts';
import { headLoss } from './head-loss.ts';
import { loraLinear, mergeCall } from './lora.ts';
import { linear } from './matmul.ts';
import { rmsNorm } from './rms-norm.ts';

interface Layer {
  readonly tokens: number;
  readonly columns: number;
  readonly rows: number;
  readonly rank: number;
  readonly pieces: readonly { readonly column: number; readonly rows: number }[];
}

const layers: Readonly<Record<string, Layer>> = {
  'whole fours, a gap between two of three pieces': { tokens: 70, columns: 132, rows: 176, rank: 8, pieces: [{ column: 0, rows: 100 }, { column: 136, rows: 40 }] },
  'odd sizes': { tokens: 9, columns: 27, rows: 45, rank: 3, pieces: [{ column: 5, rows: 17 }, { column: 22, rows: 23 }] },
  'one token, one piece': { tokens: 1, columns: 40, rows: 24, rank: 4, pieces: [{ column: 0, rows: 24 }] },
};

const SCALE = 1.75;

/** Sums of up to a few hundred products, some of sums; relative to the largest entry. */
const TOLERANCE = 200 * 2 ** -24;

function build({ tokens, columns, rows, rank, pieces }: Layer) {
  const graph = new Graph();
  const x = graph.source('input', 'x', [tokens, columns]);
  const w = graph.source('constant', 'w', [rows, columns]);
  const a = graph.source('parameter', 'a', [rank * pieces.length, columns]);
  const b = graph.source('parameter', 'b', [pieces.reduce((sum, piece) => sum + piece.rows, 0), rank]);
  const y = loraLinear(graph, x, { a, b, pieces, scale: SCALE }, (input) => linear(graph, input, w));
  const values = new Map<Tensor, ReferenceArray>(graph.sources.map((source, i) => [source, randomNormal(elementCount(source.shape), i + 1).map((value) => Math.fround(value / 8))]));
  return { graph, x, w, a, b, y, values };
}

/** The gradients of x, A and B for a cotangent of y, by the rules in the order of the backward walk. */
function backward({ graph, x, w, a, b, y, values }: ReturnType<typeof build>) {
  const dy = graph.source('input', 'dy', y.shape);
  values.set(dy, randomNormal(elementCount(y.shape), 9).map((value) => Math.fround(value / 8)));
  const found = new Map<Tensor, Tensor>([[y, dy]]);
  for (const node of graph.nodes.toReversed()) {
    const rule = { graph, onto: (index: number) => found.get(node.inputs[index]!), needs: (index: number) => node.inputs[index] !== w, alsoComputes: () => undefined };
    for (const [i, gradient] of applyRule(node, node.outputs.map((output) => found.get(output)), rule).entries()) if (gradient) found.set(node.inputs[i]!, gradient);
  }
  return { dx: found.get(x)!, da: found.get(a)!, db: found.get(b)! };
}

describe('loraLinear', () => {
  it.each(Object.entries(layers))('%s: forward and backward against f64 and finite differences', async (_, layer) => {
    const built = build(layer);
    const { graph, x, a, b, y, values } = built;
    const { dx, da, db } = backward(built);
    const wanted = [dx, da, db];
    const expected = evaluateReference(graph, [...wanted, y], values);
    const actual = new Map([...(await runOnGpu(graph, [y], values)), ...(await runOnGpu(graph, wanted, values))]);
    for (const tensor of [...wanted, y]) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(TOLERANCE);
    const dy = values.get(graph.sources.at(-1)!)!;
    for (const [source, gradient] of [[x, dx], [a, da], [b, db]] as const) {
      const scalar = (at: ReferenceArray): number => evaluateReference(graph, [y], new Map(values).set(source, at)).get(y)!.reduce((sum, value, i) => sum + value * dy[i]!, 0);
      expect(differenceError(scalar, values.get(source)!, expected.get(gradient)!), source.name).toBeLessThan(1e-8);
    }
  });

  it('is x (W + s B A)ᵀ on the columns of its pieces, and W x elsewhere', () => {
    const { tokens, columns, rows, rank, pieces } = layers['odd sizes']!;
    const { graph, x, w, a, b, y, values } = build(layers['odd sizes']!);
    const merged = values.get(w)!.slice();
    let first = 0;
    for (const [p, piece] of pieces.entries()) {
      for (let i = 0; i < piece.rows; i++) {
        for (let j = 0; j < columns; j++) {
          for (let q = 0; q < rank; q++) merged[(piece.column + i) * columns + j]! += SCALE * values.get(b)![(first + i) * rank + q]! * values.get(a)![(p * rank + q) * columns + j]!;
        }
      }
      first += piece.rows;
    }
    const dense = Float64Array.from({ length: tokens * rows }, (_, at) => {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += values.get(x)![Math.floor(at / rows) * columns + j]! * merged[(at % rows) * columns + j]!;
      return sum;
    });
    expect(relativeError(evaluateReference(graph, [y], values).get(y)!, dense)).toBeLessThan(1e-14);
  });

  it('has the same gradients where tokens are shared out among the lanes of a GPU, added onto what is there', async () => {
    const { gpu, pipelines, pool } = await testContext();
    for (const layer of [layers['whole fours, a gap between two of three pieces']!, layers['odd sizes']!]) {
      const built = build(layer);
      const { graph, values } = built;
      const { da, db } = backward(built);
      for (const gradient of [da, db]) {
        const [wide, narrow] = gradient.node!.inputs as [Tensor, Tensor];
        const alone = new Graph();
        const inputs = [wide, narrow, gradient].map(({ shape }, i) => alone.source('input', `input ${i}`, shape));
        const [sum] = alone.apply(gradient.node!.operation, inputs, gradient.node!.attributes as never);
        const known = evaluateReference(graph, [wide, narrow, gradient], values);
        const feeds = [known.get(wide)!, known.get(narrow)!, randomNormal(elementCount(gradient.shape), 5)].map((numbers) => Float64Array.from(numbers, Math.fround));
        const bindings = new Map(inputs.map((input, i) => [input, pool.upload(Float32Array.from(feeds[i]!), 'other', input.name)]));
        const { calls, slices } = compile(alone, [sum!], { facts: { ...gpu.facts, software: false }, pool, bindings });
        (await Program.record(gpu.device, pipelines, 'test', calls)).replay();
        const expected = evaluateReference(alone, [sum!], new Map(inputs.map((input, i) => [input, feeds[i]!]))).get(sum!)!;
        expect(relativeError(Float64Array.from(await readFloats(gpu.device, slices.get(sum!)!)), expected)).toBeLessThan(TOLERANCE);
      }
    }
    pool.destroyAll();
    gpu.assertHealthy();
  });

  it('merges: W + s B A in place', async () => {
    const { gpu, pipelines, pool } = await testContext();
    const [rows, columns, rank] = [23, 27, 3];
    const [w, b, a] = [randomNormal(rows * columns, 1), randomNormal(rows * rank, 2), randomNormal(rank * columns, 3)];
    const slices = [b, a, w].map((values, i) => ({ ...pool.upload(Float32Array.from(values), 'other', `merge ${i}`), size: 4 * values.length }));
    (await Program.record(gpu.device, pipelines, 'merge', [mergeCall({ rows, columns, rank }, SCALE, slices[0]!, slices[1]!, slices[2]!)])).replay();
    const expected = w.map((value, at) => {
      let sum = value;
      for (let q = 0; q < rank; q++) sum += SCALE * b[Math.floor(at / columns) * rank + q]! * a[q * columns + (at % columns)]!;
      return sum;
    });
    expect(relativeError(Float64Array.from(await readFloats(gpu.device, slices[2]!)), expected)).toBeLessThan(8 * 2 ** -24);
    pool.destroyAll();
  });

  it('computes nothing for what is frozen', () => {
    const graph = new Graph();
    const input = (name: string, shape: readonly number[], dtype: 'f32' | 'u32' = 'f32'): Tensor => graph.source('input', name, shape, dtype);
    const frozen = (name: string, shape: readonly number[]): Tensor => graph.source('constant', name, shape);
    const adapter = (name: string) => ({ a: graph.source('parameter', `${name} a`, [2, 8]), b: graph.source('parameter', `${name} b`, [8, 2]), pieces: [{ column: 0, rows: 8 }], scale: 1 });
    const [first, second] = [adapter('first'), adapter('second')];
    const middle = loraLinear(graph, input('x', [3, 8]), first, (x) => linear(graph, x, frozen('w1', [8, 8])));
    const last = loraLinear(graph, rmsNorm(graph, middle, frozen('gain', [8]), 1e-5), second, (x) => linear(graph, x, frozen('w2', [8, 8])));
    const { nll } = headLoss(graph, last, frozen('head', [12, 8]), input('labels', [3], 'u32'), input('weights', [3]));
    const forward = new Set(graph.nodes);
    const { of } = gradients(graph, nll, [first.a, first.b, second.a, second.b]);
    const made = neededNodes(graph, [...of.values()]).filter((node) => !forward.has(node));
    const count = (kind: string): number => made.filter(({ operation }) => operation.name === kind).length;
    // The gradient of x is asked for by the second layer alone, of a frozen matrix by none, of the head by none.
    expect({ matmul: count('matmul'), widen: count('loraWiden'), narrow: count('loraNarrow'), gradient: count('loraGradient') }).toEqual({ matmul: 1, widen: 1, narrow: 2, gradient: 4 });
    const head = made.find(({ operation }) => operation.name === 'headLossGradient')!;
    expect(head.outputs.map(({ shape }) => shape)).toEqual([[3], [3], [3, 8]]);
    expect(of.size).toBe(4);
  });
});
