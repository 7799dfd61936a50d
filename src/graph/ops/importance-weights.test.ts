/** @file Weights by document against f64 and finite differences, over packed rows with padding. */
import { describe, expect, it } from 'vitest';
import type { ReferenceArray, Tensor } from '../graph.ts';
import { Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { differenceError, randomNormal, relativeError, runOnGpu } from '../testing.ts';
import { IGNORED } from './head-loss.ts';
import { importanceWeights, LARGEST_SCALE } from './importance-weights.ts';

const ROWS = 3;
const LENGTH = 150;
const TOKENS = ROWS * LENGTH;
/** Lengths of the documents of each row; the rest is padding, of which every token is a document of its own. */
const DOCUMENTS = [[1, 70, 79], [150], [30, 2, 64]];

function packed(tau: number, gain: (document: number) => number) {
  const graph = new Graph();
  const values = new Map<Tensor, ReferenceArray>();
  const source = (name: string, data: ArrayLike<number>, dtype: 'f32' | 'u32' = 'f32'): Tensor => {
    const tensor = graph.source('input', name, [data.length], dtype);
    values.set(tensor, Float64Array.from(data, (value) => (dtype === 'f32' ? Math.fround(value) : value)));
    return tensor;
  };
  const documentOf = Array.from({ length: TOKENS }, () => -1);
  const documentStart = Array.from({ length: TOKENS }, (_, i) => i % LENGTH);
  let document = 0;
  for (const [row, lengths] of DOCUMENTS.entries()) {
    let at = 0;
    for (const length of lengths) {
      documentOf.fill(document, row * LENGTH + at, row * LENGTH + at + length);
      documentStart.fill(at, row * LENGTH + at, row * LENGTH + at + length);
      at += length;
      document += 1;
    }
  }
  // The last document has nothing to train, as a prompt whose answer was cut away.
  const labels = documentOf.map((of, i) => (of < 0 || of === document - 1 || i % 3 === 0 ? IGNORED : i));
  const random = randomNormal(2 * TOKENS, 3);
  const nll = labels.map((label, i) => (label === IGNORED ? 0 : 1.5 + Math.abs(random[i]!)));
  const referenceNll = labels.map((label, i) => (label === IGNORED ? 0 : nll[i]! + gain(documentOf[i]!) + 0.3 * random[TOKENS + i]!));
  const inputs = {
    nll: source('nll', nll),
    referenceNll: source('reference nll', referenceNll),
    labels: source('labels', labels, 'u32'),
    documentStart: source('documentStart', documentStart, 'u32'),
    weights: source('weights', labels.map((label, i) => (label === IGNORED ? 0 : (1 + (i % 2)) / TOKENS))),
    tau: source('tau', [tau]),
  };
  return { graph, values, inputs, labels, documentOf };
}

describe('importanceWeights', () => {
  it('follows f64, with a factor that is cut', async () => {
    const { graph, values, inputs, labels, documentOf } = packed(1.3, (document) => (document === 3 ? 4 : 0.2 * document));
    const { loss, gradient } = importanceWeights(graph, inputs, LENGTH, true);
    const expected = evaluateReference(graph, [loss, gradient], values);
    const actual = await runOnGpu(graph, [loss, gradient], values);
    for (const tensor of [loss, gradient]) expect(relativeError(actual.get(tensor)!, expected.get(tensor)!)).toBeLessThan(40 * 2 ** -24);
    const scales = documentOf.flatMap((document, i) => (document === 3 && labels[i] !== IGNORED ? [actual.get(loss)![i]! / values.get(inputs.weights)![i]!] : []));
    expect(new Set(scales)).toEqual(new Set([LARGEST_SCALE]));
    expect([...actual.get(gradient)!].filter((_, i) => documentOf[i] === 3)).toEqual([...actual.get(loss)!].filter((_, i) => documentOf[i] === 3));
  });

  it('gives the derivative through the factors, which turns around where tokens are hard', () => {
    const { graph, values, inputs } = packed(0.9, (document) => 0.3 * document - 0.5);
    const { loss, gradient } = importanceWeights(graph, inputs, LENGTH, true);
    const total = (at: ReferenceArray): number => {
      const weights = evaluateReference(graph, [loss], new Map(values).set(inputs.nll, at)).get(loss)!;
      return weights.reduce((sum, weight, i) => sum + weight * at[i]!, 0);
    };
    const slope = evaluateReference(graph, [gradient], values).get(gradient)!;
    expect(differenceError(total, values.get(inputs.nll)!, slope)).toBeLessThan(1e-7);
    expect(Math.min(...slope)).toBeLessThan(0);
  });

  it('leaves the weights to the bit where both models agree, and has one output where the factors are held', async () => {
    const { graph, values, inputs } = packed(1, () => 0);
    values.set(inputs.referenceNll, values.get(inputs.nll)!);
    const { loss, gradient } = importanceWeights(graph, inputs, LENGTH, false);
    expect(gradient).toBe(loss);
    const actual = await runOnGpu(graph, [loss], values);
    expect([...actual.get(loss)!]).toEqual([...values.get(inputs.weights)!]);
    expect(() => importanceWeights(graph, inputs, 7, false)).toThrow('450 tokens are no whole rows of 7');
  });
});
