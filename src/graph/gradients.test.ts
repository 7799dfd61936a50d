/** @file Recomputation of segments in the backward pass: the same bits in less memory. */
import { expect, it } from 'vitest';
import { createContext, countingContext } from '../gpu/context.ts';
import { testGpu } from '../gpu/testing.ts';
import { compile } from './compile.ts';
import { gradients } from './gradients.ts';
import type { ReferenceArray, Tensor } from './graph.ts';
import { elementCount, Graph } from './graph.ts';
import { headLoss } from './ops/head-loss.ts';
import { linear } from './ops/matmul.ts';
import { addRmsNorm, rmsNorm } from './ops/rms-norm.ts';
import { swiglu } from './ops/swiglu.ts';
import { randomNormal, runOnGpu } from './testing.ts';

const [WIDTH, VOCABULARY] = [32, 40];

/** A residual stack of gated layers, a checkpoint before each. */
function stack(layers: number, tokens: number): { graph: Graph; nll: Tensor; parameters: Tensor[]; values: Map<Tensor, ReferenceArray> } {
  const graph = new Graph();
  const values = new Map<Tensor, ReferenceArray>();
  const parameters: Tensor[] = [];
  const source = (name: string, shape: readonly number[], scale: number): Tensor => {
    const tensor = graph.source('parameter', name, shape);
    values.set(tensor, randomNormal(elementCount(shape), values.size).map((value) => Math.fround(value * scale)));
    parameters.push(tensor);
    return tensor;
  };
  const labels = graph.source('input', 'labels', [tokens], 'u32');
  values.set(labels, Float64Array.from({ length: tokens }, (_, i) => (i * 7) % VOCABULARY));
  const weights = graph.source('input', 'weights', [tokens]);
  values.set(weights, new Float64Array(tokens).fill(Math.fround(1 / tokens)));
  let residual = source('x', [tokens, WIDTH], 1);
  let normed = rmsNorm(graph, residual, source('gain', [WIDTH], 1), 1e-5);
  for (let layer = 0; layer < layers; layer++) {
    graph.checkpoint();
    const gated = swiglu(graph, linear(graph, normed, source(`up ${layer}`, [8 * WIDTH, WIDTH], 0.2)));
    const down = linear(graph, gated, source(`down ${layer}`, [WIDTH, 4 * WIDTH], 0.1));
    ({ total: residual, normed } = addRmsNorm(graph, residual, down, source(`gain ${layer}`, [WIDTH], 1), 1e-5));
  }
  const { nll } = headLoss(graph, normed, source('head', [VOCABULARY, WIDTH], 0.3), labels, weights);
  return { graph, nll, parameters, values };
}

it('gives the same bits as without', async () => {
  const results = [];
  for (const recompute of [false, true]) {
    const { graph, nll, parameters, values } = stack(3, 36);
    const { of, same } = gradients(graph, nll, parameters, new Map(), recompute);
    const wanted = [...of.values(), same.get(nll)!];
    const actual = await runOnGpu(graph, wanted, values);
    results.push(wanted.map((tensor) => actual.get(tensor)!));
  }
  expect(results[1]).toEqual(results[0]);
});

it('holds nothing of another layer but its residual and the statistics of its norm', async () => {
  const context = createContext(await testGpu());
  // Enough that no buffer of a wide tensor is reused for a narrow one.
  const tokens = 2048;
  const activations = (layers: number): number => {
    const { graph, nll, parameters, values } = stack(layers, tokens);
    const { of, same } = gradients(graph, nll, parameters, new Map(), true);
    const { gpu, pool } = countingContext(context);
    const bindings = new Map([...values.keys(), ...of.values()].map((tensor) => [tensor, pool.storage(4 * elementCount(tensor.shape), 'other', tensor.name)]));
    compile(graph, [...of.values(), same.get(nll)!], { facts: gpu.facts, pool, bindings });
    return pool.bytes.get('activations')!;
  };
  expect(activations(9) - activations(8)).toBe(4 * tokens * (WIDTH + 1));
});
