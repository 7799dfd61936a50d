import { describe, expect, it } from 'vitest';
import type { Dropped } from './drop.ts';
import { recogniseFiles } from './drop.ts';
import { zipFiles } from './zip.ts';

const drop = (files: Record<string, string>): Promise<Dropped> => recogniseFiles(Object.entries(files).map(([path, contents]) => [path, new Blob([contents])]));
const zipped = async (files: Record<string, string>, folder: string, name: string): Promise<[string, Blob]> => {
  const blobs = new Map(Object.entries(files).map(([path, contents]) => [path, new Blob([contents])]));
  return [name, await new Response(zipFiles(blobs, folder) as ReadableStream<Uint8Array<ArrayBuffer>>).blob()];
};

describe('recogniseFiles', () => {
  it('takes a folder, loose files, and a folder within a folder', async () => {
    const folder = await drop({ 'my-model/config.json': '{}', 'my-model/model.safetensors': '', 'my-model/.DS_Store': '' });
    expect(folder).toMatchObject({ kind: 'model', name: 'my-model', run: undefined });
    expect([...folder.files.keys()]).toEqual(['config.json', 'model.safetensors']);
    expect(await drop({ 'config.json': '{}', 'weights.safetensors': '' })).toMatchObject({ kind: 'model', name: 'Dropped files' });
    const deep = await drop({ 'a/b/config.json': '{}', 'a/b/model.safetensors.index.json': '{}', 'a/b/checkpoint-5/config.json': '{}', 'a/notes.txt': '' });
    expect([...deep.files.keys()]).toEqual(['config.json', 'model.safetensors.index.json', 'checkpoint-5/config.json']);
    expect(deep.name).toBe('b');
  });

  it('takes an adapter and says of which model', async () => {
    const adapter = { 'adapter_config.json': '{"base_model_name_or_path":"o/base"}', 'adapter_model.safetensors': '' };
    expect(await drop(adapter)).toMatchObject({ kind: 'adapter', baseModel: 'o/base' });
    expect(await drop({ ...adapter, 'adapter_config.json': '{"base_model_name_or_path":""}' })).toMatchObject({ kind: 'adapter', baseModel: undefined });
    // Some trainers leave the base's configuration beside the adapter; a model has weights of its own.
    expect((await drop({ ...adapter, 'config.json': '{}' })).kind).toBe('adapter');
    expect((await drop({ ...adapter, 'config.json': '{}', 'model.safetensors': '' })).kind).toBe('model');
  });

  it('takes a zip of either, and an exported run', async () => {
    const model = await recogniseFiles([await zipped({ 'config.json': '{}', 'model.safetensors': '', 'run.json': '{"id":"1"}', '__MACOSX/x': '' }, 'inner', 'downloads/My Run.zip')]);
    expect(model).toMatchObject({ kind: 'model', name: 'My Run', run: { id: '1' } });
    expect([...model.files.keys()]).toEqual(['config.json', 'model.safetensors', 'run.json']);
    expect((await recogniseFiles([await zipped({ 'adapter_config.json': '{}', 'adapter_model.safetensors': '' }, 'a', 'a.zip')])).kind).toBe('adapter');
  });

  it.each<[string, Record<string, string>, string]>([
    ['nothing', { '.DS_Store': '' }, 'the drop: it holds no files'],
    ['weights alone', { 'm/model.safetensors': '' }, 'config.json: it is missing; model.safetensors needs it. Drop the whole folder, or all its files at once. Dropped: model.safetensors'],
    ['a configuration alone', { 'config.json': '{}' }, 'model.safetensors: it is missing; config.json needs it.'],
    ['a configuration with pickles', { 'config.json': '{}', 'pytorch_model.bin': '' }, 'they can run code; save them as safetensors'],
    ['a configuration with GGUF', { 'config.json': '{}', 'model.gguf': '' }, 'GGUF files hold quantised weights for inference'],
    ['ONNX', { 'model.onnx': '' }, 'the drop: it is no model: a model has config.json and .safetensors weights. ONNX files are for inference'],
    ['adapter weights alone', { 'adapter_model.safetensors': '' }, 'adapter_config.json: it is missing; adapter_model.safetensors needs it'],
    ['an adapter configuration alone', { 'adapter_config.json': '{}' }, 'adapter_model.safetensors: it is missing; adapter_config.json needs it.'],
    ['a pickled adapter', { 'adapter_config.json': '{}', 'adapter_model.bin': '' }, 'adapter_model.bin is a PyTorch pickle'],
    ['two models', { 'a/config.json': '{}', 'b/config.json': '{}' }, 'the drop: it holds 2 models, in a/, b/; drop one of the folders'],
    ['a zip with something else', { 'a.zip': '', 'config.json': '{}' }, 'a.zip: was dropped with other files; drop an archive alone'],
    ['a broken zip', { 'a.zip': 'PK' }, 'a.zip: not a zip archive, or cut short'],
    ['a broken run', { 'config.json': '{}', 'model.safetensors': '', 'run.json': '{' }, 'run.json: not valid JSON'],
  ])('says what is wrong with %s', async (_, files, message) => {
    await expect(drop(files)).rejects.toThrow(message);
  });

  it('refuses a file dropped twice', async () => {
    await expect(recogniseFiles([['config.json', new Blob(['{}'])], ['config.json', new Blob(['{}'])]])).rejects.toThrow('config.json: was dropped twice');
  });
});
