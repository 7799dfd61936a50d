import { describe, expect, it } from 'vitest';
import { FileInUseError, StorageFullError } from './directory.ts';
import type { ModelFile } from './modelCache.ts';
import { ModelCache } from './modelCache.ts';
import { memoryDirectory } from './testing.ts';

const file = (path: string, bytes: number, digest = `sha256-${path}`): ModelFile => ({ path, bytes, digest });
const small = { repo: 'a/small', revision: 'main', commit: 'c1', files: [file('config.json', 2), file('model.safetensors', 10)] };
const large = { repo: 'b/large', revision: 'v1', commit: 'c2', files: [file('config.json', 2), file('other.safetensors', 100)] };

function clock(): () => number {
  let time = 0;
  return () => ++time;
}

async function store(cache: ModelCache, item: ModelFile, bytes = item.bytes): Promise<void> {
  const part = await cache.append(item);
  part.write(new Uint8Array(bytes));
  part.close();
  if (bytes === item.bytes) await cache.complete(item);
}

describe('the model cache', () => {
  it('lists models with what is here of each, the last used first', async () => {
    const cache = new ModelCache(memoryDirectory(), clock());
    await cache.record(small);
    await cache.record(large);
    await store(cache, small.files[0]!);
    await store(cache, small.files[1]!);
    await store(cache, large.files[1]!, 30);
    expect(await cache.list()).toEqual([
      { ...large, lastUse: 2, bytes: 102, storedBytes: 32, complete: false },
      { ...small, lastUse: 1, bytes: 12, storedBytes: 12, complete: true },
    ]);
    await cache.record(small);
    expect((await cache.list()).map(({ repo }) => repo)).toEqual(['a/small', 'b/large']);
  });

  it('finds a model by branch and by commit', async () => {
    const cache = new ModelCache(memoryDirectory());
    await cache.record(small);
    expect((await cache.find('a/small', 'main'))?.commit).toBe('c1');
    expect((await cache.find('a/small', 'c1'))?.commit).toBe('c1');
    expect(await cache.find('a/small', 'v2')).toBeUndefined();
  });

  it('gives a file only when it is complete', async () => {
    const cache = new ModelCache(memoryDirectory());
    const item = small.files[1]!;
    await store(cache, item, 4);
    expect(await cache.file(item)).toBeUndefined();
    expect((await cache.part(item))?.size).toBe(4);
    const part = await cache.append(item);
    expect(part.bytes).toBe(4);
    part.write(new Uint8Array(6));
    part.close();
    await cache.complete(item);
    expect((await cache.file(item))?.size).toBe(10);
    expect(await cache.part(item)).toBeUndefined();
  });

  it('deletes a model, parts included, and keeps what another shares', async () => {
    const directory = memoryDirectory();
    const cache = new ModelCache(directory);
    await cache.record(small);
    await cache.record(large);
    await store(cache, small.files[0]!);
    await store(cache, small.files[1]!, 3);
    await cache.delete(small);
    expect([...directory.files.keys()].toSorted()).toEqual(['b%2Flarge@c2.json', 'sha256-config.json']);
    await cache.deleteAll();
    expect(directory.files.size).toBe(0);
  });

  it('refuses to delete what is being downloaded', async () => {
    const cache = new ModelCache(memoryDirectory());
    await cache.record(small);
    const part = await cache.append(small.files[1]!);
    await expect(cache.delete(small)).rejects.toThrow(new FileInUseError('a/small is being downloaded, perhaps in another tab; stop that first.'));
    part.close();
    await cache.delete(small);
    expect(await cache.list()).toEqual([]);
  });

  it('says how many bytes are needed and free', async () => {
    const directory = memoryDirectory(30e6);
    const cache = new ModelCache(directory);
    directory.files.set('other', new Uint8Array(10e6));
    expect(await cache.space()).toEqual({ usage: 10e6, quota: 30e6, free: 20e6 });
    await cache.assertRoom(20e6);
    const refusal = cache.assertRoom(20e6 + 1);
    await expect(refusal).rejects.toThrow(StorageFullError);
    await expect(refusal).rejects.toThrow('20 MB are needed and the browser gives this page 20 MB.');
  });

  it('passes over a record that was half written', async () => {
    const directory = memoryDirectory();
    const cache = new ModelCache(directory);
    await cache.record(small);
    directory.files.set('b%2Flarge@c2.json', new TextEncoder().encode('{"repo":'));
    expect((await cache.list()).map(({ repo }) => repo)).toEqual(['a/small']);
  });
});
