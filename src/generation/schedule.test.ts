/** @file What is read, copied and refilled, and in which order; on the CPU alone. */
import { describe, expect, it } from 'vitest';
import { NO_SLOT } from '../graph/ops/cached-attention.ts';
import type { GenerationRequest } from './schedule.ts';
import { Schedule, SHARED_TOKENS } from './schedule.ts';

const tokens = (count: number, from = 100): number[] => Array.from({ length: count }, (_, i) => from + i);

const schedule = (requests: readonly GenerationRequest[], sequences: number, length = 64): Schedule => {
  const made = new Schedule(requests, { sequences, length, seed: 5 });
  made.admit();
  return made;
};

/** Rows of a chunk as `slot:position`, padding as `-`. */
const places = ({ rows }: { readonly rows: readonly { readonly slot: number; readonly position: number }[] }): string => rows.map(({ slot, position }) => (slot === NO_SLOT ? '-' : `${slot}:${position}`)).join(' ');

describe('Schedule', () => {
  it('packs pieces of several prompts into chunks, each in blocks of its own, and leaves the last token to the first step', () => {
    const made = schedule([{ prompt: tokens(4) }, { prompt: [1] }, { prompt: tokens(8, 200) }], 3);
    expect(made.ready.map(({ index }) => index)).toEqual([1]);
    const first = made.nextChunk(8, 2)!;
    expect(places(first)).toBe('0:0 0:1 0:2 - 2:0 2:1 2:2 2:3');
    expect(first.rows.map(({ id }) => id)).toEqual([100, 101, 102, 0, 200, 201, 202, 203]);
    expect(first.tokens).toBe(7);
    expect(made.ready.map(({ index }) => index)).toEqual([0, 1]);
    expect(places(made.nextChunk(8, 2)!)).toBe('2:4 2:5 2:6 -');
    expect(made.nextChunk(8, 2)).toBeUndefined();
    expect(made.ready.map(({ index, id, position }) => [index, id, position])).toEqual([[0, 103, 3], [1, 1, 0], [2, 207, 7]]);
  });

  it('gives a slot to the next that waits, and random numbers stay with their request', () => {
    const made = schedule([{ prompt: [1] }, { prompt: [2], maxNewTokens: 3 }, { prompt: [3], seed: 8, stream: 4 }], 1);
    expect(made.live.map(({ index, slot, seed, stream, lastPosition }) => [index, slot, seed, stream, lastPosition])).toEqual([[0, 0, 5, 0, 63]]);
    made.end(made.live[0]!);
    made.admit();
    expect(made.live.map(({ index, slot, seed, stream, lastPosition }) => [index, slot, seed, stream, lastPosition])).toEqual([[1, 0, 5, 1, 3]]);
    made.end(made.live[0]!);
    made.admit();
    expect(made.live.map(({ index, slot, seed, stream }) => [index, slot, seed, stream])).toEqual([[2, 0, 8, 4]]);
    expect(made.finished).toBe(false);
    made.end(made.live[0]!);
    expect(made.finished).toBe(true);
  });

  it('reads what prompts share once, and copies it', () => {
    const common = tokens(SHARED_TOKENS + 2);
    const made = schedule([{ prompt: [...common, 1, 2] }, { prompt: [...common, 3] }, { prompt: [...common, 1, 2] }, { prompt: [...common.slice(0, 4), 7] }], 4);
    // The second and third wait for the first; what the fourth shares is too little to wait for.
    const first = made.nextChunk(32, 1)!;
    expect(first.copies).toEqual([]);
    expect(first.rows.map(({ slot }) => slot)).toEqual([...common.map(() => 0), 0, 3, 3, 3, 3]);
    const second = made.nextChunk(32, 1)!;
    expect(second.copies).toEqual([{ from: 0, to: 1, positions: common.length }, { from: 0, to: 2, positions: common.length + 1 }]);
    expect(second.rows).toEqual([]);
    expect(second.tokens).toBe(2 * common.length + 1);
    expect(made.ready).toHaveLength(4);
  });

  it('finds the beginning of a prompt in the slot that another has left, unless it was overwritten', () => {
    const common = tokens(20);
    const made = schedule([{ prompt: common }, { prompt: [9, 9, 9] }, { prompt: [...common.slice(0, 12), 5, 6] }], 2);
    made.nextChunk(64, 1);
    made.end(made.live.find(({ index }) => index === 1)!);
    made.end(made.live.find(({ index }) => index === 0)!);
    made.admit();
    expect(made.live[0]!.slot, 'the slot that holds most of it').toBe(0);
    const chunk = made.nextChunk(64, 1)!;
    expect(chunk.copies).toEqual([]);
    expect(places(chunk)).toBe('0:12');
    const next = schedule([{ prompt: common }, { prompt: tokens(20, 300) }, { prompt: common }], 1);
    for (const _ of [0, 1]) {
      next.nextChunk(64, 1);
      next.end(next.live[0]!);
      next.admit();
    }
    expect(next.nextChunk(64, 1)!.rows).toHaveLength(19);
  });

  it('refuses what cannot be answered', () => {
    expect(() => schedule([{ prompt: [] }], 1)).toThrow('0 tokens');
    expect(() => schedule([{ prompt: tokens(64) }], 1)).toThrow('64 tokens does not fit 64');
    expect(() => schedule([{ prompt: [1], maxNewTokens: 0 }], 1)).toThrow('An answer of 0 tokens');
  });
});
