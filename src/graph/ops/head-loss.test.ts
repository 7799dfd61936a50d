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
import type { HeadLossOptions } from './head-loss.ts';
import { headLoss, IGNORED, logitsChunk, policyLength, writePolicy } from './head-loss.ts';
import { linear } from './matmul.ts';
import { rmsNorm } from './rms-norm.ts';

const TOKENS = 90;
const VOCABULARY = 61;
const WIDTH = 36;

type Source = (name: string, shape: readonly number[], data: ArrayLike<number>) => Tensor;

/** embedding -> linear -> norm -> head, where the head is the embedding table. */
function tiedModel(tableType: FloatType = 'f32', options: (source: Source, graph: Graph) => HeadLossOptions = () => ({})) {
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
  const source: Source = (name, shape, data) => {
    const tensor = graph.source('input', name, shape);
    values.set(tensor, Float64Array.from(data, Math.fround));
    return tensor;
  };
  const outputs = headLoss(graph, hidden, table, input('labels', labels), input('weights', weights, 'f32'), options(source, graph));
  return { graph, ...outputs, parameters: [table, weight, gain], values, weights, labels };
}

/** A reference model that is near the one under test, as far as softmax of its logits goes, or `far`. */
const divergence = (source: Source, beta: number, far = 1): HeadLossOptions => ({
  divergence: {
    x: source('reference x', [TOKENS, WIDTH], randomNormal(TOKENS * WIDTH, 8)),
    head: source('reference head', [VOCABULARY, WIDTH], randomNormal(VOCABULARY * WIDTH, 9).map((value) => 0.3 * far * value)),
    beta: source('beta', [1], [beta]),
  },
});

/** Every third token is of the policy at hand; ratios of the others lie about 1, on both sides of their bounds, with advantages of both signs and none. */
function policy(source: Source): HeadLossOptions {
  const numbers = new Float32Array(policyLength(TOKENS));
  const [advantages, distances] = [randomNormal(TOKENS, 14), randomNormal(TOKENS, 15)];
  for (const [token, normal] of advantages.entries()) {
    const advantage = token % 7 === 0 ? 0 : normal;
    writePolicy(numbers, token, { sampledNll: token % 3 === 0 ? undefined : 4.5 + distances[token]!, advantage, bound: advantage > 0 ? 1.28 : 0.8 });
  }
  return { policy: source('policy', [TOKENS, 4], numbers) };
}

const OBJECTIVES: Readonly<Record<string, (source: Source) => HeadLossOptions>> = {
  nll: () => ({}),
  'DFT': () => ({ objective: 'dft' }),
  'KL to a reference': (source) => divergence(source, 0.7),
  'clipped policy ratio': policy,
  'other weights in the gradient': (source) => ({ gradientWeights: source('gradient weights', [TOKENS], randomNormal(TOKENS, 12)) }),
};

describe('headLoss', () => {
  it.each(Object.keys(OBJECTIVES))('gives the losses and most likely tokens of the f64 reference: %s', async (name) => {
    const { graph, nll, loss, argmax, entropy, values } = tiedModel('f32', OBJECTIVES[name]);
    const numbers = [nll, loss, ...(entropy ? [entropy] : [])];
    const expected = evaluateReference(graph, [...numbers, argmax], values);
    const actual = await runOnGpu(graph, [...numbers, argmax], values);
    for (const tensor of numbers) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(100 * 2 ** -24);
    expect([...actual.get(argmax)!]).toEqual([...expected.get(argmax)!]);
  });

  it.each(Object.keys(OBJECTIVES))('differentiates a tied model, f64 rules against finite differences, kernels against f64: %s', async (name) => {
    const { graph, nll, loss, entropy, parameters, values, weights, labels } = tiedModel('f32', OBJECTIVES[name]);
    const { of, same } = gradients(graph, nll, parameters);
    const wanted = [...parameters.map((parameter) => of.get(parameter)!), ...[nll, loss, ...(entropy ? [entropy] : [])].map((tensor) => same.get(tensor)!)];
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    for (const tensor of wanted) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(200 * 2 ** -24);
    // What is held fixed where the loss is differentiated: p of DFT, the probability that sampled where it is that of this pass, and the weights.
    const sourceNamed = (wantedName: string): ReferenceArray | undefined => values.get(graph.sources.find((source) => source.name === wantedName)!);
    const losses = evaluateReference(graph, [nll], values).get(nll)!;
    const numbers = sourceNamed('policy');
    const factors = sourceNamed('gradient weights') ?? weights.map((weight, i) => weight * (name === 'DFT' ? Math.exp(-losses[i]!) : (numbers?.[4 * i + 2] ?? 1)));
    const throughLoss = (token: number): boolean => name.startsWith('KL') || numbers?.[4 * token + 1] === 1;
    const total = (changed: Tensor) => (at: ReferenceArray) => {
      const outputs = evaluateReference(graph, [nll, loss], new Map(values).set(changed, at));
      return outputs.get(nll)!.reduce((sum, each, i) => sum + (throughLoss(i) ? outputs.get(loss)![i]! : each * factors[i]!), 0);
    };
    for (const parameter of parameters) expect(differenceError(total(parameter), values.get(parameter)!, expected.get(of.get(parameter)!)!), parameter.name).toBeLessThan(1e-7);
    expect(labels.every((label, i) => label !== IGNORED || actual.get(same.get(loss)!)![i] === 0)).toBe(true);
  });

  it('is plain cross-entropy to the bit at beta 0, and where the reference is the model itself', async () => {
    const results = [];
    const itself = (source: Source, graph: Graph): HeadLossOptions => {
      const norm = graph.nodes.at(-1)!.outputs[0]!;
      return { divergence: { x: norm, head: graph.sources.find(({ name }) => name === 'table')!, beta: source('beta', [1], [1e4]) } };
    };
    for (const options of [undefined, (source: Source) => divergence(source, 0, 3), itself]) {
      const { graph, nll, parameters, values } = tiedModel('f32', options);
      const { of, same } = gradients(graph, nll, parameters);
      const wanted = [...of.values(), same.get(nll)!];
      const outputs = await runOnGpu(graph, wanted, values);
      results.push(wanted.map((tensor) => [...outputs.get(tensor)!]));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('goes through several chunks of logits, those of the reference beside its own', async () => {
    const [tokens, width, vocabulary] = [300, 4, 8320];
    expect(logitsChunk(tokens, vocabulary, { limits: { maxStorageBufferBindingSize: 128 * 2 ** 20 } } as never)).toBe(256);
    const graph = new Graph();
    const values = new Map<Tensor, ReferenceArray>();
    const source = (name: string, shape: readonly number[], data: ArrayLike<number>, dtype: 'f32' | 'u32' = 'f32'): Tensor => {
      const tensor = graph.source(name === 'head' ? 'parameter' : 'input', name, shape, dtype);
      values.set(tensor, Float64Array.from(data));
      return tensor;
    };
    const normal = (name: string, shape: readonly [number, number], seed: number): Tensor => source(name, shape, randomNormal(shape[0] * shape[1], seed));
    const head = normal('head', [vocabulary, width], 1);
    const labels = Array.from({ length: tokens }, (_, i) => (i % 5 === 0 ? IGNORED : (i * 31) % vocabulary));
    const weights = Array.from({ length: tokens }, (_, i) => (i % 5 === 0 ? 0 : (1 + (i % 3)) / 512));
    const { nll, loss } = headLoss(graph, normal('x', [tokens, width], 2), head, source('labels', [tokens], labels, 'u32'), source('weights', [tokens], weights), {
      divergence: { x: normal('reference x', [tokens, width], 3), head: normal('reference head', [vocabulary, width], 4), beta: source('beta', [1], [0.5]) },
    });
    const { of, same } = gradients(graph, nll, [head]);
    const wanted = [of.get(head)!, same.get(nll)!, same.get(loss)!];
    const expected = evaluateReference(graph, wanted, values);
    const actual = await runOnGpu(graph, wanted, values);
    for (const tensor of wanted) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!), tensor.name).toBeLessThan(200 * 2 ** -24);
  });

  it('says which input does not fit', () => {
    expect(() => tiedModel('f32', (source) => ({ gradientWeights: source('gradient weights', [3], [1, 2, 3]) }))).toThrow('headLoss: the weights of the gradient is f32[3], expected f32[90].');
    expect(() => tiedModel('f32', (source) => ({ divergence: { ...divergence(source, 1).divergence!, beta: source('two', [2], [1, 2]) } }))).toThrow('headLoss: beta is f32[2], expected f32[1].');
  });

  it('reads a frozen table in halves, and leaves its gradient out', async () => {
    const { graph, nll, parameters, values } = tiedModel('bf16');
    const [table, ...trained] = parameters;
    const { of, same } = gradients(graph, nll, trained);
    const wanted = [...of.values(), same.get(nll)!];
    expect(same.get(nll)!.node!.outputs).toHaveLength(3);
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
