/**
 * @file Disk for exports in the making: a model written piece by piece is then a Blob that lies on disk, so that no export is ever whole in memory.
 * Each tab has files of its own, which go when it writes the next export; those of a tab that died go when another opens.
 */
import type { Directory } from './directory.ts';

/** How long to wait for the lock of another tab before it counts as living, in milliseconds; a free lock is granted at once. */
const PATIENCE = 100;

export class Scratch {
  private constructor(
    private readonly directory: Directory,
    private readonly tab: string,
  ) {}

  /** @param tab a name that no other tab has */
  static async open(directory: Directory, tab: string): Promise<Scratch> {
    // Held as long as the tab lives: the browser lets go of it when the tab dies.
    void directory.exclusively(tab, undefined, () => new Promise(() => {}));
    const others = new Set((await directory.list()).map(({ name }) => name.slice(0, name.indexOf(' '))));
    others.delete(tab);
    for (const other of others) {
      await directory.exclusively(other, AbortSignal.timeout(PATIENCE), () => clear(directory, other)).catch((error: unknown) => {
        if (!(error instanceof DOMException)) throw error;
      });
    }
    return new Scratch(directory, tab);
  }

  /**
   * Writes a file from its pieces and returns it, unread. A file of the same path is replaced.
   * @throws StorageFullError; nothing is left of the file then
   */
  readonly writeFile = async (path: string, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<Blob> => {
    const name = `${this.tab} ${encodeURIComponent(path)}`;
    const file = await this.directory.append(name);
    try {
      file.restart();
      for await (const piece of pieces) {
        await this.directory.makeRoom?.(piece.length);
        file.write(piece);
      }
    } catch (error) {
      file.close();
      await this.directory.remove(name);
      throw error;
    }
    file.close();
    return (await this.directory.read(name))!;
  };

  /** Deletes what this tab has written; its Blobs can no longer be read. */
  clear(): Promise<void> {
    return clear(this.directory, this.tab);
  }
}

async function clear(directory: Directory, tab: string): Promise<void> {
  for (const { name } of await directory.list()) if (name.startsWith(`${tab} `)) await directory.remove(name);
}
