import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importDataset } from './dataset.ts';
import type { Row } from './parse.ts';
import { parseRows } from './parse.ts';
import { DataProblem } from './problem.ts';
import type { DataFile } from './source.ts';

const bytesOf = (name: string, folder: URL): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(new URL(name, folder)));

async function read(file: DataFile): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const some of parseRows(file)) for (const parsed of some) if ('value' in parsed) rows.push(parsed.value);
  return rows;
}

const fixtures = new URL('fixtures/', import.meta.url);

describe('what Arrow wrote', () => {
  it.each(['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4'])('%s', async (codec) => {
    const rows = await read(new File([bytesOf(`${codec}.parquet`, fixtures)], `${codec}.parquet`));
    expect(rows).toEqual(Array.from({ length: 50 }, (_, i) => ({ question: `What is ${i} + ${i}?`, answer: `${i} + ${i} = ${2 * i}\n#### ${2 * i}` })));
  });

  it('keeps whole numbers exact, times as text, and what is nested; bytes are text, as old writers mean them', async () => {
    const [first, second, third] = await read(new File([bytesOf('chat.parquet', fixtures)], 'chat.parquet'));
    expect(first).toEqual({
      messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: '2 + 2?' }, { role: 'assistant', content: '4 🙂' }],
      id: 1, unsigned: 0, score: 1.25, day: '2024-02-29T00:00:00.000Z', at: '2024-01-02T03:04:05.678Z', raw: '\0\uFFFD', share: null,
    });
    expect(second).toMatchObject({ id: '9007199254740993', unsigned: '18446744073709551615', score: -0.5, day: '1969-12-31T00:00:00.000Z', at: null, share: 0.5 });
    expect(third).toMatchObject({ id: null, unsigned: 7, score: null, day: null, raw: null });
  });

  it('becomes examples, which are read again when they are asked for', async () => {
    const dataset = await importDataset(new File([bytesOf('zstd.parquet', fixtures)], 'zstd.parquet'));
    expect(dataset).toMatchObject({ kind: 'gsm8k', rowsRead: 50, answered: 50 });
    expect(await dataset.examples.at(44)).toMatchObject({ row: 45, question: 'What is 44 + 44?', answer: '88' });
    const chat = await importDataset(new File([bytesOf('chat.parquet', fixtures)], 'chat.parquet'));
    expect(chat).toMatchObject({ kind: 'messages', withMessages: 3 });
    expect((await chat.examples.read()).map(({ question, answer }) => [question, answer])).toEqual([['2 + 2?', '4'], ['3 + 3?', '6'], ['4 + 4?', '8']]);
  });

  it('reads row groups one by one, never the whole file at once', async () => {
    const bytes = bytesOf('gzip.parquet', fixtures);
    const padded = new Blob([bytes.subarray(0, 4), bytes.subarray(4)]);
    const asked: number[] = [];
    const file: DataFile = { name: 'a.parquet', size: padded.size, stream: () => padded.stream(), slice: (start, end) => (asked.push(end! - start!), padded.slice(start, end)) };
    const seen: number[] = [];
    for await (const rows of parseRows(file)) seen.push(rows.length);
    expect(seen).toEqual([20, 20, 10]);
    // The first is the footer, of a file this small the whole of it.
    expect(Math.max(...asked.slice(1))).toBeLessThan(bytes.length / 2);
  });
});

describe('files that are no parquet', () => {
  it.each<[string, Uint8Array<ArrayBuffer>]>([
    ['empty', new Uint8Array(0)],
    ['text', new TextEncoder().encode('{"question": "What?", "answer": "This."}\n')],
    ['the end of a parquet and no more', new TextEncoder().encode('\xff\xff\xff\x7fPAR1')],
    ['the first half', bytesOf('snappy.parquet', fixtures).slice(0, 400)],
  ])('%s', async (_, bytes) => {
    const failed: unknown = await read(new File([bytes], 'a.parquet')).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DataProblem);
    expect(failed).toMatchObject({ file: 'a.parquet', stillHolds: 'Nothing was imported.' });
  });

  it('gives rows or a problem, and never another error, whatever byte is changed', async () => {
    const files = ['snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'chat'].map((name) => bytesOf(`${name}.parquet`, fixtures));
    await fc.assert(fc.asyncProperty(fc.nat(), fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }), async (which, changes) => {
      const bytes = files[which % files.length]!.slice();
      for (const [where, value] of changes) bytes[Math.min(bytes.length - 1, Math.floor(where * bytes.length))] = value;
      const failed: unknown = await read(new File([bytes], 'a.parquet')).catch((error: unknown) => error);
      expect(Array.isArray(failed) || failed instanceof DataProblem).toBe(true);
    }), { numRuns: 500 });
  });
});

const shared = new URL('../../../shared/data/parquet/', import.meta.url);
if (existsSync(shared)) {
  /** The expected rows were written by a reader that keeps no 64-bit number exact and shows bytes as lists. */
  const asExpected = (value: unknown, expected: unknown): unknown => {
    if (value instanceof Uint8Array) return [...value];
    if (Array.isArray(value)) return value.map((item, i) => asExpected(item, (expected as unknown[])[i]));
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asExpected(item, (expected as Row | undefined)?.[key])]));
    // JSON has no negative zero.
    if (Object.is(value, -0)) return 0;
    return typeof value === 'string' && typeof expected === 'number' && !Number.isSafeInteger(expected) ? Number(value) : value;
  };

  describe('conformance', () => {
    it.each(readdirSync(shared).filter((name) => name.endsWith('.parquet')))('%s', async (name) => {
      const expected = JSON.parse(readFileSync(new URL(name.replace('.parquet', '.json'), shared), 'utf8')) as unknown[][];
      const rows = await read(new File([bytesOf(name, shared)], name));
      expect(rows.map((row, i) => asExpected(Object.values(row), expected[i]))).toEqual(expected);
    });
  });
}
