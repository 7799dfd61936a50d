import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { StorageFullError } from './directory.ts';
import { FileChangedError, FileStore, type Hash } from './fileStore.ts';
import { memoryDirectory } from './testing.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function newHash(): Hash {
  const hash = createHash('sha256');
  return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
}

const blob = (text: string): Blob => new Blob([text]);

describe('the file store', () => {
  it('keeps a file once, under the hash of its bytes', async () => {
    const directory = memoryDirectory();
    const store = await FileStore.open(directory, newHash);
    expect(await store.put(blob('one'))).toBe(sha256('one'));
    expect(await store.put(blob('one'), { sha256: sha256('one') })).toBe(sha256('one'));
    await Promise.all([store.put(blob('two')), store.put(blob('two'))]);
    expect((await store.list()).toSorted()).toEqual([sha256('one'), sha256('two')].toSorted());
    expect(await (await store.read(sha256('two')))?.text()).toBe('two');
    await store.remove(sha256('two'));
    expect(await store.read(sha256('two'))).toBeUndefined();
    expect([...directory.files.keys()]).toEqual([sha256('one')]);
  });

  it('leaves nothing of a file that has changed, that has no room, or that was not wanted any more', async () => {
    const directory = memoryDirectory(10);
    const store = await FileStore.open(directory, newHash);
    await expect(store.put(blob('changed'), { sha256: sha256('as it was') })).rejects.toThrow(FileChangedError);
    const refusal = store.put(blob('eleven byte'));
    await expect(refusal).rejects.toThrow(StorageFullError);
    const stopped = new AbortController();
    stopped.abort(new Error('stopped'));
    await expect(store.put(blob('any'), { signal: stopped.signal })).rejects.toThrow('stopped');
    expect(directory.files.size).toBe(0);
  });

  it('finds nothing of a file that was half written when the tab died', async () => {
    const directory = memoryDirectory();
    await FileStore.open(directory, newHash);
    (await directory.append('some.part')).write(new Uint8Array(3));
    directory.crash();
    const store = await FileStore.open(directory, newHash);
    expect(await store.list()).toEqual([]);
    expect(directory.files.size).toBe(0);
  });

  it('has the index as it was written last, or the one before where that was cut off', async () => {
    const directory = memoryDirectory();
    const store = await FileStore.open(directory, newHash);
    expect(await store.readIndex()).toBeUndefined();
    for (const at of [1, 2, 3]) await store.writeIndex({ at });
    const again = await FileStore.open(directory, newHash);
    expect(await again.readIndex()).toEqual({ at: 3 });
    const last = directory.files.get('index.1')!;
    directory.files.set('index.1', last.slice(0, -4));
    const cut = await FileStore.open(directory, newHash);
    expect(await cut.readIndex()).toEqual({ at: 2 });
    await cut.writeIndex({ at: 4 });
    expect(await (await FileStore.open(directory, newHash)).readIndex()).toEqual({ at: 4 });
  });

  it('keeps the index that was there when the disk is full', async () => {
    const directory = memoryDirectory();
    const store = await FileStore.open(directory, newHash);
    await store.writeIndex({ at: 1 });
    directory.quota = 40;
    await expect(store.writeIndex({ at: 2, long: 'x'.repeat(100) })).rejects.toThrow(StorageFullError);
    expect(await store.readIndex()).toEqual({ at: 1 });
  });
});
