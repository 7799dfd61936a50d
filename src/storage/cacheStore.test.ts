/** @file Files that can be made again: kept while there is room, and gone without a trace where anything goes wrong. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CacheStore } from './cacheStore.ts';
import { StorageFullError } from './directory.ts';
import type { Hash } from './fileStore.ts';
import type { MemoryDirectory } from './testing.ts';
import { memoryDirectory } from './testing.ts';

function newHash(): Hash {
  const hash = createHash('sha256');
  return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
}

async function* pieces(...sizes: readonly number[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (const size of sizes) yield new Uint8Array(size).fill(size);
}

let time = 0;
const openOn = (directory: MemoryDirectory): Promise<CacheStore<string>> => CacheStore.open(directory, newHash, () => (time += 1));
const ids = async (store: CacheStore<string>): Promise<string[]> => (await store.list()).map(({ id }) => id);

/** Room for a few files of 1 MB beside the margin. */
const ROOM = 20e6;

describe('the store of what can be made again', () => {
  it('keeps files with what they are, the last used first, also after a reload', async () => {
    const directory = memoryDirectory(ROOM);
    const store = await openOn(directory);
    expect(await store.keep('one', 'the first', 20, pieces(8, 12))).toBe(true);
    expect(await store.keep('two', 'the second', 5, pieces(5))).toBe(true);
    expect(await ids(store)).toEqual(['two', 'one']);
    expect((await (await store.use({ id: 'one' }))!.bytes()).length).toBe(20);
    const again = await openOn(directory);
    expect(await ids(again)).toEqual(['one', 'two']);
    const sha256 = createHash('sha256').update(new Uint8Array(8).fill(8)).update(new Uint8Array(12).fill(12)).digest('hex');
    expect((await again.list())[0]).toMatchObject({ about: 'the first', bytes: 20, sha256 });
    await again.remove('one');
    expect(await again.use({ id: 'one' })).toBeUndefined();
    expect([...directory.files.keys()].toSorted()).toEqual(['two', 'two.json']);
  });

  it('lets those go that were used least lately, and does not keep what is too large', async () => {
    const store = await openOn(memoryDirectory(ROOM));
    // A fifth of the room holds three of them.
    for (const id of ['a', 'b', 'c']) await store.keep(id, id, 1.2e6, pieces(1.2e6));
    await store.use({ id: 'a' });
    await store.keep('d', 'd', 1.2e6, pieces(1.2e6));
    expect(await ids(store)).toEqual(['d', 'a', 'c']);
    expect(await store.keep('e', 'e', 5e6, pieces(5e6))).toBe(false);
    expect(await ids(store), 'nothing went for it').toEqual(['d', 'a', 'c']);
    expect(await store.keep('d', 'd', 2, pieces(2))).toBe(true);
    expect((await store.list())[0]).toMatchObject({ id: 'd', bytes: 2 });
  });

  it('leaves nothing of a file that was not written to its end', async () => {
    const directory = memoryDirectory(ROOM);
    const store = await openOn(directory);
    const stopped = new Error('stopped');
    async function* cut(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
      yield new Uint8Array(9);
      throw stopped;
    }
    await expect(store.keep('one', '', 10, cut())).rejects.toBe(stopped);
    directory.quota = 100;
    await expect(store.keep('one', '', 10, pieces(200))).rejects.toThrow(StorageFullError);
    expect(directory.files.size).toBe(0);
  });

  it('finds nothing half written by a tab that died, and leaves alone what another writes', async () => {
    const directory = memoryDirectory(ROOM);
    const store = await openOn(directory);
    await store.keep('whole', '', 3, pieces(3));
    for (const name of ['half.part', 'nobody', 'torn']) (await directory.append(name)).write(new Uint8Array(3));
    (await directory.append('torn.json')).write(new TextEncoder().encode('{"id":"to'));
    directory.crash();
    const writing = await directory.append('other.part');
    expect(await ids(await openOn(directory))).toEqual(['whole']);
    expect([...directory.files.keys()].toSorted()).toEqual(['other.part', 'whole', 'whole.json']);
    writing.close();
  });

  it('goes for what needs the room, no more of it than that takes', async () => {
    const directory = memoryDirectory(ROOM);
    const store = await openOn(directory);
    for (const id of ['a', 'b', 'c']) await store.keep(id, id, 1e6, pieces(1e6));
    await store.makeRoom(1e5);
    expect(await ids(store)).toEqual(['c', 'b', 'a']);
    // 17 of 20 MB are free, and some stay so.
    await store.makeRoom(1.5e6);
    expect(await ids(store)).toEqual(['c']);
    await store.makeRoom(50e6);
    expect(await ids(store), 'it would be of no use').toEqual(['c']);
    await store.makeRoom(3e6);
    expect(await ids(store)).toEqual([]);
  });
});
