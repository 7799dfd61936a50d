import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Row } from './parse.ts';
import { parseRows } from './parse.ts';

async function read(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const some of parseRows(new File([bytes], name))) for (const parsed of some) if ('value' in parsed) rows.push(parsed.value);
  return rows;
}

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
      const rows = await read(name, Uint8Array.from(readFileSync(new URL(name, shared))));
      expect(rows.map((row, i) => asExpected(Object.values(row), expected[i]))).toEqual(expected);
    });
  });
}
