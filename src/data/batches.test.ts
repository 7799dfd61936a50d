import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchPlan, IGNORED_LABEL, batchesOfShape, batchOf, packRows } from './batches.ts';
import type { Batch } from './batches.ts';
import type { TokenisedExample } from './tokenise.ts';

/** Ids 100 * index + position, the first `prompt` tokens not trained. */
const document = (index: number, length: number, prompt = 1): TokenisedExample => ({
  ids: Uint32Array.from({ length }, (_, position) => 100 * index + position),
  trained: Uint8Array.from({ length }, (_, position) => (position >= prompt ? 1 : 0)),
  truncated: false,
});
const documents = (lengths: readonly number[], prompt = 1): TokenisedExample[] => lengths.map((length, index) => document(index, length, prompt));
const PAD = 99_999;

describe('a packed batch', () => {
  it('restarts positions, keeps labels inside the document, and pads the rest', () => {
    const batch = batchOf([0, 1], documents([4, 3], 2), 9, PAD);
    const X = IGNORED_LABEL;
    expect(batch).toMatchObject({ rows: 1, seqLen: 9, trainedTokens: 3, tokens: 7, usedRows: 1 });
    expect([...batch.ids]).toEqual([0, 1, 2, 3, 100, 101, 102, PAD, PAD]);
    expect([...batch.labels]).toEqual([X, 2, 3, X, X, 102, X, X, X]);
    expect([...batch.positions]).toEqual([0, 1, 2, 3, 0, 1, 2, 0, 0]);
    expect([...batch.documentStart]).toEqual([0, 0, 0, 0, 4, 4, 4, 7, 8]);
    expect([...batch.exampleOf]).toEqual([0, 0, 0, 0, 1, 1, 1, -1, -1]);
    const w = Math.fround(1 / 3);
    expect([...batch.rowWeights]).toEqual([0, w, w, 0, 0, w, 0, 0, 0]);
  });

  it('puts each document in its own row when asked', () => {
    const batch = batchOf([1, 0], documents([2, 2]), 4, PAD, 'one-per-row');
    expect([batch.rows, batch.usedRows]).toEqual([2, 2]);
    expect([...batch.exampleOf].filter((index) => index >= 0)).toEqual([1, 1, 0, 0]);
  });

  it('weighs nothing where nothing is trained', () => {
    expect(batchOf([0], documents([3], 3), 4, PAD).rowWeights.every((weight) => weight === 0)).toBe(true);
  });

  it('refuses a document longer than the row', () => {
    expect(() => packRows([5], 4, 'packed')).toThrow('a document of 5 tokens does not fit a row of 4');
  });
});

describe('batches of one shape', () => {
  it('hold every example once, whatever rows are left over', () => {
    const examples = documents([4, 3, 6, 2, 5]);
    const batches = [...batchesOfShape(examples, { rows: 2, seqLen: 6 }, PAD)];
    expect(batches.flatMap(({ indices }) => [...indices]).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    for (const batch of batches) {
      expect([batch.rows, batch.seqLen, batch.ids.length]).toEqual([2, 6, 12]);
      expectFaithful(batch, examples, batch.indices);
    }
    // Rows of 6, 5, 4 + 2 and 3 tokens.
    expect(batches.map(({ usedRows }) => usedRows)).toEqual([2, 2]);
    expect([...batchesOfShape(examples.slice(0, 3), { rows: 2, seqLen: 6 }, PAD)].map(({ usedRows }) => usedRows)).toEqual([2, 1]);
  });
});

/** Every token of every example is there once, in order, in one row; labels are what follows it; padding is inert. */
function expectFaithful(batch: Batch, examples: readonly TokenisedExample[], indices: ArrayLike<number>): void {
  const seen = new Map<string, number[]>();
  let labels = 0;
  for (let at = 0; at < batch.rows * batch.seqLen; at++) {
    const row = Math.floor(at / batch.seqLen);
    const start = row * batch.seqLen + batch.documentStart[at]!;
    const index = batch.exampleOf[at]!;
    expect(start + batch.positions[at]!).toBe(at);
    if (index < 0) {
      expect([batch.ids[at], batch.labels[at], batch.rowWeights[at]]).toEqual([PAD, IGNORED_LABEL, 0]);
      continue;
    }
    const { ids, trained } = examples[index]!;
    const position = batch.positions[at]!;
    const isTrained = trained[position + 1] === 1;
    expect([batch.ids[at], batch.labels[at]]).toEqual([ids[position], isTrained ? ids[position + 1] : IGNORED_LABEL]);
    expect(batch.rowWeights[at]).toBe(isTrained ? Math.fround(1 / batch.trainedTokens) : 0);
    labels += isTrained ? 1 : 0;
    const key = `${index}@${start}`;
    seen.set(key, [...(seen.get(key) ?? []), position]);
  }
  expect(labels).toBe(batch.trainedTokens);
  const placed = [...seen].map(([key, positions]) => [Number(key.split('@')[0]), positions.length]).sort((a, b) => a[0]! - b[0]!);
  expect(placed).toEqual(Array.from(indices, (index) => [index, examples[index]!.ids.length]).sort((a, b) => a[0]! - b[0]!));
}

describe('BatchPlan', () => {
  const plan = fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 30 }),
    batchSize: fc.integer({ min: 1, max: 9 }),
    seed: fc.nat(),
    packing: fc.constantFrom('packed' as const, 'one-per-row' as const),
  });

  it('always fits, for any step, when planned for the worst case', () => {
    fc.assert(fc.property(plan, fc.nat(500), ({ lengths, ...options }, step) => {
      const examples = documents(lengths);
      const batches = new BatchPlan(examples, { ...options, seqLen: 16, padTokenId: PAD });
      const batch = batches.batch(step);
      expect([batch.rows, batch.seqLen]).toEqual([batches.shape.rows, 16]);
      expectFaithful(batch, examples, batches.examplesOf(step));
    }), { numRuns: 200 });
  });

  it('fits the steps it was planned for, in no more rows than needed', () => {
    fc.assert(fc.property(plan, ({ lengths, ...options }) => {
      const batches = new BatchPlan(documents(lengths), { ...options, seqLen: 16, padTokenId: PAD, steps: 12 });
      const used = Array.from({ length: 12 }, (_, step) => batches.batch(step).usedRows);
      expect(Math.max(...used)).toBe(batches.shape.rows);
    }));
  });

  it('says so where a step past the planned ones does not fit', () => {
    // Each epoch of four steps meets the long document once; where that is not in step 0, one row was enough for the plan.
    const plans = Array.from({ length: 8 }, (_, seed) => new BatchPlan(documents([16, 1, 1, 1, 1, 1, 1, 1]), { batchSize: 2, seqLen: 16, padTokenId: PAD, seed, steps: 1 }));
    const small = plans.filter(({ shape }) => shape.rows === 1);
    expect(small.length).toBeGreaterThan(0);
    for (const batches of small) {
      expect(() => [1, 2, 3].map((step) => batches.batch(step))).toThrow(/step \d needs 2 rows; the plan was made with 1, for 1 steps/u);
    }
  });

  it('takes batchSize examples a step and each example once an epoch, across the ends of epochs', () => {
    const batches = new BatchPlan(documents(Array.from({ length: 10 }, () => 2)), { batchSize: 4, seqLen: 16, padTokenId: PAD, seed: 3 });
    const stream = Array.from({ length: 5 }, (_, step) => [...batches.examplesOf(step)]).flat();
    for (const epoch of [0, 1]) expect(stream.slice(10 * epoch, 10 * epoch + 10).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(batches.epochsAt(5)).toBe(2);
  });

  it('depends on seed and step only', () => {
    const make = (seed: number): BatchPlan => new BatchPlan(documents(Array.from({ length: 50 }, (_, i) => 1 + (i % 16))), { batchSize: 8, seqLen: 16, padTokenId: PAD, seed });
    const [first, second] = [make(1), make(1)];
    const inOrder = [0, 1, 2, 30].map((step) => first.batch(step));
    expect([30, 2, 1, 0].map((step) => second.batch(step)).reverse()).toEqual(inOrder);
    expect(make(2).batch(0).ids).not.toEqual(inOrder[0]!.ids);
  });

  it('refuses no examples', () => {
    expect(() => new BatchPlan([], { batchSize: 1, seqLen: 4, padTokenId: PAD, seed: 0 })).toThrow('no examples');
  });
});
