/**
 * @file Models from the Hugging Face Hub by name and revision. What is needed of a repository is listed first, with sizes and hashes and what of it
 * is stored already, so that a person can decide; then it is downloaded into the cache and opened from there.
 *
 * API: `{host}/api/models/{repo}/revision/{revision}?blobs=true` lists files with sizes, git blob ids and, for large files, SHA-256;
 * `{host}/{repo}/resolve/{commit}/{path}` is a file (huggingface.co/docs/hub/api). Everything is asked for by commit, which never changes.
 */
import type { ModelCache, ModelFile, ModelRecord } from '../storage/modelCache.ts';
import type { JsonObject, ModelFiles } from './folder.ts';
import { isJsonObject, readJson } from './folder.ts';
import { FormatError } from './formatError.ts';
import type { DownloadPhase } from './hubDownload.ts';
import { downloadFile, requestWithRetries } from './hubDownload.ts';

export const HUB = 'https://huggingface.co';

export interface HubSource {
  /** Origin of the Hub or of a mirror; `HUB` unless told otherwise. */
  readonly host?: string;
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly fetch: typeof globalThis.fetch;
  readonly cache: ModelCache;
  readonly signal?: AbortSignal;
}

export interface HubProgress {
  readonly phase: DownloadPhase;
  readonly path: string;
  /** Of this file. */
  readonly fileBytes: number;
  readonly fileTotal: number;
  /** Of all files. */
  readonly bytes: number;
  readonly total: number;
}

/** What opening a model takes, to be shown before anything large is downloaded. */
export interface HubPlan extends ModelRecord {
  /** Of all its files. */
  readonly bytes: number;
  /** Still to be downloaded; parts of files count as stored. */
  readonly missingBytes: number;
  /** The Hub could not be reached, and this is what it said last time. */
  readonly offline: boolean;
}

const INDEX = 'model.safetensors.index.json';
const ADAPTER = ['adapter_config.json', 'adapter_model.safetensors'];
/** Files beside the weights that are read or handed on in exports. */
const SMALL_FILE = /^(config|generation_config|special_tokens_map|added_tokens)\.json$|^tokenizer[^/]*\.(json|model)$|^chat_template\.jinja$/u;

/**
 * Lists what a model takes.
 * @throws FormatError when the repository or revision is not there, is gated or has no weights that can be read, or the Hub cannot be reached and the
 * model is not stored; the signal's reason when it is aborted.
 */
export async function planHubModel(source: HubSource): Promise<HubPlan> {
  const { repo, revision, cache } = source;
  if (!/^[\w.-]+(\/[\w.-]+)?$/u.test(repo) || repo.includes('..')) throw new FormatError(repo, '', 'is no name of a repository; write owner/name, as in HuggingFaceTB/SmolLM2-135M');
  const known = await cache.find(repo, revision);
  // A stored commit needs no listing: it is what it was.
  if (known?.commit === revision) return planOf(cache, known, false);
  let listing: { commit: string; files: ModelFile[] };
  try {
    listing = await list(source, known !== undefined);
  } catch (error) {
    if (known?.complete === true && error instanceof FormatError && error.where === UNREACHABLE) return planOf(cache, known, true);
    throw error;
  }
  const record: ModelRecord = { repo, revision, commit: listing.commit, files: await neededFiles(source, listing.commit, listing.files) };
  return planOf(cache, record, false);
}

async function planOf(cache: ModelCache, { repo, revision, commit, files }: ModelRecord, offline: boolean): Promise<HubPlan> {
  let missingBytes = 0;
  for (const file of files) {
    const stored = (await cache.file(file))?.size ?? (await cache.part(file))?.size ?? 0;
    missingBytes += file.bytes - Math.min(stored, file.bytes);
  }
  return { repo, revision, commit, files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), missingBytes, offline };
}

/**
 * Downloads what is missing, goes on with what was interrupted, and returns the files as a folder. Each file is checked against its hash before it
 * counts as stored. Small files are copied into memory, so that the model may be deleted from the cache while it is open.
 * @throws FormatError | StorageFullError; the signal's reason when it is aborted. What has arrived stays and is not downloaded again.
 */
export async function downloadHubModel(source: HubSource, plan: HubPlan, onProgress?: (progress: HubProgress) => void): Promise<ModelFiles> {
  const { cache } = source;
  await cache.assertRoom(plan.missingBytes);
  await cache.record(plan);
  const files = new Map<string, Blob>();
  let before = 0;
  for (const file of plan.files) {
    const blob = await downloadFile({
      url: urlOf(source, plan.commit, file.path),
      file,
      source,
      onProgress: (phase, fileBytes) => {
        onProgress?.({ phase, path: file.path, fileBytes, fileTotal: file.bytes, bytes: before + fileBytes, total: plan.bytes });
      },
      refuse: (response) => refusal(source, response, file.path),
    });
    files.set(file.path, file.path.endsWith('.safetensors') ? blob : new Blob([await blob.arrayBuffer()]));
    before += file.bytes;
  }
  return files;
}

/** `planHubModel`, then `downloadHubModel`. */
export async function openHubModel(source: HubSource & { readonly onProgress?: (progress: HubProgress) => void }): Promise<ModelFiles> {
  return downloadHubModel(source, await planHubModel(source), source.onProgress);
}

const urlOf = ({ host = HUB, repo }: HubSource, commit: string, path: string): string => `${host}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;

async function list(source: HubSource, hasCopy: boolean): Promise<{ commit: string; files: ModelFile[] }> {
  const { host = HUB, repo, revision } = source;
  const url = `${host}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  let body: unknown;
  try {
    // With a copy at hand nobody waits for a Hub that does not answer.
    const response = await requestWithRetries(source, url, {}, hasCopy ? 0 : undefined);
    if (!response.ok) throw refusal(source, response, undefined);
    body = await response.json();
  } catch (error) {
    if (error instanceof FormatError || source.signal?.aborted === true) throw error;
    throw unreachable(source, error);
  }
  const { sha, siblings } = isJsonObject(body) ? body : {};
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/u.test(sha) || !Array.isArray(siblings)) throw new FormatError(repo, host, 'the answer is no listing of a repository; is the address that of a Hub?');
  return { commit: sha, files: siblings.filter(isJsonObject).flatMap(fileOf) };
}

/** A file as the listing has it; entries without a size or a hash are of another kind. */
function fileOf({ rfilename, size, blobId, lfs }: JsonObject): ModelFile[] {
  if (typeof rfilename !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return [];
  const sha256 = isJsonObject(lfs) ? lfs['sha256'] : undefined;
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/u.test(sha256)) return [{ path: rfilename, bytes: size, digest: `sha256-${sha256}` }];
  return typeof blobId === 'string' && /^[0-9a-f]{40}$/u.test(blobId) ? [{ path: rfilename, bytes: size, digest: `git-${blobId}` }] : [];
}

/** Configuration, tokenizer and weights at the root; the index is downloaded to learn its shards. */
async function neededFiles(source: HubSource, commit: string, listed: readonly ModelFile[]): Promise<ModelFile[]> {
  const { repo } = source;
  const byPath = new Map(listed.map((file) => [file.path, file]));
  const small = listed.filter(({ path }) => SMALL_FILE.test(path));
  const root = [...byPath.keys()].filter((path) => path.endsWith('.safetensors') && !path.includes('/'));
  if (!byPath.has('config.json') && ADAPTER.every((path) => byPath.has(path))) return [...small, ...ADAPTER.map((path) => byPath.get(path)!)];
  if (!byPath.has('config.json')) throw new FormatError(repo, 'config.json', 'is not in the repository; it holds no model that transformers would open');
  const models = root.filter((path) => path !== ADAPTER[1]);
  const single = byPath.get('model.safetensors') ?? (byPath.has(INDEX) || models.length !== 1 ? undefined : byPath.get(models[0]!));
  if (single) return [...small, single];
  const index = byPath.get(INDEX);
  if (!index) throw new FormatError(repo, 'model.safetensors', `is not in the repository, and neither is ${INDEX}${otherWeights([...byPath.keys()])}`);
  const response = await requestWithRetries(source, urlOf(source, commit, INDEX), {}).catch((error: unknown) => {
    throw source.signal?.aborted === true ? error : unreachable(source, error);
  });
  if (!response.ok) throw refusal(source, response, INDEX);
  const weightMap = (await readJson(new Map([[INDEX, await response.blob()]]), INDEX))?.['weight_map'];
  const names = isJsonObject(weightMap) ? [...new Set(Object.values(weightMap))] : [];
  const shards = names.map((name) => {
    const shard = byPath.get(String(name));
    if (!shard) throw new FormatError(repo, INDEX, `names the file ${String(name)}, which is not in the repository`);
    return shard;
  });
  return [...small, index, ...shards];
}

function otherWeights(paths: readonly string[]): string {
  if (paths.some((path) => /\.(bin|pt|pth|ckpt|h5|msgpack)$/u.test(path))) return '. Its weights are pickles or of another framework, which are not read; look for a revision or a copy with safetensors';
  if (paths.some((path) => path.endsWith('.gguf'))) return '. GGUF files hold quantised weights for inference; take the repository that they were made from';
  return '';
}

const UNREACHABLE = 'the Hub';

function unreachable({ host = HUB, repo, revision }: HubSource, error: unknown): FormatError {
  const why = error instanceof Error ? error.message : String(error);
  return new FormatError(`${repo} ${revision}`, UNREACHABLE, `${host} could not be reached (${why}). Check the connection and try again; or download the files elsewhere and drop the folder here`);
}

/** What an answer other than the one hoped for means. */
function refusal({ host = HUB, repo, revision }: HubSource, response: Response, path: string | undefined): FormatError {
  const { status } = response;
  const code = response.headers.get('X-Error-Code');
  const byHand = `open ${host}/${repo} in your browser, download the files by hand and drop the folder here`;
  if (status === 401 || status === 403) {
    if (path !== undefined || code === 'GatedRepo') return new FormatError(repo, path ?? '', `is gated or private: its owner asks for consent or an account, which Gimbal has not. Accept the terms there, or ${byHand}`);
    return new FormatError(repo, '', `there is no public repository of that name on ${host}. Check the spelling, owner/name; if it is private or gated, ${byHand}`);
  }
  if (status === 404 && path !== undefined) return new FormatError(repo, path, 'is listed and not there; the repository changed just now. Try again');
  if (status === 404 && code === 'RevisionNotFound') return new FormatError(repo, revision, 'there is no branch, tag or commit of that name; try main');
  if (status === 404) return new FormatError(repo, '', `there is no repository of that name on ${host}. Check the spelling, owner/name`);
  return new FormatError(repo, path ?? UNREACHABLE, `${host} answered ${status}. Try again later; what has arrived is kept`);
}
