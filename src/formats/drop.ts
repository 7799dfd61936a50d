/**
 * @file What a person dropped, as one model or one adapter: loose files, a folder, several files at once, or a zip of any of them, with whatever
 * else lies beside them. Walking the browser's drop event is the page's job.
 */
import type { JsonObject, ModelFiles } from './folder.ts';
import { readJson } from './folder.ts';
import { FormatError } from './formatError.ts';
import { unzipFiles } from './zip.ts';

export interface Dropped {
  /** A model folder, or an adapter in PEFT's or MLX's files that needs its base model beside it. */
  readonly kind: 'model' | 'adapter';
  /** The folder's or the archive's name, for display. */
  readonly name: string;
  /** Paths inside the folder. */
  readonly files: ModelFiles;
  /** The run that this lab exported, from its run.json. */
  readonly run: JsonObject | undefined;
  /** base_model_name_or_path of an adapter, where it says one. */
  readonly baseModel: string | undefined;
}

const ADAPTER_CONFIG = 'adapter_config.json';
const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
/** As MLX names them, beside a configuration of the same name as PEFT's. */
const MLX_ADAPTER_WEIGHTS = 'adapters.safetensors';

/**
 * Says what was dropped; weights are not read.
 * @param dropped path as the browser gives it (`folder/config.json`, or a bare name) and contents
 * @throws FormatError saying what is missing and what to drop with it.
 */
export async function recogniseFiles(dropped: readonly (readonly [path: string, contents: Blob])[]): Promise<Dropped> {
  const kept = dropped.filter(([path]) => !isLitter(path));
  if (kept.length === 0) throw new FormatError('the drop', '', 'it holds no files');
  const archives = kept.filter(([path]) => /\.zip$/iu.test(path));
  if (archives.length > 0) {
    if (kept.length > 1) throw new FormatError(archives[0]![0], '', 'was dropped with other files; drop an archive alone');
    const [path, archive] = archives[0]!;
    const unpacked = [...(await unzipFiles(archive, path))].filter(([entry]) => !isLitter(entry));
    return recognise(new Map(unpacked), baseName(path).replace(/\.zip$/iu, ''));
  }
  const files = new Map<string, Blob>();
  for (const [path, contents] of kept) {
    if (files.has(path)) throw new FormatError(path, '', 'was dropped twice; drop one model at a time');
    files.set(path, contents);
  }
  return recognise(files, undefined);
}

async function recognise(all: ModelFiles, archiveName: string | undefined): Promise<Dropped> {
  const root = rootOf(all);
  const files = root.files;
  const name = archiveName ?? (root.folder === '' ? 'Dropped files' : baseName(root.folder));
  const run = await readJson(files, 'run.json');
  const weights = [...files.keys()].find((path) => /^[^/]+\.safetensors(\.index\.json)?$/u.test(path) && path !== ADAPTER_WEIGHTS);
  const isModel = files.has('config.json') && weights !== undefined;
  if (!isModel && (files.has(ADAPTER_CONFIG) || files.has(ADAPTER_WEIGHTS))) {
    const config = await readJson(files, ADAPTER_CONFIG);
    if (config === undefined) throw missing(ADAPTER_CONFIG, ADAPTER_WEIGHTS, files);
    if (!files.has(ADAPTER_WEIGHTS) && !files.has(MLX_ADAPTER_WEIGHTS)) {
      const pickled = files.has('adapter_model.bin') ? '. adapter_model.bin is a PyTorch pickle, which can run code and is not read; save the adapter as safetensors' : '';
      throw missing(ADAPTER_WEIGHTS, ADAPTER_CONFIG, files, pickled);
    }
    const base = config['base_model_name_or_path'];
    return { kind: 'adapter', name, files, run, baseModel: typeof base === 'string' && base !== '' ? base : undefined };
  }
  if (!files.has('config.json')) {
    if (weights === undefined) throw notAModel(all);
    throw missing('config.json', weights, files);
  }
  if (weights === undefined) throw missing('model.safetensors', 'config.json', files, unreadable(files));
  return { kind: 'model', name, files, run, baseModel: undefined };
}

/** The shallowest folder that has a configuration, or all files where none has. */
function rootOf(files: ModelFiles): { files: ModelFiles; folder: string } {
  const folders = (name: string): string[] => [...files.keys()].filter((path) => baseName(path) === name).map((path) => path.slice(0, -name.length));
  const candidates = [...new Set([...folders('config.json'), ...folders(ADAPTER_CONFIG)])];
  if (candidates.length === 0) {
    const top = commonFolder([...files.keys()]);
    return { files: within(files, top), folder: top.slice(0, -1) };
  }
  const depth = (folder: string): number => folder.split('/').length;
  const shallowest = Math.min(...candidates.map(depth));
  const roots = candidates.filter((folder) => depth(folder) === shallowest);
  if (roots.length > 1) throw new FormatError('the drop', '', `it holds ${roots.length} models, in ${roots.slice(0, 3).join(', ')}; drop one of the folders`);
  return { files: within(files, roots[0]!), folder: roots[0]!.slice(0, -1) };
}

const within = (files: ModelFiles, folder: string): ModelFiles => new Map([...files].filter(([path]) => path.startsWith(folder)).map(([path, contents]) => [path.slice(folder.length), contents]));

function commonFolder(paths: readonly string[]): string {
  const first = paths[0]?.split('/').slice(0, -1) ?? [];
  const shared = first.findIndex((part, i) => paths.some((path) => path.split('/').slice(0, -1)[i] !== part));
  return first.slice(0, shared < 0 ? first.length : shared).map((part) => `${part}/`).join('');
}

const missing = (file: string, beside: string, files: ModelFiles, more = ''): FormatError =>
  new FormatError(file, '', `it is missing; ${beside} needs it${more}. Drop the whole folder, or all its files at once. Dropped: ${some(files)}`);

function notAModel(files: ModelFiles): FormatError {
  return new FormatError('the drop', '', `it is no model: a model has config.json and .safetensors weights${unreadable(files)}. Dropped: ${some(files)}`);
}

/** What else the weights may be in. */
function unreadable(files: ModelFiles): string {
  const has = (ending: RegExp): boolean => [...files.keys()].some((path) => ending.test(path));
  if (has(/\.gguf$/iu)) return '. GGUF files hold quantised weights for inference; drop the safetensors folder that they were made from';
  if (has(/\.onnx$/iu)) return '. ONNX files are for inference; drop the safetensors folder that they were made from';
  if (has(/\.(bin|pt|pth|ckpt)$/iu)) return '. Weights in PyTorch pickles are not read, they can run code; save them as safetensors';
  return '';
}

const some = (files: ModelFiles): string => [...files.keys()].slice(0, 8).join(', ') + (files.size > 8 ? `, and ${files.size - 8} more` : '');
const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
/** What operating systems leave in folders and archives. */
const isLitter = (path: string): boolean => /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX\/.*|\.git\/.*)$/u.test(path) || path.endsWith('/');
