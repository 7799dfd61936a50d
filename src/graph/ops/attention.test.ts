import { describe, expect, it } from 'vitest';
import { elementCount, Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { measureOperation, randomNormal, relativeError, runOnGpu } from '../testing.ts';
import type { AttentionFamily, AttentionShape } from './attention.ts';
import { attention } from './attention.ts';

/** Document starts of a row cut into documents of the given lengths, for every row. */
function startsOf({ rows, length }: AttentionShape, documents: readonly number[]): number[] {
  const row = documents.flatMap((size, i) => {
    const start = documents.slice(0, i).reduce((sum, before) => sum + before, 0);
    return Array.from({ length: size }, () => start);
  });
  expect(row).toHaveLength(length);
  return Array.from({ length: rows }, () => row).flat();
}

// Scores are sums of headDim products and carry an error of about sqrt(headDim) * 2^-24 of their size (a few units);
// exp passes it on to the weights, to which the adapter's own exp (3 + 2|x| ulp in WGSL) adds as much again; the sums
// over keys average it. 32 sqrt(terms) 2^-24, terms = headDim + length, is a few times the worst of that.
const tolerance = ({ headDim, length }: AttentionShape): number => 32 * Math.sqrt(headDim + length) * 2 ** -24;

interface Case extends AttentionShape {
  readonly family: AttentionFamily;
  readonly documents: readonly number[];
}

// Every case costs three pipelines, the tiled ones seconds each on an adapter that runs on the CPU, so few cases share
// out what can go wrong: lengths within a tile, across tiles and beside their edges; documents of one token and of many
// tiles; 1, 2 and 4 query heads to a key head; head dimensions that fill a subgroup or a chunk of 32, or part of one.
const cases: readonly Case[] = [
  { family: 'rows', rows: 2, length: 19, heads: 2, keyValueHeads: 1, headDim: 8, documents: [19] },
  { family: 'rows', rows: 1, length: 70, heads: 4, keyValueHeads: 1, headDim: 20, documents: [3, 1, 40, 26] },
  { family: 'rows', rows: 2, length: 33, heads: 2, keyValueHeads: 2, headDim: 24, documents: [1, 32] },
  { family: 'tiled', rows: 2, length: 130, heads: 4, keyValueHeads: 1, headDim: 40, documents: [3, 1, 66, 30, 30] },
];

const build = (shape: AttentionShape, family: AttentionFamily) => (graph: Graph) => {
  const { rows, length, heads, keyValueHeads, headDim } = shape;
  const qkv = graph.source('input', 'qkv', [rows * length, (heads + 2 * keyValueHeads) * headDim]);
  const documentStart = graph.source('input', 'documentStart', [rows * length], 'u32');
  return attention(graph, qkv, documentStart, shape, family);
};

describe('attention', () => {
  it.each(cases)('$family: $rows x $length, $heads/$keyValueHeads heads of $headDim, documents $documents', async ({ family, documents, ...shape }) => {
    const errors = await measureOperation({
      // Only the output: logSumExp is checked below, it has no gradient.
      build: (graph) => build(shape, family)(graph).slice(0, 1),
      feeds: { documentStart: startsOf(shape, documents) },
    });
    expect(errors.forward[0]).toBeLessThan(tolerance(shape));
    expect(errors.gradient['qkv']).toBeLessThan(tolerance(shape));
    // Central differences with step h err by h^2 from curvature and by 2^-53 / h from cancellation: about 1e-10.
    expect(errors.finiteDifference['qkv']).toBeLessThan(1e-8);
    // Fifteen seconds of compiling for the tiled case, when nothing else runs.
  }, 300_000);

  it.each<AttentionFamily>(['rows', 'tiled'])('%s: same bits again, the right logSumExp, no score too large', async (family) => {
    const { documents, family: _, ...shape } = cases.find((one) => one.family === family)!;
    const graph = new Graph();
    const outputs = build(shape, family)(graph);
    const [qkv, documentStart] = graph.sources;
    // Scores in the hundreds would overflow exp without the running maximum.
    const feeds = new Map([
      [qkv!, randomNormal(elementCount(qkv!.shape), 5).map((value) => 16 * value)],
      [documentStart!, Float64Array.from(startsOf(shape, documents))],
    ]);
    const first = await runOnGpu(graph, outputs, feeds);
    const second = await runOnGpu(graph, outputs, feeds);
    const expected = evaluateReference(graph, outputs, feeds);
    for (const output of outputs) {
      expect(second.get(output)).toEqual(first.get(output));
      // A weight errs by the absolute error of its score, so by as much more as the scores are larger.
      expect(relativeError(first.get(output)!, expected.get(output)!)).toBeLessThan(256 * tolerance(shape));
    }
  });

  it('names what does not fit', () => {
    const shape = { rows: 1, length: 4, heads: 3, keyValueHeads: 2, headDim: 8 };
    expect(() => build(shape, 'rows')(new Graph())).toThrow('3 query heads cannot share 2 key-value heads');
    expect(() => build({ ...shape, heads: 4, headDim: 6 }, 'rows')(new Graph())).toThrow('6 is not a multiple of 4');
  });
});
