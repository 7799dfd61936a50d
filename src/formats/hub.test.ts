/** @file Opening models by name from a server laid out like the Hub, on good days and bad. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HubServer } from '../../e2e/hub-server.ts';
import { commitOf, startHub } from '../../e2e/hub-server.ts';
import { StorageFullError } from '../storage/directory.ts';
import { ModelCache } from '../storage/modelCache.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import { readModelFolder, writeModelFolder } from './folder.ts';
import type { HubProgress, HubSource } from './hub.ts';
import { openHubModel, planHubModel } from './hub.ts';
import { encodeFloats, writeSafetensors } from './safetensors.ts';

const tensor = (name: string, length: number): { name: string; dtype: 'F32'; shape: number[]; bytes: Uint8Array<ArrayBuffer> } =>
  ({ name, dtype: 'F32', shape: [length], bytes: encodeFloats(Float32Array.from({ length }, (_, i) => i % 17), 'F32') });
const weights = new Uint8Array(await writeSafetensors([tensor('w', 50_000)]).arrayBuffer());
const small = { 'config.json': '{"model_type":"llama"}', 'tokenizer.json': '{"model":{}}' };
const plain = { files: { ...small, 'model.safetensors': weights, 'README.md': '# not needed', 'onnx/model.onnx': 'not needed', 'pytorch_model.bin': 'not needed' } };
const shards = Object.fromEntries(await Promise.all([...await writeModelFolder({ config: {}, tokenizerFiles: new Map(), tensors: [tensor('a', 3), tensor('b', 3), tensor('c', 3)], readme: '' }, { shardBytes: 12 })]
  .map(async ([path, blob]) => [path, new Uint8Array(await blob.arrayBuffer())] as const)));

let hub: HubServer;
let directory: MemoryDirectory;
let source: HubSource;

beforeAll(async () => {
  hub = await startHub({
    'o/plain': plain,
    'o/sharded': { files: shards },
    'o/gated': { files: plain.files, gated: true },
    'o/pickle': { files: { ...small, 'pytorch_model.bin': 'x' } },
    'o/gguf': { files: { ...small, 'model.gguf': 'x' } },
    'o/adapter': { files: { 'adapter_config.json': '{}', 'adapter_model.safetensors': weights, 'README.md': '' } },
    'o/data': { files: { 'rows.parquet': 'x' } },
    'o/hole': { files: { ...small, 'model.safetensors.index.json': '{"weight_map":{"a":"gone.safetensors"}}' } },
  });
});
afterAll(() => hub.close());
beforeEach(() => {
  directory = memoryDirectory();
  hub.reset();
  source = { host: hub.url, repo: 'o/plain', revision: 'main', fetch, cache: new ModelCache(directory) };
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** Pauses of seconds last hundredths; everything still happens in its order. */
const hurry = (): void => {
  const { setTimeout } = globalThis;
  // fetch hands its own timers further arguments; they keep their time.
  vi.stubGlobal('setTimeout', (work: (...rest: unknown[]) => void, milliseconds: number, ...rest: unknown[]) => setTimeout(work, rest.length === 0 ? milliseconds / 100 : milliseconds, ...rest));
};

const asked = (path: string): (string | undefined)[] => hub.requests.filter((request) => request.path === path).map(({ range }) => range);
const open = async (more: Partial<HubSource> = {}, onProgress?: (progress: HubProgress) => void): Promise<ReadonlyMap<string, Blob>> =>
  openHubModel({ ...source, ...more, ...(onProgress ? { onProgress } : {}) });
const isWhole = async (files: ReadonlyMap<string, Blob>): Promise<boolean> => Buffer.from(await files.get('model.safetensors')!.arrayBuffer()).equals(weights);

describe('a model on the Hub', () => {
  it('is planned: what is needed of it, how large, what is missing', async () => {
    const plan = await planHubModel(source);
    expect(plan.files.map(({ path, bytes }) => [path, bytes])).toEqual([['config.json', 22], ['tokenizer.json', 12], ['model.safetensors', weights.length]]);
    expect(plan).toMatchObject({ repo: 'o/plain', revision: 'main', commit: commitOf('o/plain', plain), bytes: 34 + weights.length, missingBytes: 34 + weights.length, offline: false });
    expect(directory.files.size).toBe(0);
  });

  it('is downloaded by commit without a referrer, and comes from the cache the next time', async () => {
    const progress: HubProgress[] = [];
    const asks: RequestInit[] = [];
    const watched: typeof fetch = (input, init = {}) => {
      asks.push(init);
      return fetch(input, init);
    };
    const files = await open({ fetch: watched }, (event) => progress.push(event));
    expect(asks).toHaveLength(4);
    for (const ask of asks) expect(ask).toMatchObject({ referrerPolicy: 'no-referrer', credentials: 'omit', headers: {} });
    expect([...files.keys()]).toEqual(['config.json', 'tokenizer.json', 'model.safetensors']);
    expect((await readModelFolder(files)).weights.tensors.get('w')?.shape).toEqual([50_000]);
    expect(progress.at(-1)).toEqual({ phase: 'downloading', path: 'model.safetensors', fileBytes: weights.length, fileTotal: weights.length, bytes: 34 + weights.length, total: 34 + weights.length });
    expect(progress.map(({ bytes }) => bytes)).toEqual(progress.map(({ bytes }) => bytes).toSorted((a, b) => a - b));

    hub.requests.length = 0;
    const again: HubProgress[] = [];
    expect(await isWhole(await open({}, (event) => again.push(event)))).toBe(true);
    expect(hub.requests.map(({ path }) => path)).toEqual(['listing']);
    expect(new Set(again.map(({ phase }) => phase))).toEqual(new Set(['reading cache']));
    expect((await planHubModel(source)).missingBytes).toBe(0);
    hub.requests.length = 0;
    await open({ revision: commitOf('o/plain', plain) });
    expect(hub.requests).toEqual([]);
  });

  it('may be sharded, or an adapter', async () => {
    const files = await open({ repo: 'o/sharded' });
    expect([...(await readModelFolder(files)).weights.tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect([...(await open({ repo: 'o/adapter' })).keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  it('keeps its tokenizer when it is deleted from the cache while it is open', async () => {
    const files = await open();
    await source.cache.deleteAll();
    expect(await files.get('tokenizer.json')!.text()).toBe('{"model":{}}');
  });

  it('downloads of a new commit only what has changed', async () => {
    await open();
    const changed = { files: { ...plain.files, 'config.json': '{"model_type":"qwen2"}' } };
    hub.publish('o/plain', changed);
    try {
      expect((await planHubModel(source)).missingBytes).toBe(22);
      expect(await (await open()).get('config.json')!.text()).toBe('{"model_type":"qwen2"}');
      expect((await source.cache.list()).map(({ commit }) => commit).toSorted()).toEqual([commitOf('o/plain', plain), commitOf('o/plain', changed)].toSorted());
      expect(asked('model.safetensors')).toHaveLength(1);
    } finally {
      hub.publish('o/plain', plain);
    }
  });
});

describe('an interrupted download', () => {
  it('goes on from the byte where the connection broke', async () => {
    hub.fail('model.safetensors', { kind: 'cut', after: 90_000 });
    expect(await isWhole(await open())).toBe(true);
    expect(asked('model.safetensors')).toEqual([undefined, 'bytes=90000-']);
  });

  it('goes on after a reload, and hashes what is there first', async () => {
    hub.fail('model.safetensors', { kind: 'trickle', bytes: 4000 });
    const leaving = new AbortController();
    await expect(open({ signal: leaving.signal }, ({ path, phase, fileBytes }) => {
      if (path === 'model.safetensors' && phase === 'downloading' && fileBytes > 10_000) leaving.abort(new Error('The tab was closed.'));
    })).rejects.toThrow('The tab was closed.');
    const [digest, part] = [...directory.files].find(([name]) => name.endsWith('.part'))!;
    expect(part.length).toBeGreaterThan(10_000);
    expect(part.length).toBeLessThan(weights.length);
    directory.crash();

    const reloaded = { ...source, cache: new ModelCache(directory) };
    expect((await planHubModel(reloaded)).missingBytes).toBe(weights.length - part.length);
    const phases = new Set<string>();
    expect(await isWhole(await open(reloaded, ({ phase }) => phases.add(phase)))).toBe(true);
    expect(asked('model.safetensors')).toEqual([undefined, `bytes=${part.length}-`]);
    expect(phases).toEqual(new Set(['reading cache', 'waiting', 'verifying', 'downloading']));
    expect(directory.files.has(digest)).toBe(false);
  });

  it('starts again where the server knows no Range, or sends another', async () => {
    hub.fail('model.safetensors', { kind: 'cut', after: 90_000 });
    const broken = hub.requests.length;
    const sawCut = vi.waitFor(() => expect(hub.requests.length).toBeGreaterThan(broken + 3), { timeout: 5000 });
    const opening = open();
    await sawCut;
    hub.fail('model.safetensors', { kind: 'no-range', always: true });
    expect(await isWhole(await opening)).toBe(true);
    await source.cache.deleteAll();

    hub.requests.length = 0;
    const part = await source.cache.append((await planHubModel(source)).files[2]!);
    part.write(weights.subarray(0, 1000));
    part.close();
    hub.fail('model.safetensors', { kind: 'wrong-range' });
    expect(await isWhole(await open())).toBe(true);
    expect(asked('model.safetensors')).toEqual(['bytes=1000-', undefined]);
  });

  it('tries again when the server is busy or the answer ends early', async () => {
    hurry();
    hub.fail('listing', { kind: 'status', status: 503 });
    hub.fail('config.json', { kind: 'status', status: 429 });
    hub.fail('model.safetensors', { kind: 'shorter' });
    expect(await isWhole(await open())).toBe(true);
    expect(asked('model.safetensors')).toEqual([undefined, `bytes=${weights.length - 3}-`]);
    expect(asked('listing')).toHaveLength(2);
  });

  it('gives up after six tries that bring nothing new, and keeps what there is', async () => {
    const plan = await planHubModel(source);
    hurry();
    let tries = 0;
    const flaky: typeof fetch = async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (!url.endsWith('model.safetensors')) return fetch(input, init);
      tries++;
      const [start, end] = tries === 1 ? [0, 5000] : [5000, 5000];
      return new Response(weights.slice(start, end), { status: tries === 1 ? 200 : 206 });
    };
    await expect(open({ fetch: flaky })).rejects.toThrow(/model\.safetensors: byte 5000 of 200\d+: the connection breaks \(the answer ended after 5000 bytes\)\. What has arrived is kept/u);
    // One that brought 5,000 bytes, which starts the row of five pauses.
    expect(tries).toBe(6);
    expect((await source.cache.part(plan.files[2]!))?.size).toBe(5000);
  });

  it('breaks off a connection that brings nothing', async () => {
    hurry();
    let tries = 0;
    const silent: typeof fetch = async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (!url.endsWith('model.safetensors') || ++tries > 1) return fetch(input, init);
      return new Promise((_, fail) => init?.signal?.addEventListener('abort', () => fail(new Error('aborted'))));
    };
    expect(await isWhole(await open({ fetch: silent }))).toBe(true);
    expect(tries).toBe(2);
  });

  it('stops at once when it is cancelled, also between tries', async () => {
    hub.fail('model.safetensors', { kind: 'cut', after: 0 });
    const cancel = new AbortController();
    const started = performance.now();
    await expect(open({ signal: cancel.signal }, ({ phase, path }) => {
      if (phase === 'downloading' && path === 'model.safetensors') setTimeout(() => cancel.abort(), 100);
    })).rejects.toThrow(/abort/u);
    expect(performance.now() - started).toBeLessThan(450);
  });

  it('of two tabs happens once; the other waits and finds it done', async () => {
    const other = { ...source, cache: new ModelCache(directory) };
    const [a, b] = await Promise.all([open(), open(other)]);
    expect(await isWhole(a)).toBe(true);
    expect(await isWhole(b)).toBe(true);
    expect(asked('model.safetensors')).toHaveLength(1);
  });
});

describe('what arrives wrong is not kept', () => {
  it.each(['model.safetensors', 'tokenizer.json'])('a byte of %s is another', async (path) => {
    hub.fail(path, { kind: 'flip' });
    await expect(open()).rejects.toThrow(`${path}: its contents do not match their ${path === 'tokenizer.json' ? 'git hash' : 'SHA-256'}: the download was damaged on the way`);
    expect([...directory.files.keys()].some((name) => name.endsWith('.part'))).toBe(false);
    expect(await isWhole(await open())).toBe(true);
  });

  it('a file is longer than listed', async () => {
    hub.fail('model.safetensors', { kind: 'longer' });
    await expect(open()).rejects.toThrow(`model.safetensors: is longer than the ${weights.length} bytes that the Hub lists`);
    expect(await isWhole(await open())).toBe(true);
  });

  it('a part that was damaged on disk is found out in the end', async () => {
    const file = (await planHubModel(source)).files[2]!;
    const part = await source.cache.append(file);
    part.write(weights.map((byte) => byte ^ 1).subarray(0, 1000));
    part.close();
    await expect(open()).rejects.toThrow('do not match their SHA-256');
    expect(await source.cache.part(file)).toBeUndefined();
  });
});

describe('errors say what is wrong and what to do', () => {
  it.each<[string, Partial<HubSource>, RegExp]>([
    ['a name that is an address', { repo: 'https://huggingface.co/o/plain' }, /is no name of a repository; write owner\/name/u],
    ['a name that climbs', { repo: '../api' }, /is no name of a repository/u],
    ['an unknown repository', { repo: 'o/nothing' }, /^o\/nothing: there is no public repository of that name on .*Check the spelling.*private or gated, open/u],
    ['an unknown revision', { revision: 'v9' }, /^o\/plain: v9: there is no branch, tag or commit of that name; try main/u],
    ['a gated repository', { repo: 'o/gated' }, /^o\/gated: config\.json: is gated or private.*download the files by hand and drop the folder here/u],
    ['pickles', { repo: 'o/pickle' }, /^o\/pickle: model\.safetensors: is not in the repository.*pickles/u],
    ['GGUF', { repo: 'o/gguf' }, /GGUF files hold quantised weights/u],
    ['no model', { repo: 'o/data' }, /^o\/data: config\.json: is not in the repository/u],
    ['a missing shard', { repo: 'o/hole' }, /names the file gone\.safetensors, which is not in the repository/u],
  ])('%s', async (_, more, message) => {
    await expect(open(more)).rejects.toThrow(message);
  });

  it('no connection: the stored model is opened, else the address is named', async () => {
    const offline: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
    hurry();
    await expect(open({ fetch: offline })).rejects.toThrow(/^o\/plain main: the Hub: http:\/\/127\.0\.0\.1:\d+ could not be reached \(fetch failed\)\. Check the connection/u);
    await open();
    expect(await planHubModel({ ...source, fetch: offline })).toMatchObject({ offline: true, missingBytes: 0 });
    expect(await isWhole(await open({ fetch: offline }))).toBe(true);
  });

  it('an address that is no Hub', async () => {
    const website: typeof fetch = () => Promise.resolve(Response.json({ hello: 'world' }));
    await expect(open({ fetch: website })).rejects.toThrow('the answer is no listing of a repository');
    hurry();
    const page: typeof fetch = () => Promise.resolve(new Response('<html>'));
    await expect(open({ fetch: page })).rejects.toThrow('could not be reached');
  });

  it('too little room, before the download and when the disk fills up under it', async () => {
    directory.quota = 1000;
    await expect(open()).rejects.toThrow(new StorageFullError(34 + weights.length, 1000));
    expect(directory.files.size).toBe(0);

    const full = { ...directory, estimate: () => Promise.resolve({ usage: 0, quota: 1e9 }) };
    directory.quota = 100_000;
    const error = await open({ cache: new ModelCache(full) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StorageFullError);
    const part = [...directory.files].find(([name]) => name.endsWith('.part'))![1];
    expect((error as StorageFullError).needed).toBe(weights.length - part.length);
    hub.requests.length = 0;
    directory.quota = 1e9;
    expect(await isWhole(await open())).toBe(true);
    expect(asked('model.safetensors')).toEqual([`bytes=${part.length}-`]);
  });
});
