/** @file Every operation with a simple rule: kernels against f64, rules against finite differences, sizes that cross group edges. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../gradients.ts';
import type { Tensor } from '../graph.ts';
import { elementCount, Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import type { OperationCase } from '../testing.ts';
import { differenceError, measureOperation, randomNormal, relativeError, runOnGpu } from '../testing.ts';
import { add } from './add.ts';
import { addBias } from './bias.ts';
import { embedding, sortTokensById } from './embedding.ts';
import { biasGelu } from './gelu.ts';
import { headLoss } from './head-loss.ts';
import { headNorm } from './head-norm.ts';
import { addLayerNorm, layerNorm } from './layer-norm.ts';
import { matmul } from './matmul.ts';
import { addRmsNorm, rmsNorm } from './rms-norm.ts';
import { rope, ropeFrequencies, ropeTable } from './rope.ts';
import { swiglu } from './swiglu.ts';

/** Rounding of one f32 operation. */
const UNIT = 2 ** -24;

const ids = Uint32Array.from({ length: 70 }, (_, i) => (i * i + 3) % 19);
const runs = sortTokensById(ids, (token) => token < 66);

interface Case extends OperationCase {
  readonly name: string;
  /** Roundings that can add up in one output of the forward pass or of a gradient. */
  readonly roundings: number;
}

const cases: readonly Case[] = [
  { name: 'add', roundings: 2, build: (g) => [add(g, g.source('input', 'a', [7, 45]), g.source('input', 'b', [7, 45]))] },
  ...(['NN', 'NT', 'TN'] as const).map(
    (layout): Case => ({
      name: `matmul ${layout}`,
      roundings: 70,
      build: (g) => [matmul(g, layout, g.source('input', 'a', layout === 'TN' ? [67, 33] : [33, 67]), g.source('parameter', 'b', layout === 'NT' ? [29, 67] : [67, 29]))],
    }),
  ),
  ...(['NN', 'NT'] as const).map(
    (layout): Case => ({
      name: `matmul ${layout}, B in halves`,
      roundings: 70,
      differentiate: ['a'],
      build: (g) => [matmul(g, layout, g.source('input', 'a', [33, 67]), g.source('parameter', 'b', layout === 'NT' ? [29, 67] : [67, 29], 'bf16'))],
    }),
  ),
  { name: 'rmsNorm', roundings: 200, build: (g) => [rmsNorm(g, g.source('input', 'x', [70, 132]), g.source('parameter', 'gain', [132]), 1e-5)] },
  {
    name: 'rmsNorm after a residual sum',
    roundings: 200,
    build: (g) => {
      const { total, normed } = addRmsNorm(g, g.source('input', 'x', [37, 100]), g.source('input', 'delta', [37, 100]), g.source('parameter', 'gain', [100]), 1e-6);
      return [total, normed];
    },
  },
  // exp is allowed an error of 3 + 2|x| ulp by the WGSL specification.
  { name: 'swiglu', roundings: 40, build: (g) => [swiglu(g, g.source('input', 'gateUp', [9, 86]))] },
  { name: 'swiglu by four', roundings: 40, build: (g) => [swiglu(g, g.source('input', 'gateUp', [9, 88]))] },
  {
    name: 'rope',
    roundings: 4,
    differentiate: ['x'],
    feeds: { positions: Array.from({ length: 11 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, ropeFrequencies(12, 10000))) },
    build: (g) => [rope(g, g.source('input', 'x', [11, 48]), g.source('input', 'positions', [11], 'u32'), g.source('constant', 'table', [16, 12]), { heads: 4, rotatedHeads: 3, headDim: 12 })],
  },
  {
    name: 'rope by four',
    roundings: 4,
    differentiate: ['x'],
    feeds: { positions: Array.from({ length: 11 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, ropeFrequencies(16, 10000))) },
    build: (g) => [rope(g, g.source('input', 'x', [11, 64]), g.source('input', 'positions', [11], 'u32'), g.source('constant', 'table', [16, 16]), { heads: 4, rotatedHeads: 3, headDim: 16 })],
  },
  {
    name: 'rope of a part of each head, after a bias',
    roundings: 20,
    differentiate: ['x', 'bias'],
    feeds: { positions: Array.from({ length: 40 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, ropeFrequencies(6, 10000), 1.2)) },
    build: (g) => [
      rope(g, g.source('input', 'x', [40, 60]), g.source('input', 'positions', [40], 'u32'), g.source('constant', 'table', [16, 6]), { heads: 5, rotatedHeads: 3, headDim: 12 }, g.source('parameter', 'bias', [60])),
    ],
  },
  {
    name: 'rope of a part of each head by four, after a bias',
    roundings: 20,
    differentiate: ['x', 'bias'],
    feeds: { positions: Array.from({ length: 40 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, ropeFrequencies(8, 10000))) },
    build: (g) => [
      rope(g, g.source('input', 'x', [40, 72]), g.source('input', 'positions', [40], 'u32'), g.source('constant', 'table', [16, 8]), { heads: 3, rotatedHeads: 2, headDim: 24 }, g.source('parameter', 'bias', [72])),
    ],
  },
  { name: 'bias', roundings: 40, build: (g) => [addBias(g, g.source('input', 'x', [70, 53]), g.source('parameter', 'bias', [53]))] },
  { name: 'bias by four', roundings: 40, build: (g) => [addBias(g, g.source('input', 'x', [70, 48]), g.source('parameter', 'bias', [48]))] },
  ...(['erf', 'tanh'] as const).flatMap((form) =>
    [53, 48].map((width): Case => ({ name: `gelu ${form} of ${width} columns`, roundings: 60, build: (g) => [biasGelu(g, g.source('input', 'x', [37, width]), g.source('parameter', 'bias', [width]), form)] })),
  ),
  { name: 'layerNorm', roundings: 200, build: (g) => [layerNorm(g, g.source('input', 'x', [70, 132]), g.source('parameter', 'affine', [264]), 1e-5)] },
  { name: 'layerNorm with the lanes of a GPU', roundings: 200, pretend: { software: false }, build: (g) => [layerNorm(g, g.source('input', 'x', [37, 300]), g.source('parameter', 'affine', [600]), 1e-5)] },
  { name: 'rmsNorm with the lanes of a GPU', roundings: 200, pretend: { software: false }, build: (g) => [rmsNorm(g, g.source('input', 'x', [37, 300]), g.source('parameter', 'gain', [300]), 1e-5)] },
  {
    name: 'layerNorm after a residual sum',
    roundings: 200,
    build: (g) => {
      const { total, normed } = addLayerNorm(g, g.source('input', 'x', [37, 48]), [g.source('input', 'delta', [37, 48])], undefined, g.source('parameter', 'affine', [96]), 1e-5);
      return [total, normed];
    },
  },
  {
    name: 'layerNorm after a residual sum with a bias',
    roundings: 200,
    build: (g) => {
      const { total, normed } = addLayerNorm(g, g.source('input', 'x', [37, 100]), [g.source('input', 'delta', [37, 100])], g.source('parameter', 'bias', [100]), g.source('parameter', 'affine', [200]), 1e-5);
      return [total, normed];
    },
  },
  {
    name: 'layerNorm after two residuals with two biases',
    roundings: 200,
    build: (g) => {
      const deltas = [g.source('input', 'delta', [37, 100]), g.source('input', 'second', [37, 100])] as const;
      const { total, normed } = addLayerNorm(g, g.source('input', 'x', [37, 100]), deltas, g.source('parameter', 'biases', [200]), g.source('parameter', 'affine', [200]), 1e-5);
      return [total, normed];
    },
  },
  { name: 'headNorm', roundings: 100, build: (g) => [headNorm(g, g.source('input', 'qkv', [70, 96]), g.source('parameter', 'gains', [24]), { heads: 4, keyValueHeads: 2, headDim: 12, epsilon: 1e-6 })] },
  {
    name: 'embedding',
    roundings: 16,
    // A token that `sortTokensById` leaves out is padding, so its row takes no part in the scalar either.
    feeds: { ids: Array.from(ids), sorted: Array.from(runs.sorted), runStart: Array.from(runs.runStart) },
    build: (g) => [
      embedding(g, g.source('parameter', 'table', [19, 36]), g.source('input', 'ids', [70], 'u32'), {
        sorted: g.source('input', 'sorted', [70], 'u32'),
        runStart: g.source('input', 'runStart', [71], 'u32'),
      }),
    ],
  },
];

describe('operations', () => {
  it.each(['bf16', 'f16'] as const)('an embedding in %s is what the table holds', async (dtype) => {
    const errors = await measureOperation({
      feeds: { ids: Array.from(ids) },
      differentiate: [],
      build: (g) => [embedding(g, g.source('parameter', 'table', [19, 37], dtype), g.source('input', 'ids', [70], 'u32'))],
    });
    expect(errors.forward).toEqual([0]);
  });

  it.each(cases)('$name', async ({ name, roundings, ...operation }) => {
    const errors = await measureOperation(operation);
    for (const error of errors.forward) expect(error).toBeLessThan(roundings * UNIT);
    for (const [source, error] of Object.entries(errors.gradient)) expect(error, `gradient of ${source}`).toBeLessThan(roundings * UNIT);
    // Padding is left out of the embedding's gradient on purpose, so its finite differences are taken elsewhere (head-loss.test.ts).
    if (name !== 'embedding') for (const [source, error] of Object.entries(errors.finiteDifference)) expect(error, `finite difference of ${source}`).toBeLessThan(1e-8);
  });

  it('differentiates vectors that all rows share, adding onto what is there', async () => {
    const graph = new Graph();
    const values = new Map<Tensor, Float64Array>();
    const source = (kind: 'input' | 'parameter' | 'state', name: string, shape: readonly number[], seed: number): Tensor => {
      const tensor = graph.source(kind, name, shape);
      values.set(tensor, randomNormal(elementCount(shape), seed));
      return tensor;
    };
    const fixed = (name: string, data: ArrayLike<number>, shape: readonly number[], dtype: 'f32' | 'u32'): Tensor => {
      const tensor = graph.source('input', name, shape, dtype);
      values.set(tensor, Float64Array.from(data, Math.fround));
      return tensor;
    };
    const vectors = Object.fromEntries(
      Object.entries({ bias: 32, gains: 16, ropeBias: 32, geluBias: 32, first: 64, outputBias: 32, last: 64 }).map(([name, length], i) => [name, source('parameter', name, [length], 10 + i)]),
    ) as Record<'bias' | 'gains' | 'ropeBias' | 'geluBias' | 'first' | 'outputBias' | 'last', Tensor>;
    const rows = 40;
    const headed = headNorm(graph, addBias(graph, source('input', 'x', [rows, 32], 1), vectors.bias), vectors.gains, { heads: 2, keyValueHeads: 1, headDim: 8, epsilon: 1e-6 });
    const positions = fixed('positions', Array.from({ length: rows }, (_, i) => i % 16), [rows], 'u32');
    const table = fixed('table', ropeTable(16, ropeFrequencies(8, 100)), [16, 8], 'f32');
    const turned = rope(graph, headed, positions, table, { heads: 4, rotatedHeads: 3, headDim: 8 }, vectors.ropeBias);
    const gated = biasGelu(graph, turned, vectors.geluBias, 'tanh');
    // `gated` reaches the loss on two ways; the rule of the first norm takes the gradient of the other along.
    const { normed } = addLayerNorm(graph, gated, [layerNorm(graph, gated, vectors.first, 1e-5)], vectors.outputBias, vectors.last, 1e-5);
    const weights = fixed('weights', Array.from({ length: rows }, (_, i) => (1 + (i % 3)) / rows), [rows], 'f32');
    const { nll } = headLoss(graph, normed, source('input', 'head', [11, 32], 2), fixed('labels', Array.from({ length: rows }, (_, i) => i % 11), [rows], 'u32'), weights);
    const parameters = Object.values(vectors);
    const onto = new Map(parameters.map((parameter, i) => [parameter, source('state', `onto ${parameter.name}`, parameter.shape, 30 + i)]));
    const { of } = gradients(graph, nll, parameters, onto);
    const wanted = parameters.map((parameter) => of.get(parameter)!);
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    const loss = (changed: Tensor) => (at: Float64Array) =>
      evaluateReference(graph, [nll], new Map(values).set(changed, at))
        .get(nll)!
        .reduce((sum, value, i) => sum + value * values.get(weights)![i]!, 0);
    for (const [i, parameter] of parameters.entries()) {
      const gradient = expected.get(wanted[i]!)!;
      expect(relativeError(actual.get(wanted[i]!)!, gradient), parameter.name).toBeLessThan(400 * UNIT);
      expect(differenceError(loss(parameter), values.get(parameter)!, gradient.map((value, j) => value - values.get(onto.get(parameter)!)![j]!)), `finite difference of ${parameter.name}`).toBeLessThan(1e-7);
    }
  });
});
