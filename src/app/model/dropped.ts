/** @file What was dropped or chosen: the files of folders with their places in them, and whether they are a model or data. */
import type { NamedFile } from '../../worker/protocol.ts';

const isModelFile = (path: string): boolean => /\.(safetensors|zip)$|\.safetensors\.index\.json$|(^|\/)(config|adapter_config|tokenizer|tokenizer_config|generation_config)\.json$/i.test(path);

/** A folder, a zip, or files of which one can only belong to a model; everything else is data. */
export const isModel = (paths: readonly string[]): boolean => paths.some((path) => path.includes('/') || isModelFile(path));

/** Bytes at the end of a zip in which its list of names is looked for; the list of an export takes one or two kB. */
const zipList = 65_536;

const has = (paths: readonly string[], name: string): boolean => paths.some((path) => path === name || path.endsWith(`/${name}`));

/**
 * Whether files are certain to go onto the open model and leave its runs: an adapter, or a run that says it was made on a model of this name. Of a zip
 * only the names in it are looked at; the engine reads the rest and has the last word.
 */
export async function goesOnto(files: readonly NamedFile[], modelName: string | undefined): Promise<boolean> {
  const paths = files.map(({ path }) => path);
  if (has(paths, 'adapter_config.json')) return true;
  const zip = files.find(({ path }) => /\.zip$/i.test(path));
  if (zip !== undefined) return (await zip.file.slice(-zipList).text()).includes('adapter_config.json');
  const run = files.find(({ path }) => has([path], 'run.json'));
  if (run === undefined) return false;
  try {
    const told: unknown = JSON.parse(await run.file.text());
    return typeof told === 'object' && told !== null && 'model' in told && told.model === modelName;
  } catch {
    return false;
  }
}

/** What to call a set of files: the folder that holds them all, the only file, or their number. */
export function nameOfFiles(paths: readonly string[]): string {
  const [first = ''] = paths;
  const folder = first.includes('/') ? first.slice(0, first.indexOf('/')) : undefined;
  if (folder !== undefined && paths.every((path) => path.startsWith(`${folder}/`))) return folder;
  return paths.length === 1 ? first : `${paths.length} files`;
}

/** Files of an input element, which gives the place in a chosen folder as `webkitRelativePath`. */
export const namedFiles = (files: Iterable<File>): readonly NamedFile[] => Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));

const fileOf = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => entry.file(resolve, reject));

/** A folder hands out its entries in portions, until an empty one. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<readonly FileSystemEntry[]> {
  const reader = folder.createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const portion = await new Promise<readonly FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return entries;
    entries.push(...portion);
  }
}

async function walk(entry: FileSystemEntry): Promise<readonly NamedFile[]> {
  if (entry.isFile) return [{ path: entry.fullPath.replace(/^\//, ''), file: await fileOf(entry as FileSystemFileEntry) }];
  const inside = await entriesOf(entry as FileSystemDirectoryEntry);
  return (await Promise.all(inside.map(walk))).flat();
}

/** All files of a drop, folders walked through. The items must be read while the event lasts, so call it at once. */
export async function readDrop(transfer: DataTransfer): Promise<readonly NamedFile[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  // A drag that the browser makes no entries for, as from another program, still has its files.
  if (entries.length === 0) return namedFiles(transfer.files);
  return (await Promise.all(entries.map(walk))).flat();
}
