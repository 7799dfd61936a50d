/** @file Files that are damaged, or made to do harm: every one gives rows or a problem that names file and row, in bounded time and memory. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importDataset } from './dataset.ts';
import type { Dataset, ImportOptions } from './dataset.ts';
import { MAX_DEPTH } from './jsonError.ts';
import { DataProblem } from './problem.ts';
import { ExpansionBound, MAX_ROW_LENGTH } from './source.ts';
import type { DataFile } from './source.ts';

const importText = (name: string, contents: BlobPart, options?: ImportOptions): Promise<Dataset> => importDataset(new File([contents], name), options);

async function problemOf(name: string, contents: BlobPart, options?: ImportOptions): Promise<DataProblem> {
  const failed: unknown = await importText(name, contents, options).catch((error: unknown) => error);
  if (!(failed instanceof DataProblem)) throw new Error('expected a DataProblem');
  return failed;
}

describe('gzip', () => {
  it('refuses what unpacks to far more than it is', async () => {
    const bomb = Uint8Array.from(gzipSync(new Uint8Array(40 * 2 ** 20)));
    const { message } = await problemOf('bomb.jsonl.gz', bomb);
    expect(message).toMatch(new RegExp(`^bomb\\.jsonl\\.gz: The gzip stream unpacks to too much: ${bomb.length.toLocaleString('en-US')} bytes gave 16,[\\d,]+ so far; at most 200 times as many are read\\. Nothing was imported\\.`, 'u'));
  });

  it('bounds the ratio only where it can harm, and the size whatever the ratio', () => {
    const small = new ExpansionBound('a.gz');
    small.packed = 1000;
    small.add(2 ** 20);
    const large = new ExpansionBound('a.gz');
    large.packed = 2 ** 30;
    large.add(2 ** 32);
    expect(() => large.add(1)).toThrow('1,073,741,824 bytes gave 4,294,967,297 so far; at most 4,294,967,296 bytes are read');
  });

  it('reads a table that packs well', async () => {
    const csv = `prompt,completion\n${'a question,an answer\n'.repeat(20_000)}`;
    expect((await importText('a.csv.gz', Uint8Array.from(gzipSync(csv)))).examples.length).toBe(20_000);
  });
});

describe('deep values', () => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

  it.each([['a.jsonl', 1e6, `{"text": "x", "deep": ${deep(1e6)}}\n`], ['a.json', 1e6, `[{"text": "x", "deep": ${deep(1e6)}}]`], ['b.jsonl', 1e6, `${'{"a":'.repeat(1e6)}\n`]])('are refused before they are parsed: %s', async (name, _, contents) => {
    expect(await problemOf(name, contents)).toMatchObject({ file: name, row: 1, what: 'the values are nested too deeply' });
  });

  it('are read up to the bound, and brackets in strings are no depth', async () => {
    expect((await importText('a.jsonl', `{"text": "x", "deep": ${deep(MAX_DEPTH - 1)}}`)).examples.length).toBe(1);
    expect((await importText('a.jsonl', JSON.stringify({ text: '[{'.repeat(5000) }))).examples.length).toBe(1);
    expect((await importText('a.jsonl', JSON.stringify({ text: 'x', list: Array.from({ length: 5000 }, () => ['"', '\\"[']) }))).examples.length).toBe(1);
  });

  it('are not followed in a cell that holds JSON text', async () => {
    expect((await importText('a.jsonl', JSON.stringify({ messages: deep(1e5), text: 'x' }))).kind).toBe('text');
  });
});

describe('names that every object has', () => {
  it('are columns like any other', async () => {
    const jsonl = await importText('a.jsonl', '{"__proto__": {"polluted": 1}, "constructor": "c", "text": "t"}\n{"text": "u"}\n');
    expect(jsonl.columns).toEqual(['__proto__', 'constructor', 'text']);
    expect((await jsonl.examples.read()).map(({ segments }) => segments[0]!.text)).toEqual(['t', 'u']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    const csv = await importText('a.csv', '__proto__,constructor,toString\np,c,t\n', { mapping: { prompt: '__proto__', completion: 'constructor', group: 'toString' } });
    expect(await csv.examples.at(0)).toMatchObject({ question: 'p', segments: [{}, { text: 'c' }], group: 't' });
  });

  it('are missing where a row does not have them', async () => {
    const mapping = { prompt: 'text', completion: 'constructor' };
    expect((await problemOf('a.jsonl', '{"text": "p", "constructor": "c"}\n{"text": "q"}\n', { mapping })).message).toContain('Row 2, column constructor: it has no value.');
    expect((await problemOf('a.jsonl', '{"text": "p"}\n', { mapping })).message).toContain('There is no column "constructor"');
  });
});

describe('text', () => {
  it('with half a surrogate pair becomes U+FFFD, and is counted', async () => {
    const dataset = await importText('a.jsonl', '{"text": "a\\ud800b"}\n{"text": "\\ud83d\\ude42"}\n');
    expect((await dataset.examples.read()).map(({ segments }) => segments[0]!.text)).toEqual(['a\uFFFDb', '🙂']);
    expect(dataset.problems.map(({ what }) => what)).toEqual(['rows hold \uFFFD, which stands for bytes that are no UTF-8: 1 of 2, first row 1']);
  });
});

describe('rows that do not end', () => {
  /** `before`, then a's, then `after`, without being one string. */
  const endless = (name: string, before: string, length: number, after: string): DataFile => {
    const blob = new Blob([before, ...Array.from({ length: Math.ceil(length / 2 ** 20) }, () => 'a'.repeat(2 ** 20)), after]);
    return { name, size: blob.size, stream: () => blob.stream(), slice: (start, end) => blob.slice(start, end) };
  };

  it.each([
    ['a.jsonl', '{"text": "', '"}\n{"text": "next"}\n', 'the line is too long'],
    ['a.json', '[{"text": "', '"}, {"text": "next"}]', 'it is too long'],
    ['a.txt', 'first\n\n', '\n\nnext', 'the document is too long'],
  ])('%s goes on after them', async (name, before, after, what) => {
    const dataset = await importDataset(endless(name, before, MAX_ROW_LENGTH + 2 ** 20, after), { skipBadRows: true });
    expect((await dataset.examples.read()).at(-1)!.segments[0]!.text).toBe('next');
    expect(dataset.problems.map((problem) => problem.what)).toEqual([expect.stringContaining(what)]);
  });

  it.each([
    ['a.csv', 'text,n\n"', 'a quoted field has not ended'],
    ['b.csv', 'text\n', 'a quoted field has not ended'],
    ['a.json', '{"text": "', 'the file is one JSON value of more than 67,108,864 characters'],
  ])('%s stops', async (name, before, what) => {
    const failed: unknown = await importDataset(endless(name, before, 66 * 2 ** 20, '')).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DataProblem);
    expect((failed as DataProblem).what).toContain(what);
  });
});

describe('whatever the file', () => {
  /** Pieces that formats are made of, so that files are often nearly right. */
  const piece = fc.oneof(
    fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '\n', '\r', '\t', ';', ' ', '\uFEFF', '\u0000', '\\u12', '\ud800', '\uFFFD', '🙂', '-', '1e999', 'null', 'true', '\n\n', '<|endoftext|>', '####', '\\boxed{'),
    fc.constantFrom('"messages":', '"role":"user"', '"from":"gpt"', '"content":"x"', '"value":"y"', '"prompt":"p"', '"completion":"c"', '"text":"t"', '"question":"q"', '"answer":1', '"choices":["a","b"]', '"__proto__":{}', '"generations":[null]'),
    fc.constantFrom('{"text":"t"}\n', '{"prompt":"p","completion":"c"}\n', '{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}\n', 'prompt,completion\n', 'a,b\n'),
    fc.string({ maxLength: 8 }),
  );
  const text = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));
  const name = fc.constantFrom('a.jsonl', 'a.json', 'a.csv', 'a.tsv', 'a.txt', 'a.ndjson');

  async function check(file: File, options: ImportOptions): Promise<void> {
    const result = await importDataset(file, options).catch((error: unknown) => error);
    if (result instanceof DataProblem) {
      expect(result.file).toBe(file.name);
      expect(result.message.startsWith(`${file.name}: `)).toBe(true);
      expect([result.what, result.suggestion]).not.toContain('');
      return;
    }
    // Anything but a problem has to be a data set, all of whose examples can be read.
    const { examples, rowsRead } = result as Dataset;
    expect((await examples.read()).length).toBe(examples.length);
    expect(examples.length).toBeLessThanOrEqual(rowsRead);
  }

  it('is read or refused: text of every kind', async () => {
    await fc.assert(fc.asyncProperty(name, text, fc.boolean(), fc.constantFrom('training' as const, 'evaluation' as const), (file, contents, skipBadRows, purpose) =>
      check(new File([contents], file), { skipBadRows, purpose })), { numRuns: 3000 });
  });

  it('is read or refused: bytes, packed or not', async () => {
    await fc.assert(fc.asyncProperty(name, fc.uint8Array({ maxLength: 60 }), fc.constantFrom('no', 'whole', 'cut'), (file, bytes, packing) => {
      const packed = packing === 'no' ? bytes : gzipSync(bytes).subarray(0, packing === 'cut' ? -3 : undefined);
      return check(new File([Uint8Array.from(packed)], packing === 'no' ? file : `${file}.gz`), { skipBadRows: true });
    }), { numRuns: 1500 });
  });

  it('is read or refused: rows of any values under the names that shapes look for', async () => {
    const column = fc.constantFrom('messages', 'conversations', 'prompt', 'completion', 'question', 'answer', 'choices', 'options', 'label', 'problem', 'solution', 'generations', 'correctness_math_verify', 'reward_model', 'system', 'instruction', 'output', 'sentence_good', 'sentence_bad', 'mc1_targets', 'text', '__proto__');
    const turn = fc.dictionary(fc.constantFrom('role', 'content', 'from', 'value', 'tool_calls'), fc.oneof(fc.constantFrom('user', 'assistant', 'human', 'gpt', '', ' '), fc.jsonValue({ maxDepth: 1 })));
    const cell = fc.oneof(fc.string({ maxLength: 4 }), fc.array(turn, { maxLength: 3 }), fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), fc.record({ choices: fc.array(fc.string()), labels: fc.array(fc.constantFrom(0, 1)) }), fc.record({ ground_truth: fc.jsonValue({ maxDepth: 1 }) }));
    await fc.assert(fc.asyncProperty(fc.array(fc.dictionary(column, cell, { maxKeys: 5 }), { minLength: 1, maxLength: 4 }), fc.constantFrom('training' as const, 'evaluation' as const), (rows, purpose) =>
      check(new File([rows.map((row) => `${JSON.stringify(row)}\n`).join('')], 'a.jsonl'), { skipBadRows: true, purpose })), { numRuns: 2000 });
  });
});
