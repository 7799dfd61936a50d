/** @file Attention over the cache: every kernel and every way to keep the cache against the plain reference. */
import { describe, expect, it } from 'vitest';
import { readBack } from '../../gpu/buffers.ts';
import { Program } from '../../gpu/program.ts';
import type { FloatType } from '../../gpu/storedFloats.ts';
import { cutTo, storedWords, testContext } from '../../gpu/testing.ts';
import { compile } from '../compile.ts';
import type { ReferenceArray, Tensor } from '../graph.ts';
import { elementCount, Graph } from '../graph.ts';
import { evaluateReference } from '../reference.ts';
import { randomNormal, relativeError, runOnGpu } from '../testing.ts';
import type { CacheShape, Reading } from './cached-attention.ts';
import { cacheCopyCall, cachedAttention, NO_SLOT } from './cached-attention.ts';

interface Case extends CacheShape {
  readonly type: FloatType;
  /** Slot and position of every row. */
  readonly rows: readonly (readonly [slot: number, position: number])[];
}

const PADDING = [NO_SLOT, 0] as const;

// Scores and mixtures are sums of headDim and of up to `length` products of rounding 2^-24; exp adds a few ulp.
const tolerance = ({ headDim, length }: CacheShape): number => 32 * Math.sqrt(headDim + length) * 2 ** -24;

/** Largest relative error over the rows that are no padding. */
async function measure({ type, rows, ...shape }: Case, reading: Reading, pretend: Parameters<typeof runOnGpu>[3] = {}): Promise<number> {
  const { slots, length, heads, keyValueHeads, headDim } = shape;
  const width = keyValueHeads * headDim;
  const graph = new Graph();
  const qkv = graph.source('input', 'qkv', [rows.length, heads * headDim + 2 * width]);
  const positions = graph.source('state', 'positions', [rows.length], 'u32');
  const places = graph.source('state', 'slots', [rows.length], 'u32');
  const keys = graph.source('state', 'keys', [slots, length, width], type);
  const values = graph.source('state', 'values', [slots, length, width], type);
  const output = cachedAttention(graph, qkv, positions, places, keys, values, shape, reading);
  const feeds = new Map<Tensor, ReferenceArray>([[positions, Float64Array.from(rows, ([, position]) => position)], [places, Float64Array.from(rows, ([slot]) => slot)]]);
  // Numbers that the cache holds exactly: rounding is checked below.
  for (const [seed, tensor] of [qkv, keys, values].entries()) feeds.set(tensor, randomNormal(elementCount(tensor.shape), seed + 1).map((value) => cutTo(type, value)));
  const actual = (await runOnGpu(graph, [output], feeds, pretend)).get(output)!;
  const expected = evaluateReference(graph, [output], feeds).get(output)!;
  const real = (all: Float64Array): Float64Array => Float64Array.from(rows.flatMap(([slot], row) => (slot === NO_SLOT ? [] : [...all.subarray(row * heads * headDim, (row + 1) * heads * headDim)])));
  return relativeError(real(actual), real(expected));
}

/** A GPU, whose kernels run everywhere. */
const GPU = { software: false, subgroupSize: 0 };

describe('one row a slot', () => {
  // The first position, the last, one between; slots out of order; a row of padding.
  const at = (...positions: readonly number[]): Case['rows'] => [...positions.map((position, i) => [(2 * i + 1) % 4, position] as const), PADDING];
  it.each<Case>([
    { slots: 4, length: 21, heads: 2, keyValueHeads: 2, headDim: 8, type: 'f32', rows: at(0, 20) },
    { slots: 4, length: 40, heads: 4, keyValueHeads: 1, headDim: 20, type: 'bf16', rows: at(39, 0) },
    { slots: 4, length: 9, heads: 6, keyValueHeads: 2, headDim: 64, type: 'f16', rows: at(4, 8) },
    // Keys in several parts: 300 is past 256 and, on a GPU, twice 128.
    { slots: 4, length: 300, heads: 3, keyValueHeads: 1, headDim: 12, type: 'f32', rows: at(299, 127) },
    { slots: 4, length: 300, heads: 3, keyValueHeads: 1, headDim: 12, type: 'bf16', rows: at(256, 128) },
    // Eight heads of this size would take more workgroup memory than some adapters have.
    { slots: 4, length: 260, heads: 8, keyValueHeads: 1, headDim: 256, type: 'f32', rows: at(257, 30) },
  ])('$heads/$keyValueHeads heads of $headDim over $length in $type', async (shape) => {
    expect(await measure(shape, 'step')).toBeLessThan(tolerance(shape));
    expect(await measure(shape, 'step', GPU)).toBeLessThan(tolerance(shape));
  });
});

describe('a chunk', () => {
  /** Runs of rows of a slot, each padded to whole blocks. */
  const runs = (block: number, ...parts: readonly (readonly [slot: number, from: number, count: number])[]): Case['rows'] =>
    parts.flatMap(([slot, from, count]) => Array.from({ length: block * Math.ceil(count / block) }, (_, i) => (i < count ? ([slot, from + i] as const) : PADDING)));
  it.each<Omit<Case, 'rows'>>([
    { slots: 3, length: 90, heads: 2, keyValueHeads: 1, headDim: 8, type: 'f32' },
    { slots: 3, length: 90, heads: 4, keyValueHeads: 2, headDim: 20, type: 'bf16' },
    { slots: 3, length: 90, heads: 2, keyValueHeads: 2, headDim: 40, type: 'f16' },
  ])('$heads/$keyValueHeads heads of $headDim in $type', async (shape) => {
    const { gpu } = await testContext();
    const pieces = [[2, 0, 19], [0, 7, 1], [1, 70, 20]] as const;
    expect(await measure({ ...shape, rows: runs(1, ...pieces) }, 'chunk', { software: true, subgroupSize: 0 })).toBeLessThan(tolerance(shape));
    if (gpu.facts.software && gpu.facts.subgroupSize >= 4) expect(await measure({ ...shape, rows: runs(gpu.facts.subgroupSize, ...pieces) }, 'chunk')).toBeLessThan(tolerance(shape));
    expect(await measure({ ...shape, rows: runs(64, ...pieces) }, 'chunk', GPU)).toBeLessThan(tolerance(shape));
  }, 300_000);
});

describe('the cache', () => {
  const shape: CacheShape = { slots: 2, length: 3, heads: 1, keyValueHeads: 1, headDim: 4 };

  it.each<FloatType>(['f32', 'bf16', 'f16'])('keeps %s rounded to the nearest, and copies the first positions of a slot', async (type) => {
    const { gpu, pool, pipelines } = await testContext();
    // Between two halves, halfway to an even one and to an odd one, and too large for f16.
    const numbers = [1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -70000];
    const graph = new Graph();
    const [qkv, positions, places] = [graph.source('input', 'qkv', [1, 12]), graph.source('state', 'positions', [1], 'u32'), graph.source('state', 'slots', [1], 'u32')];
    const [keys, values] = [graph.source('state', 'keys', [2, 3, 4], type), graph.source('state', 'values', [2, 3, 4], type)];
    const output = cachedAttention(graph, qkv, positions, places, keys, values, shape, 'append');
    const cached = [keys, values].map((tensor) => pool.storage(4 * elementCount(tensor.shape), 'cache', tensor.name));
    const upload = (data: Uint32Array<ArrayBuffer>): ReturnType<typeof pool.upload> => pool.upload(data, 'other', 'input');
    const bindings = new Map([[qkv, upload(new Uint32Array(Float32Array.from([0, 0, 0, 0, ...numbers, ...numbers.map((value) => -value)]).buffer))], [positions, upload(Uint32Array.of(1))], [places, upload(Uint32Array.of(0))], [keys, cached[0]!], [values, cached[1]!]]);
    const { calls } = compile(graph, [output], { facts: gpu.facts, pool, bindings });
    const copy = pool.uniform(16, 'copy');
    const bytes = type === 'f32' ? 16 : 8;
    gpu.device.queue.writeBuffer(copy.buffer, 0, Uint32Array.of(0, 1, 2, 0));
    (await Program.record(gpu.device, pipelines, 'append and copy', [...calls, cacheCopyCall(copy, cached[0]!, cached[1]!, shape, bytes)])).replay();
    const [after] = await readBack(gpu.device, [cached[0]!]);
    const rounded = { f32: numbers, bf16: [1, 1, 1 + 2 ** -6, -70144], f16: [1 + 2 ** -9, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -65504] }[type];
    const expected = storedWords(Float32Array.from([0, 0, 0, 0, ...rounded, 0, 0, 0, 0, 0, 0, 0, 0, ...rounded, 0, 0, 0, 0]), type);
    expect([...new Uint32Array(after!).subarray(0, expected.length)]).toEqual([...expected]);
    pool.destroyAll();
  });

  it('names what does not fit', () => {
    const graph = new Graph();
    const source = (name: string, size: readonly number[], dtype: 'f32' | 'u32' = 'f32'): Tensor => graph.source('state', name, size, dtype);
    const build = (length: number): Tensor => cachedAttention(graph, source('qkv', [1, 12]), source('positions', [1], 'u32'), source('slots', [1], 'u32'), source('keys', [2, length, 4]), source('values', [2, 3, 4]), shape, 'step');
    expect(() => build(4)).toThrow('the key cache is f32[2, 4, 4]');
  });
});
