import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { parseRows } from './parse.ts';
import type { ParsedRow, Row } from './parse.ts';
import type { DataFile } from './source.ts';

/** A file that arrives in chunks of `chunkSize` bytes. */
function file(name: string, contents: string | Uint8Array, chunkSize = 7): DataFile {
  const bytes = Uint8Array.from(typeof contents === 'string' ? new TextEncoder().encode(contents) : contents);
  return {
    name,
    size: bytes.length,
    slice: (start, end) => new Blob([bytes.slice(start, end)]),
    stream: () => new ReadableStream({
      start: (controller) => {
        for (let at = 0; at < bytes.length; at += chunkSize) controller.enqueue(bytes.slice(at, at + chunkSize));
        controller.close();
      },
    }),
  };
}

async function parse(source: DataFile): Promise<ParsedRow[]> {
  const rows: ParsedRow[] = [];
  for await (const some of parseRows(source)) rows.push(...some);
  return rows;
}

const good = (...values: Row[]): ParsedRow[] => values.map((value, i) => ({ row: i + 1, value }));

describe('.jsonl', () => {
  it('reads one object a line, through BOM, CRLF, blank lines and a missing last line end', async () => {
    expect(await parse(file('a.jsonl', '\uFEFF{"a":1}\r\n\r\n{"a":"é🙂"}'))).toEqual([{ row: 1, value: { a: 1 }, bytes: [0, 11] }, { row: 3, value: { a: 'é🙂' }, bytes: [14, 28] }]);
    expect(await parse(file('a.jsonl', ''))).toEqual([]);
  });

  it('goes on after a bad line and says where it broke', async () => {
    expect(await parse(file('a.jsonl', '{"a":1}\n{"a":"x\n[1]\n3\n{"a":2}\n'))).toEqual([
      { row: 1, value: { a: 1 }, bytes: [0, 7] },
      { row: 2, problem: { character: 8, what: 'the line ends inside a string' } },
      { row: 3, problem: { what: 'it is a list and not an object with named values' } },
      { row: 4, problem: { what: 'it is a number and not an object with named values' } },
      { row: 5, value: { a: 2 }, bytes: [22, 29] },
    ]);
  });
});

describe('.json', () => {
  it('reads a list of objects, however it is cut', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), fc.integer({ min: 1, max: 40 }), fc.boolean(), async (values, chunkSize, isPretty) => {
      const text = JSON.stringify(values, null, isPretty ? 2 : 0);
      const expected = JSON.parse(text) as Row[];
      expect(await parse(file('a.json', `  ${text}\n`, chunkSize))).toEqual(good(...expected));
    }));
  });

  it('reads an object that holds the list, a single object, and objects on lines', async () => {
    expect(await parse(file('a.json', '{"version": 1,\n "data": [{"a":1}, {"a":2}]}'))).toEqual(good({ a: 1 }, { a: 2 }));
    expect(await parse(file('a.json', '{"a": 1}'))).toEqual(good({ a: 1 }));
    expect(await parse(file('a.json', '{"a": 1}\n{"a": 2}\n'))).toMatchObject(good({ a: 1 }, { a: 2 }));
    expect(await parse(file('a.json', '{"messages": [{"role": "user"}, {"role": "assistant"}]}'))).toEqual(good({ messages: [{ role: 'user' }, { role: 'assistant' }] }));
  });

  it.each<[string, ParsedRow]>([
    ['[{"a":1}, {"a" 2}, {"a":3}]', { row: 2, problem: { character: 7, what: 'there is "2" where a colon should follow a name' } }],
    ['[{"a":1},, {"a":3}]', { row: 2, problem: { character: 1, what: 'the row ends where a value should begin' } }],
    ['[{"a":1} {"a":2}]', { row: 1, problem: { character: 9, what: 'there is "{" after the end of the value' } }],
    ['[{"a":1},]', { row: 2, problem: { character: 1, what: 'the row ends where a value should begin' } }],
    ['[{"a":1}, {"a":"x', { row: 2, problem: { character: 9, what: 'the file ends inside a string' } }],
    ['[{"a":1}', { row: 1, problem: { what: 'the file ends before the list is closed' } }],
    ['[{"a":1}] x', { row: 2, problem: { what: 'there is more text after the end of the list' } }],
    ['[1]', { row: 1, problem: { what: 'it is a number and not an object with named values' } }],
  ])('%s', async (text, problem) => {
    expect(await parse(file('a.json', text))).toContainEqual(problem);
  });

  it('refuses what is no JSON at all', async () => {
    await expect(parse(file('a.json', 'hello'))).rejects.toThrow('a.json: There is "h" where a value should begin, at character 1. Nothing was imported.');
  });
});

describe('.csv and .tsv', () => {
  it('reads quoted commas, quotes and line breaks, through BOM and CRLF', async () => {
    const text = '\uFEFFquestion,answer\r\n"a, ""b""","line 1\r\nline 2"\r\n\r\nc,\r\n';
    expect(await parse(file('a.csv', text))).toEqual(good({ question: 'a, "b"', answer: 'line 1\nline 2' }, { question: 'c', answer: '' }));
    expect(await parse(file('a.tsv', 'a\tb\n1,2\t"3\t4"'))).toEqual(good({ a: '1,2', b: '3\t4' }));
    expect(await parse(file('a.csv', 'a;b\n1;2\n'))).toEqual(good({ a: '1', b: '2' }));
    expect(await parse(file('a.csv', ',a\n0,x\n'))).toEqual(good({ 'column 1': '0', a: 'x' }));
  });

  it('names row and column of what does not fit the header', async () => {
    expect(await parse(file('a.csv', 'a,b,c\n1,2\n1,2,3,4\n1,2,3\n'))).toEqual([
      { row: 1, problem: { what: 'it has 2 of 3 fields', column: 'c' } },
      { row: 2, problem: { what: 'it has 4 fields, the header names 3', column: 'c' } },
      { row: 3, value: { a: '1', b: '2', c: '3' } },
    ]);
    expect(await parse(file('a.csv', 'a,b\n1,2\n3,"4\n5,6\n'))).toEqual([
      { row: 1, value: { a: '1', b: '2' } },
      { row: 2, problem: { what: 'a quoted field does not end', column: 'b' } },
    ]);
    expect((await parse(file('a.csv', 'a,b\n1,"x" y\n2,3\n')))[0]).toMatchObject({ row: 1, problem: { column: 'b' } });
    await expect(parse(file('a.csv', 'a,a\n1,2\n'))).rejects.toThrow('a.csv: The header names the column "a" twice. Nothing was imported.');
  });

  it('reads what Papa Parse writes, however it is cut', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', 'é', ' ', ';'), maxLength: 6 });
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1 }), fc.integer({ min: 1, max: 30 }), async (cells, chunkSize) => {
      const text = Papa.unparse({ fields: ['x', 'y'], data: cells }, { quotes: true });
      expect(await parse(file('a.csv', text, chunkSize))).toEqual(good(...cells.map(([x, y]) => ({ x, y }))));
    }));
  });
});

describe('.txt', () => {
  it('takes paragraphs, or documents where they are marked', async () => {
    expect(await parse(file('a.txt', 'one\ntwo\n\n\nthree\n'))).toEqual(good({ text: 'one\ntwo' }, { text: 'three' }));
    expect(await parse(file('a.txt', 'one\n\ntwo\n<|endoftext|>\nthree', 100))).toEqual(good({ text: 'one\n\ntwo' }, { text: 'three' }));
  });
});

describe('any file', () => {
  it('is read through gzip, and its raw bytes are shown', async () => {
    const packed = gzipSync('{"a":1}\n');
    let seen = 0;
    for await (const rows of parseRows(file('a.jsonl.gz', packed), (bytes) => { seen += bytes.length; })) if (rows.length > 0) expect(rows).toMatchObject(good({ a: 1 }));
    expect(seen).toBe(packed.length);
    await expect(parse(file('a.jsonl.gz', packed.subarray(0, 15)))).rejects.toThrow('a.jsonl.gz: The gzip stream is damaged or cut short.');
  });

  it('is refused where its kind or its encoding is unknown', async () => {
    await expect(parse(file('a.docx', 'x'))).rejects.toThrow('a.docx: Files of this kind cannot be read.');
    await expect(parse(file('a.csv', Uint8Array.of(0xff, 0xfe, 0x61, 0)))).rejects.toThrow('a.csv: The text is encoded as UTF-16.');
  });

  it('turns bytes that are no UTF-8 into U+FFFD', async () => {
    expect(await parse(file('a.csv', Uint8Array.of(0x61, 0x0a, 0xe9, 0x0a)))).toEqual(good({ a: '\uFFFD' }));
  });
});
