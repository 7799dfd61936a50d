/** @file Every operation with a simple rule: kernels against f64, rules against finite differences, sizes that cross group edges. */
import { describe, expect, it } from 'vitest';
import type { OperationCase } from '../testing.ts';
import { measureOperation } from '../testing.ts';
import { add } from './add.ts';
import { embedding, sortTokensById } from './embedding.ts';
import { matmul } from './matmul.ts';
import { addRmsNorm, rmsNorm } from './rms-norm.ts';
import { rope, ropeTable } from './rope.ts';
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
    feeds: { positions: Array.from({ length: 11 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, 12, 10000)) },
    build: (g) => [rope(g, g.source('input', 'x', [11, 48]), g.source('input', 'positions', [11], 'u32'), g.source('constant', 'table', [16, 12]), { heads: 4, rotatedHeads: 3, headDim: 12 })],
  },
  {
    name: 'rope by four',
    roundings: 4,
    differentiate: ['x'],
    feeds: { positions: Array.from({ length: 11 }, (_, i) => (i * 5) % 16), table: Float64Array.from(ropeTable(16, 16, 10000)) },
    build: (g) => [rope(g, g.source('input', 'x', [11, 64]), g.source('input', 'positions', [11], 'u32'), g.source('constant', 'table', [16, 16]), { heads: 4, rotatedHeads: 3, headDim: 16 })],
  },
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
});
