import { describe, expect, it } from 'vitest';
import { StorageFullError } from './directory.ts';
import { Scratch } from './scratch.ts';
import { memoryDirectory } from './testing.ts';

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

describe('scratch files', () => {
  it('are written piece by piece, replaced, and cleared', async () => {
    const directory = memoryDirectory();
    const scratch = await Scratch.open(directory, 'a');
    await scratch.writeFile('model/x', pieces('first'));
    const blob = await scratch.writeFile('model/x', pieces('sec', 'ond'));
    expect(await blob.text()).toBe('second');
    expect(directory.files.size).toBe(1);
    await scratch.clear();
    expect(directory.files.size).toBe(0);
  });

  it('of a tab that died go, those of a living one stay', async () => {
    const directory = memoryDirectory();
    const dead = await Scratch.open(directory, 'dead');
    await dead.writeFile('x', pieces('1'));
    directory.crash();
    const living = await Scratch.open(directory, 'living');
    expect(directory.files.size).toBe(0);
    await living.writeFile('y', pieces('2'));
    await Scratch.open(directory, 'next');
    expect([...directory.files.keys()]).toEqual(['living y']);
  });

  it('leave nothing behind on a full disk', async () => {
    const directory = memoryDirectory(8);
    const scratch = await Scratch.open(directory, 'a');
    await expect(scratch.writeFile('x', pieces('12345', '6789'))).rejects.toThrow(StorageFullError);
    expect(directory.files.size).toBe(0);
  });
});
