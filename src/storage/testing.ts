/** @file A folder in memory with the manners of the OPFS: one writer a file, a quota, and writes that outlive their writer. */
import type { Appender, Directory } from './directory.ts';
import { FileInUseError, StorageFullError } from './directory.ts';

export interface MemoryDirectory extends Directory {
  /** Contents by name, as they lie on the disk. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  quota: number;
  /** Forgets all open writers and locks, as when the tab dies; what was written stays. */
  crash(): void;
}

export function memoryDirectory(quota = 1e12): MemoryDirectory {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const open = new Set<string>();
  const locks = new Map<string, Promise<unknown>>();
  const usage = (): number => [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const claim = (name: string): void => {
    if (open.has(name)) throw new FileInUseError(`${name} is in use by another tab of this page.`);
  };
  const directory: MemoryDirectory = {
    files,
    quota,
    crash() {
      open.clear();
      locks.clear();
    },
    list: async () => [...files].map(([name, { length }]) => ({ name, bytes: length })),
    async read(name) {
      const bytes = files.get(name);
      return bytes && new Blob([bytes]);
    },
    async append(name) {
      claim(name);
      open.add(name);
      files.set(name, files.get(name) ?? new Uint8Array());
      const appender: Appender = {
        get bytes() {
          return files.get(name)!.length;
        },
        write(piece) {
          const free = directory.quota - usage();
          if (piece.length > free) throw new StorageFullError(piece.length, free);
          const before = files.get(name)!;
          const after = new Uint8Array(before.length + piece.length);
          after.set(before);
          after.set(piece, before.length);
          files.set(name, after);
        },
        restart: () => void files.set(name, new Uint8Array()),
        close: () => void open.delete(name),
      };
      return appender;
    },
    async rename(from, to) {
      claim(from);
      claim(to);
      files.set(to, files.get(from)!);
      files.delete(from);
    },
    async remove(name) {
      claim(name);
      files.delete(name);
    },
    async exclusively(name, signal, work) {
      const before = locks.get(name);
      const result = (async () => {
        if (before) await Promise.race([before.catch(() => {}), new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))]);
        signal?.throwIfAborted();
        return work();
      })();
      // Whoever gives up waiting leaves the lock to those before.
      locks.set(name, Promise.allSettled([before, result]));
      return result;
    },
    estimate: async () => ({ usage: usage(), quota: directory.quota }),
  };
  return directory;
}
