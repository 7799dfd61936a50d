/**
 * @file A flat folder that stays between visits: in a browser one folder of the origin private file system (OPFS). The interface is small so that
 * tests can stand in a folder whose disk is full, whose tab dies, or which another tab holds.
 */

export interface StoredFile {
  readonly name: string;
  readonly bytes: number;
}

/** A file open for writing at its end. Nobody else may write it until it is closed. */
export interface Appender {
  /** Bytes in the file so far. */
  readonly bytes: number;
  /** What is written survives the tab. @throws StorageFullError */
  write(piece: Uint8Array): void;
  /** Forgets everything written. */
  restart(): void;
  close(): void;
}

export interface Directory {
  list(): Promise<StoredFile[]>;
  /** Contents, read from disk when they are asked for; undefined where there is no such file. */
  read(name: string): Promise<Blob | undefined>;
  /** Opens a file, or makes it. @throws FileInUseError while another tab writes it */
  append(name: string): Promise<Appender>;
  rename(from: string, to: string): Promise<void>;
  /** Does nothing where there is no such file. @throws FileInUseError while it is open for writing */
  remove(name: string): Promise<void>;
  /** Runs `work` while no other tab is within the same name; waits its turn until `signal` ends the wait. */
  exclusively<T>(name: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
  /** What this site uses and may use on this disk, in bytes. */
  estimate(): Promise<{ readonly usage: number; readonly quota: number }>;
  /** To be called before so many bytes are written: what this page keeps only to save time goes where there is no room for both. */
  readonly makeRoom?: (bytes: number) => Promise<void>;
}

/** The disk, or this site's share of it, is full. Everything written before stays. */
export class StorageFullError extends Error {
  override readonly name = 'StorageFullError';

  /** @param needed bytes still to be written @param free bytes there are */
  constructor(
    readonly needed: number,
    readonly free: number,
  ) {
    super(`${megabytes(needed)} MB are needed and the browser gives this page ${megabytes(free)} MB. Delete stored models or free space on the disk, then go on; what is stored already is kept.`);
  }
}

/** Another tab writes the file. */
export class FileInUseError extends Error {
  override readonly name = 'FileInUseError';
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);

/**
 * The folder `name` at the root of the OPFS, made if it is missing. Only a dedicated worker may write there: of the two ways to write, only access
 * handles leave what they wrote on disk when the tab dies, and only workers have them.
 * @throws DOMException where the browser stores nothing (some private windows).
 */
export async function openOpfsDirectory(name: string, storage: StorageManager = navigator.storage): Promise<Directory> {
  const folder = await (await storage.getDirectory()).getDirectoryHandle(name, { create: true });
  const fileHandle = async (file: string, create = false): Promise<OpfsFile | undefined> => {
    try {
      return (await folder.getFileHandle(file, { create })) as OpfsFile;
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return undefined;
      throw error;
    }
  };
  return {
    async list() {
      const files: StoredFile[] = [];
      for await (const handle of folder.values()) {
        if (handle.kind === 'file') files.push({ name: handle.name, bytes: (await handle.getFile()).size });
      }
      return files;
    },
    read: async (file) => (await fileHandle(file))?.getFile(),
    async append(file) {
      return appendTo(await inUse(file, async () => (await fileHandle(file, true))!.createSyncAccessHandle()));
    },
    async rename(from, to) {
      await (await fileHandle(from))!.move(to);
    },
    async remove(file) {
      await inUse(file, () => folder.removeEntry(file)).catch((error: unknown) => {
        if (!isNamed(error, 'NotFoundError')) throw error;
      });
    },
    exclusively: (file, signal, work) => navigator.locks.request(`${name}/${file}`, signal ? { signal } : {}, work),
    async estimate() {
      const { usage = 0, quota = 0 } = await storage.estimate();
      return { usage, quota };
    },
  };
}

/** Of the file system specification, and in Chrome 110, Firefox 111 and Safari 16; not in the types. */
interface OpfsFile extends FileSystemFileHandle {
  move(name: string): Promise<void>;
}

function appendTo(access: FileSystemSyncAccessHandle): Appender {
  let bytes = access.getSize();
  return {
    get bytes() {
      return bytes;
    },
    write(piece) {
      let count = 0;
      try {
        count = access.write(piece, { at: bytes });
      } catch (error) {
        if (!isNamed(error, 'QuotaExceededError')) throw error;
      }
      // A full disk shows as a write refused or cut short, whatever the browser promised before.
      if (count < piece.length) {
        access.truncate(bytes);
        throw new StorageFullError(piece.length, 0);
      }
      bytes += count;
    },
    restart() {
      access.truncate(0);
      bytes = 0;
    },
    close() {
      access.flush();
      access.close();
    },
  };
}

async function inUse<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isNamed(error, 'NoModificationAllowedError')) throw new FileInUseError(`${file} is in use by another tab of this page.`);
    throw error;
  }
}

export const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;
