import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '../formats/tokenizer.ts';
import { importDataset } from './dataset.ts';
import type { DataFile } from './source.ts';
import { tokeniseExamples } from './tokenise.ts';

/** Contents that lie outside the JavaScript heap. */
function blobFile(name: string, blob: Blob): DataFile {
  return { name, size: blob.size, stream: () => blob.stream(), slice: (start, end) => blob.slice(start, end) };
}

const rowsOf = (count: number, from = 0): string => Array.from({ length: count }, (_, i) => `${JSON.stringify({ question: `Question ${from + i}: ${'how many? '.repeat(20)}`, answer: `The answer.\n#### ${from + i}` })}\n`).join('');
const csvOf = (jsonl: string): string => `question,answer\n${jsonl.trim().split('\n').map((line) => {
  const { question, answer } = JSON.parse(line) as Record<string, string>;
  return `"${question}","${answer}"\n`;
}).join('')}`;

describe('ExampleStore', () => {
  const jsonl = rowsOf(3000);
  it.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ['a.jsonl', jsonl],
    ['a.jsonl.gz', Uint8Array.from(gzipSync(jsonl))],
    ['a.csv', csvOf(jsonl)],
    ['a.json', `[${jsonl.trim().split('\n').join(',')}]`],
  ])('reads examples of %s by number, in ranges and in order', async (name, contents) => {
    const { examples } = await importDataset(new File([contents], name));
    expect(examples.length).toBe(3000);
    expect(await examples.at(2999)).toMatchObject({ row: 3000, answer: '2999' });
    expect((await examples.read(1234, 1237)).map(({ answer }) => answer)).toEqual(['1234', '1235', '1236']);
    const answers: string[] = [];
    for await (const slice of examples.slices()) for (const { answer } of slice) answers.push(answer!);
    expect(answers).toEqual(Array.from({ length: 3000 }, (_, i) => String(i)));
    expect(await examples.read(2999, 5000)).toHaveLength(1);
    expect(await examples.read(5000)).toEqual([]);
    await expect(examples.at(3000)).rejects.toThrow('there is no example 3000 of 3000');
  });

  it('reads long rows and names the row in the file, past blank lines and rows that were left out', async () => {
    const long = JSON.stringify({ prompt: 'x'.repeat(3 * 2 ** 20), completion: 'é🙂' });
    const { examples } = await importDataset(new File([`\uFEFF${long}\r\n\n{"prompt": "p", "completion": ""}\n?\n${long}`], 'a.jsonl'), { skipRows: [4] });
    expect((await examples.read()).map(({ row, segments }) => [row, segments[1]!.text])).toEqual([[1, 'é🙂'], [5, 'é🙂']]);
    expect(examples.rowOf(1)).toBe(5);
  });

  it('says so where the file was changed after it was imported', async () => {
    let blob = new Blob([rowsOf(20)]);
    const file: DataFile = { name: 'a.jsonl', size: blob.size, stream: () => blob.stream(), slice: (start, end) => blob.slice(start, end) };
    const { examples } = await importDataset(file);
    blob = new Blob(['something else']);
    await expect(examples.at(3)).rejects.toThrow('a.jsonl: Row 4: it can no longer be read: the file was changed, moved or removed after it was imported. Its counts');
    file.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) as unknown as Blob;
    await expect(examples.at(3)).rejects.toThrow('a.jsonl: It can no longer be read');
  });
});

/** Characters as tokens. */
const tokenizer = { addsBos: false, bosTokenId: undefined, eosTokenIds: [0], encode: (text: string) => Array.from(text, (character) => character.codePointAt(0)!) } as unknown as Tokenizer;

describe('a large file', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };

  it.each([['large.jsonl', 20], ['large.jsonl.gz', 10], ['large.csv', 10]])('%s takes little heap, however many rows it has', async (name, megabytes) => {
    const rows = rowsOf(10_000);
    const part = name.includes('jsonl') ? rows : csvOf(rows).slice('question,answer\n'.length);
    const parts = Array.from({ length: Math.ceil((megabytes * 2 ** 20) / part.length) }, () => new Blob([part]));
    const plain = new Blob(name.includes('csv') ? ['question,answer\n', ...parts] : parts);
    const packed = name.endsWith('.gz') ? await new Response(plain.stream().pipeThrough(new CompressionStream('gzip'))).blob() : plain;
    const before = heap();
    let most = 0;
    let reported = 0;
    const dataset = await importDataset(blobFile(name, packed), {}, ({ rowsRead }) => {
      if (rowsRead < reported + 10_000) return;
      reported = rowsRead;
      most = Math.max(most, heap() - before);
    });
    expect(dataset.examples.length).toBe(parts.length * 10_000);
    expect(reported).toBeGreaterThanOrEqual(30_000);
    // The texts alone would take their 10 or 20 MB, and rows as objects several times that.
    const bound = 5e6;
    expect(most).toBeLessThan(bound);
    expect(heap() - before).toBeLessThan(bound);
    expect(await dataset.examples.at(dataset.examples.length - 1)).toMatchObject({ answer: '9999' });
  });

  it('is tokenised into few arrays', async () => {
    const rows = rowsOf(8000);
    const { examples } = await importDataset(blobFile('a.jsonl', new Blob([rows])));
    // Once before, so that compiled code and whatever else is made a single time does not count; and what readers leave behind is gone after a moment.
    await tokeniseExamples(examples, tokenizer, { maxLength: 32 });
    const settled = async (): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return heap();
    };
    const before = await settled();
    const tokenised = await tokeniseExamples(examples, tokenizer, { maxLength: 32 });
    // An array of examples would take some 300 bytes for each.
    expect((await settled()) - before).toBeLessThan(8000 * 50);
    expect(tokenised.length).toBe(8000);
    expect(String.fromCodePoint(...tokenised.at(7999)!.ids)).toBe('Question 7999: how many? how man');
  });

  it('lets other work in, and stops where it is told to', async () => {
    const file = blobFile('a.jsonl', new Blob(Array.from({ length: 20 }, () => rowsOf(5000))));
    const stop = new AbortController();
    let turns = 0;
    const counter = setInterval(() => {
      if (++turns === 3) stop.abort(new Error('stopped by hand'));
    }, 1);
    await expect(importDataset(file, { signal: stop.signal })).rejects.toThrow('stopped by hand');
    clearInterval(counter);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});
