import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BufferPool, readFloats } from './buffers.ts';
import type { Gpu } from './device.ts';
import { PipelineCache } from './kernel.ts';
import { FEW_ROWS_TILES, matmulCalls, planMatmul, TILES, type Addressing, type MatmulShape, type Tile } from './matmul.ts';
import { Program } from './program.ts';
import type { FloatType } from './storedFloats.ts';
import { cutTo, idleUntil, storedWords, testGpu } from './testing.ts';

let gpu: Gpu;
let pool: BufferPool;
let pipelines: PipelineCache;

beforeAll(async () => {
  gpu = await testGpu();
  pool = new BufferPool(gpu);
  pipelines = new PipelineCache(gpu.device);
});
afterAll(() => pool.destroyAll());

/** Uniform in [-1, 1), the same every run. */
function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Noise, cut to what `type` holds. */
const storedNoise = (length: number, seed: number, type: FloatType = 'f32'): Float32Array<ArrayBuffer> => noise(length, seed).map((value) => cutTo(type, value));

const starts = (batch: number, size: number, addressing: Addressing | undefined, table: readonly number[]): number[] =>
  Array.from({ length: batch }, (_, z) => (addressing === 'table' ? table[z]! : (addressing?.offset ?? 0) + z * (addressing?.stride ?? size)));

interface Case extends MatmulShape {
  readonly table?: readonly number[];
  /** `starts` of what is left out. */
  readonly begins?: readonly number[];
}

/** Whether an entry of C is asked for. */
function isWanted({ skip }: MatmulShape, i: number, j: number, begin: number): boolean {
  if (skip === 'below') return j >= i;
  if (skip === 'leading') return j >= i && i >= begin;
  return skip !== 'rows' || i >= begin;
}

/** Runs a case on noise and compares every element, and every element around them, with sums in f64. */
async function check(given: Case, force: { tile?: Tile; splits?: number } = {}): Promise<Float32Array> {
  const { layout, m, n, k, batch = 1, table = [], begins = [] } = given;
  const [aStarts, bStarts, cStarts] = [starts(batch, m * k, given.a, table), starts(batch, k * n, given.b, table), starts(batch, m * n, given.c, table)];
  const length = (first: readonly number[], size: number): number => Math.max(...first) + size + 5;
  const a = storedNoise(length(aStarts, m * k), 1, given.aType);
  const aMinus = given.aMinus ? storedNoise(a.length, 2, given.aMinusType) : undefined;
  const b = storedNoise(length(bStarts, k * n), 3, given.bType);
  const before = noise(length(cStarts, m * n), 4);

  const plan = planMatmul(given, gpu.facts, force);
  if (force.splits) expect(plan.splits).toBe(force.splits);
  const c = pool.upload(before, 'other', 'c');
  const calls = matmulCalls(plan, {
    a: pool.upload(storedWords(a, given.aType), 'other', 'a'),
    ...(aMinus && { aMinus: pool.upload(storedWords(aMinus, given.aMinusType), 'other', 'a minus') }),
    b: pool.upload(storedWords(b, given.bType), 'other', 'b'),
    c,
    ...(table.length && { table: pool.upload(Uint32Array.from(table), 'other', 'table') }),
    ...(begins.length && { starts: pool.upload(Uint32Array.from(begins), 'other', 'starts') }),
    ...(plan.scratchBytes && { scratch: pool.storage(plan.scratchBytes, 'other', 'partials') }),
  });
  const program = await Program.record(gpu.device, pipelines, 'matmul test', calls);
  program.replay();
  const after = await idleUntil(readFloats(gpu.device, c));
  gpu.assertHealthy();

  const expected = Float64Array.from(before);
  const magnitude = new Float64Array(before.length);
  const free = new Set<number>();
  for (let z = 0; z < batch; z += 1) {
    const begin = begins[z] ?? 0;
    for (let i = 0; i < m; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const at = cStarts[z]! + i * n + j;
        let sum = 0;
        if (!isWanted(given, i, j, begin)) free.add(at);
        for (let p = given.skip === 'terms' ? begin : 0; p < k; p += 1) {
          const aAt = aStarts[z]! + (layout === 'TN' ? p * m + i : i * k + p);
          const bAt = bStarts[z]! + (layout === 'NT' ? j * k + p : p * n + j);
          const left = a[aAt]! - (aMinus?.[aAt] ?? 0);
          sum += left * b[bAt]!;
          magnitude[at]! += Math.abs(left * b[bAt]!);
        }
        if (given.accumulate) magnitude[at]! += Math.abs(expected[at]!);
        expected[at] = sum + (given.accumulate ? expected[at]! : 0);
      }
    }
  }
  // Each product and each of at most k + 2 additions rounds once, and A - A2 once more (Higham, section 3.1).
  const unit = (k + 4) * 2 ** -24;
  let worst = 0;
  for (let at = 0; at < before.length; at += 1) {
    const error = Math.abs(after[at]! - expected[at]!);
    const bound = unit * magnitude[at]!;
    // What nobody asked for is computed, or as it was.
    if (free.has(at) && after[at] === before[at]) continue;
    if (!(error <= bound)) worst = Math.max(worst, bound ? error / bound : Infinity);
  }
  expect(worst, 'worst error as a multiple of its bound').toBe(0);
  pool.destroyAll();
  return after.slice(0, before.length);
}

const layouts = ['NN', 'NT', 'TN'] as const;

describe.each(TILES)('tile %s', (tile) => {
  test.each(layouts)('%s: edges that hold whole vectors, k split, added to C', async (layout) => {
    await check({ layout, m: 76, n: 68, k: 52, accumulate: true }, { tile, splits: 2 });
  });
});

describe.each(TILES)('tile %s, what need not be computed', (tile) => {
  test('under the diagonal, before a row, and terms before a start', async () => {
    const below = await check({ layout: 'TN', m: 132, n: 132, k: 20, skip: 'below' }, { tile });
    const whole = await check({ layout: 'TN', m: 132, n: 132, k: 20 }, { tile });
    expect(below[131 * 132], 'the corner is left alone').not.toBe(whole[131 * 132]);
    await check({ layout: 'NN', m: 132, n: 132, k: 20, batch: 2, accumulate: true, skip: 'leading', begins: [96, 0] }, { tile });
    await check({ layout: 'TN', m: 132, n: 40, k: 20, batch: 2, accumulate: true, skip: 'rows', begins: [32, 96] }, { tile });
    await check({ layout: 'NN', m: 36, n: 40, k: 100, batch: 2, skip: 'terms', begins: [64, 16] }, { tile, splits: 2 });
  });
});

describe.each(TILES)('tile %s, B in halves', (tile) => {
  test('whole vectors in one layout, odd sizes in the other', async () => {
    await check({ layout: 'NT', m: 76, n: 68, k: 52, bType: 'bf16' }, { tile });
    await check({ layout: 'NN', m: 35, n: 33, k: 21, bType: 'f16' }, { tile });
  });
});

describe.each(FEW_ROWS_TILES)('tile %s', (tile) => {
  test.each([
    { m: 1, n: 70, k: 52, bType: 'f32' },
    { m: 3, n: 33, k: 21, bType: 'bf16' },
    { m: 4, n: 68, k: 1036, bType: 'f16' },
    { m: 19, n: 36, k: 300, bType: 'bf16', accumulate: true },
    { m: 2, n: 34, k: 6, bType: 'f16', batch: 2 },
  ] as const)('$m x $n x $k, B in $bType', async (shape) => {
    await check({ layout: 'NT', ...shape }, { tile });
  });

  test('k split, and other layouts refused', async () => {
    await check({ layout: 'NT', m: 2, n: 36, k: 52 }, { tile, splits: 2 });
    expect(() => planMatmul({ layout: 'NN', m: 1, n: 8, k: 8 }, gpu.facts, { tile })).toThrow('is for NT');
  });
});

test('a row has the same bits however many there are', async () => {
  const [n, k] = [512, 260];
  const tiles = (m: number): readonly Tile[] => (m > 4 ? ['G', 'W', ...(gpu.facts.subgroupSize === 8 || gpu.facts.subgroupSize === 4 ? (['S', 'S16', 'S8'] as const) : [])] : ['F']);
  const firstRow = async (m: number, tile: Tile): Promise<Float32Array> => (await check({ layout: 'NT', m, n, k }, { tile })).slice(0, n);
  const alone = await firstRow(1, 'F');
  for (const m of [3, 4, 8, 33]) for (const tile of tiles(m)) expect(await firstRow(m, tile), `${tile} of ${m}`).toEqual(alone);
  const reduced = await firstRow(1, 'R');
  for (const m of [2, 19]) expect(await firstRow(m, 'R')).toEqual(reduced);
});

test('few rows get the tiles that are made for them', () => {
  const tile = (m: number, facts: Partial<Gpu['facts']>): Tile => planMatmul({ layout: 'NT', m, n: 576, k: 576 }, { ...gpu.facts, ...facts }).tile;
  const lavapipe = { software: true, subgroupSize: 8, architecture: '' };
  expect([1, 2, 3, 8, 9, 16, 17, 128].map((m) => tile(m, lavapipe))).toEqual(['F', 'F', 'S8', 'S8', 'S16', 'S16', 'S', 'S']);
  expect(planMatmul({ layout: 'NT', m: 4, n: 33, k: 70 }, { ...gpu.facts, ...lavapipe }).tile).toBe('F');
  expect([1, 2, 3, 8, 32].map((m) => tile(m, { software: true, subgroupSize: 4, architecture: 'swiftshader' }))).toEqual(['F', 'F', 'W', 'W', 'W']);
  expect([4, 5].map((m) => tile(m, { software: true, subgroupSize: 0, architecture: '' }))).toEqual(['F', 'G']);
  expect([1, 32, 33].map((m) => tile(m, { software: false }))).toEqual(['R', 'R', 'M']);
});

test('B in halves, the other way round', async () => {
  await check({ layout: 'NN', m: 76, n: 68, k: 52, bType: 'f16' });
  await check({ layout: 'NT', m: 35, n: 33, k: 21, bType: 'bf16' });
  await check({ layout: 'NN', m: 7, n: 34, k: 6, bType: 'bf16' });
});

test('tile M: odd sizes, in a batch', async () => {
  await check({ layout: 'NT', m: 35, n: 33, k: 21, batch: 2, aMinus: true }, { tile: 'M' });
});

describe('every layout', () => {
  test.each(layouts)('%s: whole tiles', async (layout) => {
    await check({ layout, m: 64, n: 64, k: 32 });
  });
  test.each(layouts)('%s: odd sizes', async (layout) => {
    await check({ layout, m: 67, n: 33, k: 21 });
  });
  test.each(layouts)('%s: single row, column and term', async (layout) => {
    await check({ layout, m: 1, n: 5, k: 7 });
    await check({ layout, m: 6, n: 1, k: 1, accumulate: true });
  });
});

test('a batch with strides and offsets, A a difference', async () => {
  await check({ layout: 'NN', m: 20, n: 12, k: 8, batch: 3, aMinus: true, a: { offset: 4, stride: 164 }, c: { offset: 8 } });
  await check({ layout: 'NT', m: 9, n: 10, k: 20, batch: 2, aMinus: true, b: { offset: 1, stride: 0 } });
});

test('a batch whose matrices begin where a table says', async () => {
  const table = [1200, 0, 600];
  await check({ layout: 'TN', m: 20, n: 24, k: 12, batch: 3, a: 'table', c: 'table', table, alignedTable: true, accumulate: true });
  await check({ layout: 'NN', m: 20, n: 20, k: 24, batch: 3, b: 'table', table, aMinus: true });
  await check({ layout: 'NT', m: 20, n: 20, k: 40, batch: 2, a: 'table', c: 'table', table: [1001, 3] }, { splits: 3 });
});

test('matrices in halves where a table says: a product with itself, and what is taken from A', async () => {
  await check({ layout: 'NT', m: 20, n: 20, k: 24, batch: 2, a: 'table', b: 'table', table: [480, 0], alignedTable: true, aType: 'bf16', bType: 'bf16' });
  await check({ layout: 'TN', m: 21, n: 8, k: 24, batch: 2, a: 'table', table: [505, 0], aMinus: true, aMinusType: 'bf16' });
});

test('the same product twice gives the same bits', async () => {
  const shape = { layout: 'TN', m: 20, n: 24, k: 130 } as const;
  const first = await check(shape, { splits: 3 });
  const second = await check(shape, { splits: 3 });
  expect(new Uint32Array(second.buffer)).toEqual(new Uint32Array(first.buffer));
});

test('sizes that no kernel can have are refused', () => {
  expect(() => planMatmul({ layout: 'NN', m: 0, n: 4, k: 4 }, gpu.facts)).toThrow(RangeError);
  expect(() => planMatmul({ layout: 'NN', m: 4, n: 4, k: 4, batch: 70_000 }, gpu.facts)).toThrow(RangeError);
});
