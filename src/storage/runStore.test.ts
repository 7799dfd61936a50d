/** @file Runs on disk: what a tab that dies at any moment leaves is what had been written whole. */
import { describe, expect, it } from 'vitest';
import { StorageFullError } from './directory.ts';
import { RunStore } from './runStore.ts';
import { memoryDirectory } from './testing.ts';

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

async function* dying(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  yield* pieces('half of ');
  throw new Error('the device was lost');
}

describe('RunStore', () => {
  it('keeps a journal, the latest checkpoint and the weights of a run, and deletes them together', async () => {
    const directory = memoryDirectory();
    const store = await RunStore.open(directory);
    await store.append('a', { run: 'a' });
    await store.hold('a');
    await store.append('a', { loss: Number.NaN }, { text: 'null\n' });
    await store.writeCheckpoint('a', 9, pieces('ni', 'ne'));
    await store.writeCheckpoint('a', 10, pieces('ten'));
    await store.append('b', { run: 'b' });
    const run = (await store.read('a'))!;
    expect(run.lines).toEqual([{ run: 'a' }, { loss: Number.NaN }, { text: 'null\n' }]);
    expect([run.checkpoint!.step, await run.checkpoint!.file.text(), run.weights]).toEqual([10, 'ten', undefined]);
    await store.writeWeights('a', pieces('old'));
    await store.writeWeights('a', pieces('weights'));
    await store.dropCheckpoints('a');
    await store.letGo('a');
    expect(await (await store.read('a'))!.weights!.text()).toBe('weights');
    expect((await store.read('a'))!.bytes).toBe([...directory.files].filter(([name]) => name.startsWith('a.')).reduce((sum, [, { length }]) => sum + length, 0));
    expect(await store.ids()).toEqual(['a', 'b']);
    await store.remove('a');
    expect([...directory.files.keys()]).toEqual(['b.jsonl']);
    expect(await store.read('a')).toBeUndefined();
  });

  it('leaves out what was half written when the tab died, and writes on behind it', async () => {
    const directory = memoryDirectory();
    const first = await RunStore.open(directory);
    await first.append('a', { run: 'a' }, { line: 1 });
    await first.hold('a');
    await first.writeCheckpoint('a', 2, pieces('two'));
    directory.files.set('a.jsonl', new Uint8Array([...directory.files.get('a.jsonl')!, ...new TextEncoder().encode('{"line":')]));
    directory.files.set('a.4.checkpoint.part', new Uint8Array(3));
    directory.files.set('gone.safetensors', new Uint8Array(3));
    directory.files.set('b.jsonl', new TextEncoder().encode('{"run"'));
    directory.crash();
    const second = await RunStore.open(directory);
    await second.append('a', { line: 2 });
    expect((await second.read('a'))!.lines).toEqual([{ run: 'a' }, { line: 1 }, { line: 2 }]);
    expect((await second.read('a'))!.checkpoint!.step).toBe(2);
    expect(await second.read('b')).toBeUndefined();
    expect([...directory.files.keys()].toSorted()).toEqual(['a.2.checkpoint', 'a.jsonl', 'b.jsonl']);
  });

  it('keeps what was there when the disk is full or a file could not be read to its end', async () => {
    const directory = memoryDirectory();
    const store = await RunStore.open(directory);
    await store.append('a', { run: 'a' });
    await store.writeCheckpoint('a', 2, pieces('two'));
    await expect(store.writeCheckpoint('a', 4, dying())).rejects.toThrow('the device was lost');
    directory.quota = 30;
    await expect(store.writeCheckpoint('a', 4, pieces('0123456789', '0123456789'))).rejects.toThrow(StorageFullError);
    await expect(store.append('a', { text: '0123456789' })).rejects.toThrow(StorageFullError);
    expect(await (await store.read('a'))!.checkpoint!.file.text()).toBe('two');
    expect([...directory.files.keys()].toSorted()).toEqual(['a.2.checkpoint', 'a.jsonl']);
  });

  it('belongs to one tab at a time', async () => {
    const directory = memoryDirectory();
    await RunStore.open(directory);
    await expect(RunStore.open(directory)).rejects.toThrow('Another tab of this page keeps the runs');
    directory.crash();
    await RunStore.open(directory);
  });

  it('reads the queue as it was written last', async () => {
    const directory = memoryDirectory();
    const store = await RunStore.open(directory);
    expect(await store.readQueue()).toBeUndefined();
    await store.writeQueue({ items: [1] }, false);
    await store.writeQueue({ items: [1, 2] }, false);
    expect(await store.readQueue()).toEqual({ items: [1, 2] });
    await store.writeQueue({ items: [] }, true);
    expect(await store.readQueue()).toEqual({ items: [] });
    expect(directory.files.get('queue.jsonl')!.length).toBe('{"items":[]}\n'.length);
    expect(await store.ids()).toEqual([]);
  });
});
