/**
 * @file A Hugging Face model folder as named files: what a user drops, what the Hub serves, what an export holds.
 * What config.json means is for models/ to say; here it only has to be a JSON object.
 */
import { FormatError, show } from './formatError.ts';
import { assertFinite, openSafetensors, readRawTensor, readTensor, streamSafetensors, tensorBytes } from './safetensors.ts';
import type { LazyTensor, RawTensor, SafetensorsFile, TensorEntry, TensorToWrite } from './safetensors.ts';

/** Path inside the folder -> contents. A File is a Blob; nothing is read before it is needed. */
export type ModelFiles = ReadonlyMap<string, Blob>;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The tensors of one file or of all shards, as if they were one. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Widened to float32, flat, row-major. @throws FormatError naming file, tensor and dtype, or the first element that is not finite. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** As stored, for uploads that keep half precision; numbers of a float dtype are checked as in `read`. */
  readRaw(name: string): Promise<RawTensor>;
}

export interface ModelFolder {
  readonly config: JsonObject;
  /** `{}` where the file is missing; the same holds for `tokenizerConfig`. */
  readonly generationConfig: JsonObject;
  readonly tokenizerConfig: JsonObject;
  /** Parsed tokenizer.json; undefined where the model has none. */
  readonly tokenizerJson: JsonObject | undefined;
  /** chat_template.jinja, else the (default) template of tokenizer_config.json. */
  readonly chatTemplate: string | undefined;
  readonly weights: Weights;
  readonly files: ModelFiles;
}

const INDEX = 'model.safetensors.index.json';

/**
 * Reads the small files and the headers of the weights.
 * @throws FormatError naming the file that is missing or wrong.
 */
export async function readModelFolder(files: ModelFiles): Promise<ModelFolder> {
  const config = await readJson(files, 'config.json');
  if (config === undefined) throw new FormatError('config.json', '', `it is missing; a model folder needs it beside the weights. The files here: ${listed([...files.keys()])}`);
  const tokenizerConfig = (await readJson(files, 'tokenizer_config.json')) ?? {};
  return {
    config,
    generationConfig: (await readJson(files, 'generation_config.json')) ?? {},
    tokenizerConfig,
    tokenizerJson: await readJson(files, 'tokenizer.json'),
    chatTemplate: (await files.get('chat_template.jinja')?.text()) ?? configuredTemplate(tokenizerConfig['chat_template']),
    weights: await openWeights(files),
    files,
  };
}

/** model.safetensors, or the shards that the index names, or the only .safetensors file there is. */
async function openWeights(files: ModelFiles): Promise<Weights> {
  // One shard of several is not a model.
  const candidates = [...files.keys()].filter((path) => /^[^/]+\.safetensors$/u.test(path) && !/-\d{5}-of-(?!00001)\d{5}\.safetensors$/u.test(path));
  const single = files.has('model.safetensors') ? 'model.safetensors' : !files.has(INDEX) && candidates.length === 1 ? candidates[0] : undefined;
  if (single !== undefined) return joinShards([await openSafetensors(files.get(single)!, single)]);

  const index = await readJson(files, INDEX);
  if (index === undefined) {
    const pickled = [...files.keys()].some((path) => path.endsWith('.bin') || path.endsWith('.pt') || path.endsWith('.pth'));
    const advice = pickled ? 'Weights in PyTorch pickles are not read, they can run code; save them as safetensors' : `The files here: ${listed([...files.keys()])}`;
    throw new FormatError('model.safetensors', '', `it is missing, and so is ${INDEX}. ${advice}`);
  }
  const weightMap = index['weight_map'];
  if (!isJsonObject(weightMap)) throw new FormatError(INDEX, 'weight_map', 'is missing');
  const missing = new Set<string>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string') throw new FormatError(INDEX, `tensor ${show(tensor)}`, `its file is ${show(shard)}, not a name`);
    if (!files.has(shard)) missing.add(shard);
  }
  if (missing.size > 0) throw new FormatError(INDEX, '', `names ${listed([...missing])}, missing here; put all shards beside the index. The files here: ${listed([...files.keys()])}`);
  const shards = new Map<string, SafetensorsFile>();
  for (const [tensor, shard] of Object.entries(weightMap) as [string, string][]) {
    const opened = shards.get(shard) ?? (await openSafetensors(files.get(shard)!, shard));
    shards.set(shard, opened);
    if (!opened.tensors.has(tensor)) throw new FormatError(shard, `tensor ${show(tensor)}`, `is not in it, though ${INDEX} says so`);
  }
  return joinShards([...shards.values()]);
}

function joinShards(shards: readonly SafetensorsFile[]): Weights {
  const tensors = new Map<string, TensorEntry>();
  const shardOf = new Map<string, SafetensorsFile>();
  for (const shard of shards) {
    for (const [name, entry] of shard.tensors) {
      const other = shardOf.get(name);
      if (other !== undefined) throw new FormatError(shard.fileName, `tensor ${show(name)}`, `is in ${other.fileName} too`);
      tensors.set(name, entry);
      shardOf.set(name, shard);
    }
  }
  const shardWith = (name: string): SafetensorsFile => {
    const shard = shardOf.get(name) ?? shards[0];
    if (shard === undefined) throw new FormatError(INDEX, '', 'it names no file');
    return shard;
  };
  return {
    tensors,
    metadata: new Map(shards.flatMap((shard) => [...shard.metadata])),
    read: async (name) => {
      const shard = shardWith(name);
      const values = await readTensor(shard, name);
      assertFinite({ dtype: 'F32', bytes: new Uint8Array(values.buffer) }, name, shard.fileName);
      return values;
    },
    readRaw: async (name) => {
      const shard = shardWith(name);
      const raw = await readRawTensor(shard, name);
      assertFinite(raw, name, shard.fileName);
      return raw;
    },
  };
}

/** What an export puts into a folder beside the weights. */
export interface ModelExport {
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
  /** Files copied as they were read: tokenizer.json, special_tokens_map.json, ... */
  readonly tokenizerFiles: ModelFiles;
  readonly tokenizerConfig?: JsonObject | undefined;
  /** Written to chat_template.jinja and into tokenizer_config.json: older readers know only the one, newer prefer the other. */
  readonly chatTemplate?: string | undefined;
  readonly tensors: Iterable<TensorToWrite | LazyTensor>;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** README.md, the model card. */
  readonly readme: string;
}

/** Makes a Blob of pieces: on disk in a browser (`Scratch.writeFile` in storage/), else in memory. */
export type WriteFile = (path: string, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>) => Promise<Blob>;

/** transformers 5 nests the base of the rotary embedding in `rope_parameters` and reads it there; mlx-lm and transformers 4 read it at the top. */
function withRopeTheta(config: JsonObject): JsonObject {
  const parameters = config['rope_parameters'];
  const theta = isJsonObject(parameters) ? parameters['rope_theta'] : undefined;
  return typeof theta === 'number' && config['rope_theta'] === undefined ? { ...config, rope_theta: theta } : config;
}

/** Larger weights are split, as transformers does, which counts a gigabyte as 10^9 bytes. */
const SHARD_BYTES = 2e9;

/**
 * The files of a folder that transformers opens. With tied embeddings lm_head.weight is left out. Over `shardBytes` of tensors the weights become
 * several files with an index.
 */
export async function writeModelFolder(model: ModelExport, { shardBytes = SHARD_BYTES, writeFile = inMemory }: { shardBytes?: number; writeFile?: WriteFile } = {}): Promise<ModelFiles> {
  const { config, generationConfig, tokenizerFiles, tokenizerConfig, chatTemplate, tensors, metadata, readme } = model;
  const isTied = config['tie_word_embeddings'] === true;
  const files = new Map<string, Blob>();
  const json = (value: JsonObject): Blob => new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' });
  files.set('README.md', new Blob([readme], { type: 'text/markdown' }));
  files.set('config.json', json(withRopeTheta(config)));
  if (generationConfig !== undefined) files.set('generation_config.json', json(generationConfig));
  for (const [path, blob] of tokenizerFiles) files.set(path, blob);
  if (tokenizerConfig !== undefined || chatTemplate !== undefined) {
    files.set('tokenizer_config.json', json({ ...tokenizerConfig, ...(chatTemplate === undefined ? {} : { chat_template: chatTemplate }) }));
  }
  if (chatTemplate !== undefined) files.set('chat_template.jinja', new Blob([chatTemplate]));

  const shards = splitIntoShards([...tensors].filter(({ name }) => !isTied || name !== 'lm_head.weight'), shardBytes);
  const weightMap: [tensor: string, shard: string][] = [];
  for (const [i, shard] of shards.entries()) {
    const number = (value: number): string => String(value).padStart(5, '0');
    const path = shards.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    for (const { name } of shard) weightMap.push([name, path]);
    files.set(path, await writeFile(path, streamSafetensors(shard, metadata)));
  }
  if (shards.length > 1) {
    const totalSize = shards.flat().reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    files.set(INDEX, json({ metadata: { total_size: totalSize }, weight_map: Object.fromEntries(weightMap.sort(([a], [b]) => (a < b ? -1 : 1))) }));
  }
  return files;
}

/** In the order given; a tensor over the limit is alone in its shard. */
function splitIntoShards<Tensor extends TensorToWrite | LazyTensor>(tensors: readonly Tensor[], limit: number): Tensor[][] {
  const shards: Tensor[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (filled > 0 && filled + bytes > limit) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
  }
  return shards;
}

/** The `WriteFile` of places without a disk. */
export async function inMemory(_: string, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces) parts.push(piece);
  return new Blob(parts);
}

/** Levels of nesting in a JSON file. Real ones have fewer than ten; what reads or prints them may recurse. */
const DEEPEST = 100;

function isDeeperThan(value: object, levels: number): boolean {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((item) => Object.values(item).filter((child: unknown): child is object => typeof child === 'object' && child !== null));
  }
  return false;
}

/** A file that holds a JSON object; undefined where it is missing. @throws FormatError with the JSON error. */
export async function readJson(files: ModelFiles, path: string): Promise<JsonObject | undefined> {
  const text = await files.get(path)?.text();
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(path, '', `not valid JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isJsonObject(value)) throw new FormatError(path, '', 'not a JSON object');
  if (isDeeperThan(value, DEEPEST)) throw new FormatError(path, '', `nested deeper than ${DEEPEST} levels; no model's file is, it is damaged or made to do harm`);
  return value;
}

/** A string, or a list of {name, template} of which "default" counts. */
function configuredTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const template: unknown = value.filter(isJsonObject).find((item) => item['name'] === 'default')?.['template'];
  return typeof template === 'string' ? template : undefined;
}

export const isJsonObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.slice(0, 12).join(', ') + (names.length > 12 ? `, and ${names.length - 12} more` : ''));
