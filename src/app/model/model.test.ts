/** @file Names of models as they are written and pasted, and what dropped files are. */
import { describe, expect, it } from 'vitest';
import { goesOnto, isModel, nameOfFiles } from './dropped.ts';
import { downloadLabel, freeSpace } from './HubForm.tsx';
import { parseHubName, suggestedModels } from './hubName.ts';

describe('a name of the Hub', () => {
  const smol = { repo: 'HuggingFaceTB/SmolLM2-135M', revision: 'main' };

  it.each([
    ['HuggingFaceTB/SmolLM2-135M', smol],
    ['  HuggingFaceTB/SmolLM2-135M ', smol],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M', smol],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M/', smol],
    ['huggingface.co/HuggingFaceTB/SmolLM2-135M', smol],
    ['https://hf.co/HuggingFaceTB/SmolLM2-135M?library=transformers', smol],
    ['HuggingFaceTB/SmolLM2-135M@step-100', { ...smol, revision: 'step-100' }],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M/tree/v1.0', { ...smol, revision: 'v1.0' }],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/93efa2f/config.json', { ...smol, revision: '93efa2f' }],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M/resolve/main/model.safetensors', smol],
    ['https://huggingface.co/HuggingFaceTB/SmolLM2-135M/tree/refs%2Fpr%2F3', { ...smol, revision: 'refs/pr/3' }],
    ['http://localhost:9090/HuggingFaceTB/SmolLM2-135M', { ...smol, host: 'http://localhost:9090' }],
  ])('is read from %s', (text, request) => expect(parseHubName(text, 'main')).toEqual(request));

  it('takes the field of the revision unless the name has one', () => {
    expect(parseHubName('a/b', 'dev')).toEqual({ repo: 'a/b', revision: 'dev' });
    expect(parseHubName('a/b@v2', 'dev')).toEqual({ repo: 'a/b', revision: 'v2' });
    expect(parseHubName('a/b', '  ')).toEqual({ repo: 'a/b', revision: 'main' });
  });

  it.each([
    ['', 'No name is given.'],
    ['gpt2', '"gpt2" does not name a model.'],
    ['a/b/c', '"a/b/c" has more than an owner and a name.'],
    ['../etc/passwd', '"../etc/passwd" does not name a model.'],
    ['a b/c', '"a b/c" does not name a model.'],
    ['https://huggingface.co/datasets/openai/gsm8k', 'This is the address of a dataset, not of a model.'],
    ['a/b@../../x', '"../../x" is no branch, tag or commit.'],
  ])('is refused for "%s"', (text, problem) => {
    const read = parseHubName(text, 'main');
    expect('problem' in read ? read.problem : '').toContain(problem);
  });

  it('can be read of every suggestion', () => {
    for (const name of suggestedModels) expect(parseHubName(name, 'main')).toEqual({ repo: name, revision: 'main' });
  });
});

describe('dropped files', () => {
  it.each([
    [['SmolLM2/config.json', 'SmolLM2/model.safetensors'], true],
    [['model-00001-of-00002.safetensors'], true],
    [['export.ZIP'], true],
    [['adapter_config.json', 'adapter_model.safetensors'], true],
    [['train.jsonl'], false],
    [['rows.json'], false],
    [['train.parquet', 'test.parquet'], false],
  ])('%j are a model: %s', (paths, model) => expect(isModel(paths)).toBe(model));

  const file = (path: string, text: string): { readonly path: string; readonly file: File } => ({ path, file: new File([text], path) });

  it.each([
    ['an adapter', [file('run/adapter_config.json', '{}')], true],
    ['a zip of an adapter', [file('run.zip', `${'x'.repeat(70_000)}PK gimbal/adapter_config.json PK`)], true],
    ['a zip of something else', [file('run.zip', 'PK gimbal/config.json PK')], false],
    ['a run on this model', [file('run/config.json', '{}'), file('run/run.json', '{"model":"Built-in model"}')], true],
    ['a run on another model', [file('run/config.json', '{}'), file('run/run.json', '{"model":"Other"}')], false],
    ['a run whose file is damaged', [file('run/run.json', '{')], false],
    ['a model', [file('SmolLM2/config.json', '{}')], false],
  ])('that are %s are known to leave its runs, or not', async (_what, files, leaves) => expect(await goesOnto(files, 'Built-in model')).toBe(leaves));

  it('are called by their folder, their name or their number', () => {
    expect(nameOfFiles(['SmolLM2/config.json', 'SmolLM2/onnx/model.onnx'])).toBe('SmolLM2');
    expect(nameOfFiles(['export.zip'])).toBe('export.zip');
    expect(nameOfFiles(['config.json', 'model.safetensors'])).toBe('2 files');
  });
});

describe('the button of a download', () => {
  it('knows the space that is left, where the browser tells', () => {
    expect(freeSpace({ usage: 4e6, quota: 10e6 })).toBe(6e6);
    expect(freeSpace({ usage: 11e6, quota: 10e6 })).toBe(0);
    expect(freeSpace({ usage: 0, quota: 0 })).toBeUndefined();
  });

  it.each([
    [0, 'Download 271 MB'],
    [120e6, 'Download the other 151 MB'],
    [271e6, 'Open from the cache'],
  ])('with %d bytes in the cache says "%s"', (cachedBytes, label) => expect(downloadLabel({ bytes: 271e6, cachedBytes })).toBe(label));
});
