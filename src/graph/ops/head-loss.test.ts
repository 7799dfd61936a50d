/** @file The head with its cross-entropy, and differentiation through a whole small graph with a tied table. */
import { describe, expect, it } from 'vitest';
import type { FloatType } from '../../gpu/storedFloats.ts';
import { cutTo } from '../../gpu/testing.ts';
import { gradients } from '../gradients.ts';
import type { ReferenceArray, Tensor } from '../graph.ts';
import { Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { differenceError, randomNormal, relativeError, runOnGpu } from '../testing.ts';
import { embedding, sortTokensById } from './embedding.ts';
import { headLoss, IGNORED, logitsChunk } from './head-loss.ts';
import { linear } from './matmul.ts';
import { rmsNorm } from './rms-norm.ts';

const TOKENS = 90;
const VOCABULARY = 61;
const WIDTH = 36;

/** embedding -> linear -> norm -> head, where the head is the embedding table. */
function tiedModel(tableType: FloatType = 'f32'): { graph: Graph; nll: Tensor; argmax: Tensor; parameters: Tensor[]; values: Map<Tensor, ReferenceArray>; weights: Float64Array } {
  const graph = new Graph();
  const ids = Uint32Array.from({ length: TOKENS }, (_, i) => (i * 7 + (i >> 2)) % VOCABULARY);
  const runs = sortTokensById(ids, () => true);
  const values = new Map<Tensor, ReferenceArray>();
  const input = (name: string, data: ArrayLike<number>, dtype: 'f32' | 'u32' = 'u32'): Tensor => {
    const tensor = graph.source('input', name, [data.length], dtype);
    values.set(tensor, Float64Array.from(data));
    return tensor;
  };
  const parameter = (name: string, shape: readonly number[], seed: number, scale: number, type: FloatType = 'f32'): Tensor => {
    const tensor = graph.source('parameter', name, shape, type);
    values.set(tensor, randomNormal(shape.reduce((a, b) => a * b), seed).map((value) => cutTo(type, value * scale)));
    return tensor;
  };
  const table = parameter('table', [VOCABULARY, WIDTH], 1, 0.5, tableType);
  const weight = parameter('weight', [WIDTH, WIDTH], 2, 0.2);
  const gain = parameter('gain', [WIDTH], 3, 1);
  const labels = Array.from(ids, (id, i) => (i % 4 === 0 ? IGNORED : (id + 5) % VOCABULARY));
  const weights = Float64Array.from(labels, (label, i) => (label === IGNORED ? 0 : Math.fround((1 + (i % 3)) / TOKENS)));
  const x = embedding(graph, table, input('ids', ids), { sorted: input('sorted', runs.sorted), runStart: input('runStart', runs.runStart) });
  const hidden = rmsNorm(graph, linear(graph, x, weight), gain, 1e-5);
  const { nll, argmax } = headLoss(graph, hidden, table, input('labels', labels), input('weights', weights, 'f32'));
  return { graph, nll, argmax, parameters: [table, weight, gain], values, weights };
}

describe('headLoss', () => {
  it('gives the losses and most likely tokens of the f64 reference', async () => {
    const { graph, nll, argmax, values } = tiedModel();
    const expected = evaluateReference(graph, [nll, argmax], values);
    const actual = await runOnGpu(graph, [nll, argmax], values);
    expect(relativeError(actual.get(nll)!, expected.get(nll)!)).toBeLessThan(100 * 2 ** -24);
    expect([...actual.get(argmax)!]).toEqual([...expected.get(argmax)!]);
  });

  it('differentiates a tied model: f64 rules against finite differences, kernels against f64', async () => {
    const { graph, nll, parameters, values, weights } = tiedModel();
    const { of, same } = gradients(graph, nll, parameters);
    const wanted = [...parameters.map((parameter) => of.get(parameter)!), same.get(nll)!];
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    for (const tensor of wanted) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(200 * 2 ** -24);
    const loss = (changed: Tensor) => (at: ReferenceArray) =>
      evaluateReference(graph, [nll], new Map(values).set(changed, at))
        .get(nll)!
        .reduce((sum, value, i) => sum + value * weights[i]!, 0);
    for (const parameter of parameters) expect(differenceError(loss(parameter), values.get(parameter)!, expected.get(of.get(parameter)!)!), parameter.name).toBeLessThan(1e-7);
  });

  it('reads a frozen table in halves, and leaves its gradient out', async () => {
    const { graph, nll, parameters, values } = tiedModel('bf16');
    const [table, ...trained] = parameters;
    const { of, same } = gradients(graph, nll, trained);
    const wanted = [...of.values(), same.get(nll)!];
    expect(same.get(nll)!.node!.outputs).toHaveLength(2);
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    for (const tensor of wanted) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(200 * 2 ** -24);
    expect(() => gradients(graph, nll, [table!])).toThrow(/table.*bf16/);
  });

  it('adds onto gradients that are there already', async () => {
    const { graph, nll, parameters, values } = tiedModel();
    const onto = new Map(parameters.map((parameter) => [parameter, graph.source('state', `onto ${parameter.name}`, parameter.shape)]));
    for (const [parameter, tensor] of onto) values.set(tensor, values.get(parameter)!.map((value) => Math.fround(value * 3)));
    const { of } = gradients(graph, nll, parameters, onto);
    const wanted = [...of.values()];
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    for (const tensor of wanted) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(200 * 2 ** -24);
  });

  it('keeps chunks of logits within 8 MiB or 256 rows, at aligned starts', () => {
    const facts = { limits: { maxStorageBufferBindingSize: 128 * 2 ** 20 } } as never;
    expect(logitsChunk(2048, 1024, facts)).toBe(2048);
    expect(logitsChunk(5000, 1024, facts)).toBe(2048);
    expect(logitsChunk(2048, 49152, facts)).toBe(256);
    expect(logitsChunk(2048, 151936, facts)).toBe(192);
  });
});
