/** @file Writes the files of a run, into a folder or for a download, and offers them if reading them back has found nothing wrong. */
import type { ExportOptions, ExportResult, RunId } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { useLab, type Exported } from '../store.ts';

const { setState: set, getState: get } = useLab;

export const allPassed = ({ verification }: Pick<ExportResult, 'verification'>): boolean => verification.every(({ passed }) => passed);

/** Milliseconds after which the address of a download is given back; the browser has taken the file by then. */
const addressLife = 60_000;

/** Saves a file as the browser saves downloads. */
export function download(file: File, fileName: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), addressLife);
}

/** The part of the File System Access API that the page uses; not every browser has it. */
interface FolderPicker {
  showDirectoryPicker(options: { readonly id: string; readonly mode: 'readwrite' }): Promise<FileSystemDirectoryHandle>;
}

const hasFolders = (scope: object): scope is FolderPicker => 'showDirectoryPicker' in scope;

/** This browser lets a page write into a folder that the person chooses. */
export const canSaveToFolder = (): boolean => hasFolders(globalThis);

/** The folder the person chose; undefined when none was. */
async function chooseFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  const scope: object = globalThis;
  if (!hasFolders(scope)) return undefined;
  try {
    return await scope.showDirectoryPicker({ id: 'export', mode: 'readwrite' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}

const different = 'Reading the files back found a difference, so they are not offered. The run and its weights are as they were.';

/** Writes, verifies, and downloads where there is no folder; what failed is named and nothing is offered then. */
export async function writeExport(run: RunId, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<void> {
  const started: Exported = { run, options, folder: folder?.name, state: 'writing', progress: undefined, result: undefined, message: undefined };
  set({ exported: started });
  try {
    const result = await lab().exportRun(run, options, folder);
    const passed = allPassed(result);
    set({ exported: { ...started, state: passed ? 'done' : 'failed', result, message: passed ? undefined : different } });
    if (passed && result.file !== undefined) download(result.file, result.fileName);
  } catch (error) {
    const cancelled = get().exported?.state === 'cancelled';
    set({ exported: { ...started, state: cancelled ? 'cancelled' : 'failed', message: cancelled ? undefined : sentence(error) } });
  }
}

/** Asks for a folder first, then writes into it. */
export async function saveToFolder(run: RunId, options: ExportOptions): Promise<void> {
  try {
    const folder = await chooseFolder();
    if (folder !== undefined) await writeExport(run, options, folder);
  } catch (error) {
    set({ exported: { run, options, folder: undefined, state: 'failed', progress: undefined, result: undefined, message: sentence(error) } });
  }
}

/** Ends the export that is going on; what was written of it is removed. */
export async function cancelExport(): Promise<void> {
  set(({ exported }) => ({ exported: exported && { ...exported, state: 'cancelled' } }));
  await lab().cancelExport();
}
