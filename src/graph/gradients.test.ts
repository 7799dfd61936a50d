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

const [TOKENS, WIDTH, VOCABULARY, LAYERS] = [36, 32, 40, 5];

/** A residual stack of gated layers, a checkpoint before each. */
function stack(): { graph: Graph; nll: Tensor; parameters: Tensor[]; values: Map<Tensor, ReferenceArray> } {
  const graph = new Graph();
  const values = new Map<Tensor, ReferenceArray>();
  const parameters: Tensor[] = [];
  const source = (name: string, shape: readonly number[], scale: number): Tensor => {
    const tensor = graph.source('parameter', name, shape);
    values.set(tensor, randomNormal(elementCount(shape), values.size).map((value) => Math.fround(value * scale)));
    parameters.push(tensor);
    return tensor;
  };
  const labels = graph.source('input', 'labels', [TOKENS], 'u32');
  values.set(labels, Float64Array.from({ length: TOKENS }, (_, i) => (i * 7) % VOCABULARY));
  const weights = graph.source('input', 'weights', [TOKENS]);
  values.set(weights, new Float64Array(TOKENS).fill(Math.fround(1 / TOKENS)));
  let residual = source('x', [TOKENS, WIDTH], 1);
  let normed = rmsNorm(graph, residual, source('gain', [WIDTH], 1), 1e-5);
  for (let layer = 0; layer < LAYERS; layer++) {
    graph.checkpoint();
    const gated = swiglu(graph, linear(graph, normed, source(`up ${layer}`, [8 * WIDTH, WIDTH], 0.2)));
    const down = linear(graph, gated, source(`down ${layer}`, [WIDTH, 4 * WIDTH], 0.1));
    ({ total: residual, normed } = addRmsNorm(graph, residual, down, source(`gain ${layer}`, [WIDTH], 1), 1e-5));
  }
  const { nll } = headLoss(graph, normed, source('head', [VOCABULARY, WIDTH], 0.3), labels, weights);
  return { graph, nll, parameters, values };
}

it('gives the same bits as without, and holds the inner tensors of one segment at a time', async () => {
  const results: Float64Array[][] = [];
  const bytes: number[] = [];
  for (const recompute of [false, true]) {
    const { graph, nll, parameters, values } = stack();
    const { of, same } = gradients(graph, nll, parameters, new Map(), recompute);
    const wanted = [...parameters.map((parameter) => of.get(parameter)!), same.get(nll)!];
    const { gpu, pool } = countingContext(createContext(await testGpu()));
    const bindings = new Map([...values.keys(), ...of.values()].map((tensor) => [tensor, pool.storage(4 * elementCount(tensor.shape), 'other', tensor.name)]));
    compile(graph, wanted, { facts: gpu.facts, pool, bindings });
    bytes.push(pool.bytes.get('activations')!);
    const actual = await runOnGpu(graph, wanted, values);
    results.push(wanted.map((tensor) => actual.get(tensor)!));
  }
  expect(results[1]).toEqual(results[0]);
  // Per layer 8 + 4 widths stay without it, 2 with it; beside them the backward pass of a layer needs about 20 in both.
  expect(bytes[1]).toBeLessThan(bytes[0]! - 4 * TOKENS * WIDTH * (LAYERS - 1) * 8);
});
