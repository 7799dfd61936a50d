/** @file Datasets without a model: rows that a chat template cannot write are counted, named and can be left out together. */
import { describe, expect, it } from 'vitest';
import { chatTemplateOf } from '../formats/chatTemplate.ts';
import { tinyTokenizerConfig, tinyTokenizerJson } from '../formats/fixtures/tinyTokenizer.ts';
import { loadTokenizer } from '../formats/tokenizer.ts';
import { Datasets } from './datasets.ts';

const tokenizer = loadTokenizer(tinyTokenizerJson(), tinyTokenizerConfig);
/** Roles must alternate. */
const template = chatTemplateOf({
  chatTemplateFile: "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{{ '[' + m.role + ']' + m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
});

const turns = (...roles: readonly string[]): string => JSON.stringify({ messages: roles.map((role) => ({ role, content: `the ${role} says` })) });
const good = turns('user', 'assistant');
const bad = turns('user', 'user', 'assistant');
const file = (...rows: readonly string[]): File => new File([rows.join('\n')], 'chat.jsonl');

describe('rows that the chat template cannot write', () => {
  it('are counted, the first is named, and they can be left out together', async () => {
    const datasets = new Datasets(tokenizer, template);
    const rows = file(good, bad, good, bad, bad);
    const result = await datasets.import('train', rows, 'file', 64);
    expect(result).toMatchObject({ problem: { file: 'chat.jsonl', row: 2, rows: [2, 4, 5], canSkip: true } });
    expect('problem' in result && result.problem.what).toMatch(/^Row 2: the chat template .* roles must alternate\. 3 of 5 rows cannot be written by it; this is the first\.$/);
    expect(datasets.summaries()).toEqual([]);
    expect(await datasets.import('train', rows, 'file', 64, { skipRows: [2, 4, 5] })).toMatchObject({ dataset: { rows: 2 } });
  });

  it('are not offered to be left out where no other is there, and one alone is named alone', async () => {
    const datasets = new Datasets(tokenizer, template);
    expect(await datasets.import('train', file(bad, bad), 'file', 64)).toMatchObject({ problem: { rows: [1, 2], canSkip: false } });
    const one = await datasets.import('train', file(good, bad), 'file', 64);
    expect('problem' in one && one.problem.what).toMatch(/roles must alternate\.$/);
  });
});

describe('a mapping that is the one there is', () => {
  it('is not read again', async () => {
    const datasets = new Datasets(tokenizer, template);
    const rows = file(good, good);
    await datasets.import('train', rows, 'file', 64);
    const before = datasets.summary('train');
    expect(await datasets.remap('train', before.mapping, 64)).toMatchObject({ dataset: before });
    expect(datasets.summary('train').milliseconds).toBe(before.milliseconds);
    await datasets.remap('train', before.mapping, 38);
    expect(datasets.summary('train').longest).toBe(38);
  });
});
