import { describe, expect, it } from 'vitest';
import { measureOperation } from '../testing.ts';
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

const cases: readonly (AttentionShape & { readonly documents: readonly number[] })[] = [
  { rows: 2, length: 19, heads: 2, keyValueHeads: 1, headDim: 8, documents: [19] },
  { rows: 1, length: 70, heads: 4, keyValueHeads: 1, headDim: 16, documents: [3, 1, 40, 26] },
  { rows: 2, length: 130, heads: 2, keyValueHeads: 1, headDim: 32, documents: [100, 30] },
  { rows: 1, length: 33, heads: 2, keyValueHeads: 2, headDim: 48, documents: [1, 32] },
  { rows: 1, length: 96, heads: 2, keyValueHeads: 2, headDim: 64, documents: [33, 32, 31] },
  { rows: 1, length: 40, heads: 2, keyValueHeads: 1, headDim: 80, documents: [40] },
  { rows: 1, length: 35, heads: 4, keyValueHeads: 2, headDim: 96, documents: [20, 15] },
  { rows: 1, length: 66, heads: 1, keyValueHeads: 1, headDim: 128, documents: [66] },
];

describe.each<AttentionFamily>(['rows', 'tiled'])('attention, %s', (family) => {
  it.each(cases)('$rows x $length, $heads/$keyValueHeads heads of $headDim, documents $documents', async ({ documents, ...shape }) => {
    const errors = await measureOperation({
      build(graph) {
        const { rows, length, heads, keyValueHeads, headDim } = shape;
        const qkv = graph.source('input', 'qkv', [rows * length, (heads + 2 * keyValueHeads) * headDim]);
        const documentStart = graph.source('input', 'documentStart', [rows * length], 'u32');
        return attention(graph, qkv, documentStart, shape, family).slice(0, 1);
      },
      feeds: { documentStart: startsOf(shape, documents) },
    });
    expect(errors.forward[0]).toBeLessThan(tolerance(shape));
    expect(errors.gradient['qkv']).toBeLessThan(tolerance(shape));
    expect(errors.finiteDifference['qkv']).toBeLessThan(1e-7);
  });
});
