/** @file A folder on the person's disk that they chose for an export. */
import { isNamed } from './directory.ts';

/**
 * Makes a folder inside the chosen one and gives what writes files into it.
 * @throws DOMException when the person takes the permission back, or a folder of that name has files in it already
 */
export async function folderWriter(chosen: FileSystemDirectoryHandle, name: string): Promise<(path: string, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>) => Promise<Blob>> {
  const folder = await chosen.getDirectoryHandle(name, { create: true });
  for await (const [existing] of folder.entries()) throw new Error(`${chosen.name}/${name} is there already and holds ${existing}. Nothing was written; choose another folder, or move that one away.`);
  return async (path, pieces) => {
    const handle = await folder.getFileHandle(path, { create: true });
    const file = await handle.createWritable();
    try {
      for await (const piece of pieces) await file.write(piece);
    } catch (error) {
      await file.abort();
      await folder.removeEntry(path);
      if (isNamed(error, 'QuotaExceededError')) throw new Error(`The disk is full: ${path} could not be written into ${chosen.name}/${name}. The run stays as it is; free space, then export again.`, { cause: error });
      throw error;
    }
    await file.close();
    return handle.getFile();
  };
}
