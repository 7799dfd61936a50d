import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenisedExample } from './tokenise.ts';
import { measuresOf, TokenStore } from './tokenStore.ts';

const example = (ids: number[], trained: number[], truncated = false): TokenisedExample => ({ ids: Uint32Array.from(ids), trained: Uint8Array.from(trained), truncated });

describe('TokenStore', () => {
  it('gives back what was put in', () => {
    const token = fc.tuple(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 1 }));
    fc.assert(fc.property(fc.array(fc.tuple(fc.array(token, { maxLength: 40 }), fc.boolean())), (rows) => {
      const examples = rows.map(([tokens, truncated]) => example(tokens.map(([id]) => id), tokens.map(([, trained]) => trained), truncated));
      const store = new TokenStore();
      for (const each of examples) store.add(each);
      expect([...store]).toEqual(examples);
      expect(examples.map((_, i) => store.at(i))).toEqual(examples);
      expect(measuresOf(store)).toEqual(measuresOf(examples));
    }));
  });

  it('goes on in another array where one is full, also for an example longer than an array', () => {
    const store = new TokenStore();
    const lengths = [700_000, 700_000, 3, 2_000_000, 5];
    for (const [i, length] of lengths.entries()) store.add({ ids: new Uint32Array(length).fill(i + 1), trained: new Uint8Array(length).fill(i % 2), truncated: false });
    for (const [i, length] of lengths.entries()) {
      const { ids, trained } = store.at(i)!;
      expect([ids.length, ids[0], ids[length - 1], trained[0], trained[length - 1]]).toEqual([length, i + 1, i + 1, i % 2, i % 2]);
    }
    expect(Array.from(measuresOf(store).trained)).toEqual([0, 700_000, 0, 2_000_000, 0]);
  });

  it('has nothing outside its examples, and gives out copies', () => {
    const store = new TokenStore();
    store.add(example([1, 2], [0, 1]));
    expect([store.length, store.at(1), store.at(-1)]).toEqual([1, undefined, undefined]);
    store.at(0)!.ids[0] = 9;
    expect(store.at(0)!.ids[0]).toBe(1);
  });
});
