import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModelFolder, writeModelFolder } from './folder.ts';
import { encodeFloats, writeSafetensors } from './safetensors.ts';
import type { TensorToWrite } from './safetensors.ts';

const tensor = (name: string, ...values: number[]): TensorToWrite => ({
  name, dtype: 'F32', shape: [values.length], bytes: encodeFloats(Float32Array.from(values), 'F32'),
});
const folder = (files: Record<string, Blob | string>): Map<string, Blob> =>
  new Map(Object.entries(files).map(([path, contents]) => [path, typeof contents === 'string' ? new Blob([contents]) : contents]));

describe('config.json of a folder that is written', () => {
  const written = async (config: Record<string, unknown>): Promise<unknown> => {
    const files = await writeModelFolder({ config, tokenizerFiles: new Map(), tensors: [tensor('a', 1)], readme: '' });
    return JSON.parse(await files.get('config.json')!.text());
  };

  it('has the base of the rotary embedding where transformers 5 reads it and where mlx-lm does', async () => {
    const nested = { model_type: 'llama', rope_parameters: { rope_type: 'default', rope_theta: 500_000 } };
    expect(await written(nested)).toEqual({ ...nested, rope_theta: 500_000 });
    const both = { ...nested, rope_theta: 10_000 };
    expect(await written(both)).toEqual(both);
    expect(await written({ model_type: 'gpt2' })).toEqual({ model_type: 'gpt2' });
  });
});

describe('reading a model folder', () => {
  const weights = writeSafetensors([tensor('a', 1, 2)]);

  it('reads the small files and opens the weights', async () => {
    const read = await readModelFolder(folder({
      'config.json': '{"model_type":"llama"}', 'model.safetensors': weights, 'tokenizer.json': '{"model":{}}', 'generation_config.json': '{"eos_token_id":2}',
    }));
    expect(read.config).toEqual({ model_type: 'llama' });
    expect(read.generationConfig).toEqual({ eos_token_id: 2 });
    expect(read.tokenizerConfig).toEqual({});
    expect(read.tokenizerJson).toEqual({ model: {} });
    expect([...await read.weights.read('a')]).toEqual([1, 2]);
    await expect(read.weights.read('b')).rejects.toThrow('model.safetensors: tensor "b": is not in this file');
  });

  it('joins shards, and takes a lone file of another name', async () => {
    const sharded = await readModelFolder(folder({
      'config.json': '{}',
      'model.safetensors.index.json': '{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}',
      'one.safetensors': weights,
      'two.safetensors': writeSafetensors([tensor('b', 3)]),
    }));
    expect([...sharded.weights.tensors.keys()]).toEqual(['a', 'b']);
    expect([...await sharded.weights.read('b')]).toEqual([3]);
    expect((await readModelFolder(folder({ 'config.json': '{}', 'weights.safetensors': weights }))).weights.tensors.size).toBe(1);
  });

  it('takes keys named after the prototype as keys', async () => {
    const read = await readModelFolder(folder({
      'config.json': '{"__proto__":{"tie_word_embeddings":true},"constructor":1}',
      'model.safetensors.index.json': '{"weight_map":{"__proto__":"x.safetensors"}}',
      'x.safetensors': writeSafetensors([tensor('__proto__', 5)]),
    }));
    expect(read.config['tie_word_embeddings']).toBeUndefined();
    expect([...await read.weights.read('__proto__')]).toEqual([5]);
  });

  it('prefers chat_template.jinja, then the default of tokenizer_config.json', async () => {
    const base = { 'config.json': '{}', 'model.safetensors': weights };
    const template = async (files: Record<string, string>): Promise<string | undefined> => (await readModelFolder(folder({ ...base, ...files }))).chatTemplate;
    const list = JSON.stringify({ chat_template: [{ name: 'tool_use', template: 'T' }, { name: 'default', template: 'D' }] });
    expect(await template({ 'chat_template.jinja': 'J', 'tokenizer_config.json': list })).toBe('J');
    expect(await template({ 'tokenizer_config.json': list })).toBe('D');
    expect(await template({ 'tokenizer_config.json': '{"chat_template":"S"}' })).toBe('S');
    expect(await template({})).toBeUndefined();
  });

  it.each<[string, Record<string, Blob | string>, string]>([
    ['no config', { 'notes.txt': '' }, 'config.json: it is missing; a model folder needs it beside the weights. The files here: notes.txt'],
    ['a broken config', { 'config.json': '{' }, 'config.json: not valid JSON'],
    ['a config that is a list', { 'config.json': '[]' }, 'config.json: not a JSON object'],
    ['a bottomless config', { 'config.json': `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}` }, 'config.json: nested deeper than 100 levels'],
    ['no weights', { 'config.json': '{}' }, 'model.safetensors: it is missing'],
    ['pickled weights', { 'config.json': '{}', 'pytorch_model.bin': '' }, 'they can run code'],
    ['a shard without the others', { 'config.json': '{}', 'model-00001-of-00002.safetensors': weights }, 'model.safetensors: it is missing, and so is model.safetensors.index.json. The files here: config.json, model-00001-of-00002.safetensors'],
    ['an index without a map', { 'config.json': '{}', 'model.safetensors.index.json': '{}' }, 'weight_map: is missing'],
    ['a missing shard', { 'config.json': '{}', 'model.safetensors.index.json': '{"weight_map":{"a":"x.safetensors"}}' }, 'names x.safetensors, missing here; put all shards beside the index'],
    ['a shard without a name', { 'config.json': '{}', 'model.safetensors.index.json': '{"weight_map":{"a":7}}' }, 'tensor "a": its file is 7, not a name'],
    ['a shard without its tensor', { 'config.json': '{}', 'model.safetensors.index.json': '{"weight_map":{"z":"x.safetensors"}}', 'x.safetensors': weights }, 'x.safetensors: tensor "z": is not in it'],
    ['a tensor in two shards', {
      'config.json': '{}', 'model.safetensors.index.json': '{"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}',
      'x.safetensors': weights, 'y.safetensors': writeSafetensors([tensor('a', 1), tensor('b', 2)]),
    }, 'y.safetensors: tensor "a": is in x.safetensors too'],
  ])('names the file for %s', async (_, files, message) => {
    await expect(readModelFolder(folder(files))).rejects.toThrow(message);
  });
});

describe('writing a model folder', () => {
  it('reads back, with the template in both places and no second copy of tied weights', async () => {
    const files = await writeModelFolder({
      config: { tie_word_embeddings: true },
      generationConfig: { eos_token_id: 0 },
      tokenizerFiles: folder({ 'tokenizer.json': '{"model":{}}' }),
      tokenizerConfig: { eos_token: 'x' },
      chatTemplate: '{{ messages }}',
      tensors: [tensor('model.embed_tokens.weight', 1), tensor('lm_head.weight', 1)],
      readme: '# Model\n',
    });
    const read = await readModelFolder(files);
    expect([...read.weights.tensors.keys()]).toEqual(['model.embed_tokens.weight']);
    expect(read.weights.metadata.get('format')).toBe('pt');
    expect(read.chatTemplate).toBe('{{ messages }}');
    expect(read.tokenizerConfig).toEqual({ eos_token: 'x', chat_template: '{{ messages }}' });
    expect(await files.get('README.md')?.text()).toBe('# Model\n');
  });

  const model = { config: {}, tokenizerFiles: new Map<string, Blob>(), readme: '' };

  it('splits weights over the limit and reads them back through the index', async () => {
    // 4 + 8 bytes fill a shard of 12; 16 bytes are over it alone; 4 begin the last.
    const tensors = [tensor('d', 1), tensor('c', 2, 3), tensor('b', 4, 5, 6, 7), tensor('a', 8)];
    const files = await writeModelFolder({ ...model, tensors }, { shardBytes: 12 });
    const index = JSON.parse(await files.get('model.safetensors.index.json')!.text()) as unknown;
    expect(index).toEqual({
      metadata: { total_size: 32 },
      weight_map: { a: 'model-00003-of-00003.safetensors', b: 'model-00002-of-00003.safetensors', c: 'model-00001-of-00003.safetensors', d: 'model-00001-of-00003.safetensors' },
    });
    expect(files.has('model.safetensors')).toBe(false);
    const { weights } = await readModelFolder(files);
    expect(weights.tensors.size).toBe(4);
    expect([...await weights.read('b')]).toEqual([4, 5, 6, 7]);
    expect([...(await writeModelFolder({ ...model, tensors }, { shardBytes: 32 })).keys()]).toContain('model.safetensors');
  });

  it('asks for the bytes of a tensor only when they are written', async () => {
    const asked: string[] = [];
    const written: string[] = [];
    const lazy = ['a', 'b'].map((name) => ({ ...tensor(name, 1), bytes: () => Promise.resolve((asked.push(name), tensor(name, 1).bytes)) }));
    await writeModelFolder({ ...model, tensors: lazy }, {
      writeFile: async (path, pieces) => {
        for await (const { length } of pieces) written.push(`${path} ${length === 4 ? `after ${asked.join()}` : 'header'}`);
        return new Blob();
      },
    });
    expect(written).toEqual(['model.safetensors header', 'model.safetensors after a', 'model.safetensors after a,b']);
  });
});

describe('numbers that are none', () => {
  const write = (dtype: 'F32' | 'F16' | 'BF16', values: number[]): Blob =>
    writeSafetensors([{ name: 'w', dtype, shape: [values.length], bytes: encodeFloats(Float32Array.from(values), dtype) }]);

  it.each(['F32', 'F16', 'BF16'] as const)('are found in %s, widened or raw', async (dtype) => {
    const { weights } = await readModelFolder(folder({ 'config.json': '{}', 'model.safetensors': write(dtype, [1, 2, -Infinity, NaN]) }));
    const message = 'model.safetensors: tensor "w": element 2 is -Infinity; 2 of 4 are not finite';
    await expect(weights.read('w')).rejects.toThrow(message);
    await expect(weights.readRaw('w')).rejects.toThrow(message);
    const largest = { F32: 3.4e38, F16: 65_504, BF16: 3.38e38 }[dtype];
    const good = (await readModelFolder(folder({ 'config.json': '{}', 'model.safetensors': write(dtype, [largest, -largest, 0]) }))).weights;
    expect([...await good.read('w')].every(Number.isFinite)).toBe(true);
    expect(await good.readRaw('w')).toEqual({ dtype, bytes: encodeFloats(Float32Array.of(largest, -largest, 0), dtype) });
  });
});

const checkpoints = new URL('../../../shared/data/checkpoints/', import.meta.url);
if (existsSync(checkpoints)) {
  const load = (name: string): ReturnType<typeof readModelFolder> => {
    const path = new URL(`${name}/`, checkpoints);
    return readModelFolder(new Map(readdirSync(path).map((file) => [file, new Blob([Uint8Array.from(readFileSync(new URL(file, path)))])])));
  };

  describe('real checkpoints', () => {
    it('hold the same weights in BF16, F16, F32 and in three shards', async () => {
      const single = (await load('tinystories-656k')).weights;
      const others = await Promise.all(['tinystories-656k-bf16', 'tinystories-656k-f16', 'tinystories-656k-sharded-bf16'].map(async (name) => (await load(name)).weights));
      expect(single.tensors.size).toBeGreaterThan(10);
      for (const other of others) {
        expect(other.tensors.size).toBe(single.tensors.size);
        // The tied matrix stands under either of its names.
        for (const name of other.tensors.keys()) {
          const expected = await single.read(single.tensors.has(name) ? name : 'lm_head.weight');
          expect(Buffer.from((await other.read(name)).buffer).equals(Buffer.from(expected.buffer)), name).toBe(true);
        }
      }
    });

    it.each(['stories260k-hf', 'capp-gpt2', 'llm-viz-gpt-nano-hf', 'verl-arith-llama'])('opens %s', async (name) => {
      const { config, weights } = await load(name);
      expect(config['model_type']).toEqual(expect.any(String));
      for (const tensorName of weights.tensors.keys()) expect((await weights.read(tensorName)).length).toBeGreaterThan(0);
    });
  });
}

const multiDtype = new URL('../../../shared/data/safetensors-multi-dtype/', import.meta.url);
if (existsSync(multiDtype)) {
  const load = async (folderName: string, ...extra: [string, string][]): Promise<ReturnType<typeof readModelFolder>> => {
    const path = new URL(`${folderName}/`, multiDtype);
    const names: [string, string][] = readdirSync(path).map((file) => [file, file]);
    const files = names.filter(([file]) => folderName === 'sharded' || file === 'model.safetensors').map(([file]) => [file, new Blob([Uint8Array.from(readFileSync(new URL(file, path)))])] as const);
    return readModelFolder(new Map([...files, ...extra.map(([name, text]) => [name, new Blob([text])] as const)]));
  };

  it('reads the same tensors of every dtype from one file and from six shards', async () => {
    const single = (await load('non_sharded', ['config.json', '{}'])).weights;
    const sharded = (await load('sharded', ['config.json', '{}'])).weights;
    expect(single.tensors.size).toBeGreaterThan(10);
    expect(new Set([...single.tensors.values()].map(({ dtype }) => dtype)).size).toBeGreaterThan(5);
    expect([...sharded.tensors.keys()].toSorted()).toEqual([...single.tensors.keys()].toSorted());
    for (const [name, { shape }] of single.tensors) {
      expect(sharded.tensors.get(name)?.shape, name).toEqual(shape);
      expect(await sharded.readRaw(name), name).toEqual(await single.readRaw(name));
    }
  });
}
