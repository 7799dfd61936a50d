/**
 * @file Files as an enemy or a broken disk makes them: thousands of mutations of safetensors files, shard indexes and zip archives. Every one opens or
 * is refused with a FormatError; none crashes, hangs or makes the reader allocate more than the file is long.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recogniseFiles } from './drop.ts';
import { readModelFolder } from './folder.ts';
import { FormatError } from './formatError.ts';
import { encodeFloats, parseSafetensors, readRawTensor, writeSafetensors } from './safetensors.ts';
import { scanStrictJson } from './strictJson.ts';
import { unzipFiles, zipFiles } from './zip.ts';

/** A file that opens, to be damaged: three tensors, one of them empty, and metadata. */
const valid = new Uint8Array(await writeSafetensors([
  { name: 'model.embed_tokens.weight', dtype: 'F32', shape: [2, 2], bytes: encodeFloats(Float32Array.of(1, 2, 3, 4), 'F32') },
  { name: 'norm', dtype: 'BF16', shape: [3], bytes: encodeFloats(Float32Array.of(1, 2, 3), 'BF16') },
  { name: 'empty', dtype: 'I64', shape: [0, 7], bytes: new Uint8Array() },
], { origin: 'fuzz' }).arrayBuffer());
const headerEnd = 8 + Number(new DataView(valid.buffer).getBigUint64(0, true));
const header = new TextDecoder().decode(valid.subarray(8, headerEnd));
const data = valid.subarray(headerEnd);

function withHeader(text: string): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** `opened`, `refused` for a FormatError, or what else went wrong. */
async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'opened';
  } catch (error) {
    return error instanceof FormatError ? 'refused' : String(error);
  }
}

/** What opens can be read, and its tensors lie within the file. */
const expectSurvival = async (bytes: Uint8Array): Promise<void> => {
  expect(await outcome(async () => {
    const file = parseSafetensors(bytes, 'fuzz.safetensors');
    let total = 0;
    for (const name of file.tensors.keys()) total += (await readRawTensor(file, name)).bytes.length;
    if (total > bytes.length) throw new RangeError(`${total} bytes were read from ${bytes.length}`);
  })).toMatch(/^(opened|refused)$/u);
};

/** Texts that break parsers, or that a valid header has somewhere. */
const fragment = fc.constantFrom(
  '{', '}', '[', ']', '"', ',', ':', '\\', '\\u0000', '\\ud800', 'null', 'true', '-0', '1.0', '1e999', '-1', '9007199254740993', '18446744073709551616', ' ', '\u0000', '\ufeff', 'é',
  '"__proto__":', '"__metadata__":{', '"constructor"', '"dtype"', '"F64"', '"BOOL"', '"F8_E4M3"', '"shape":[', '"data_offsets":[0,', '[0,0]', '[16,22]',
);
const mutation = fc.record({ at: fc.nat(), cut: fc.nat(12), insert: fc.array(fragment, { maxLength: 3 }) });
const mutate = (text: string, mutations: readonly { at: number; cut: number; insert: string[] }[]): string =>
  mutations.reduce((result, { at, cut, insert }) => {
    const position = at % (result.length + 1);
    return result.slice(0, position) + insert.join('') + result.slice(position + cut);
  }, text);

describe('safetensors', () => {
  it('survives 4,000 mutated headers', async () => {
    await fc.assert(fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => expectSurvival(withHeader(mutate(header, mutations)))), { numRuns: 4000 });
  });

  it('survives 2,000 files with bytes changed, cut or added', async () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
    await fc.assert(fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.integer({ min: -valid.length, max: 8 }), async (changes, growth) => {
      const bytes = new Uint8Array(valid.length + growth);
      bytes.set(valid.subarray(0, bytes.length));
      for (const { at, value } of changes) bytes[at % bytes.length] = value;
      await expectSurvival(bytes);
    }), { numRuns: 2000 });
  });

  it('survives 2,000 headers of its own words with random values', async () => {
    const count = fc.oneof(fc.nat(20), fc.double(), fc.constantFrom(-1, 2 ** 53, 2 ** 31, 1e300, null, '1'));
    const entry = fc.record({
      dtype: fc.oneof(fc.constantFrom('F32', 'BF16', 'F4', 'U8', 'F64', 'toString', '__proto__'), fc.jsonValue()),
      shape: fc.oneof(fc.array(count, { maxLength: 5 }), fc.jsonValue()),
      data_offsets: fc.oneof(fc.array(count, { maxLength: 3 }), fc.tuple(fc.nat(22), fc.nat(22))),
    }, { requiredKeys: [] });
    const name = fc.oneof(fc.constantFrom('a', '__metadata__', '__proto__', ''), fc.string({ unit: 'binary' }));
    const headers = fc.oneof(fc.dictionary(name, fc.oneof({ weight: 5, arbitrary: entry }, { weight: 1, arbitrary: fc.jsonValue() })), fc.jsonValue());
    await fc.assert(fc.asyncProperty(headers, (value) => expectSurvival(withHeader(JSON.stringify(value)))), { numRuns: 2000 });
  });

  it('survives 1,000 files of random bytes', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.boolean(), async (bytes, plausible) => {
      if (plausible && bytes.length > 8) bytes.set([bytes.length - 8, 0, 0, 0, 0, 0, 0, 0, 0x7b]);
      await expectSurvival(bytes);
    }), { numRuns: 1000 });
  });
});

describe('strict JSON', () => {
  it('finds nothing in 1,000 texts that JSON.stringify wrote of whole numbers', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value, (_, item: unknown) => (typeof item === 'number' ? Math.trunc(item % 2 ** 40) + 0 : item), 1);
      expect(scanStrictJson(text) ?? 'regular').toBe('regular');
    }), { numRuns: 1000 });
  });

  it('finds the second of two equal keys wherever it stands', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.json(), (key, value) => {
      const name = JSON.stringify(key);
      expect(scanStrictJson(`[{"a":{}},{${name} :1, "x${key.length}": [{${name}:2}], ${name}:${JSON.stringify(value)}}]`)).toContain('given twice');
    }), { numRuns: 200 });
  });
});

describe('folders and archives', () => {
  const index = '{"metadata":{"total_size":22},"weight_map":{"model.embed_tokens.weight":"a.safetensors","norm":"a.safetensors"}}';

  it('survives 1,000 mutated shard indexes and configurations', async () => {
    await fc.assert(fc.asyncProperty(fc.array(mutation, { maxLength: 3 }), fc.array(mutation, { maxLength: 1 }), async (inIndex, inConfig) => {
      expect(await outcome(() => readModelFolder(new Map([
        ['config.json', new Blob([mutate('{"model_type":"llama"}', inConfig)])],
        ['model.safetensors.index.json', new Blob([mutate(index, inIndex)])],
        ['a.safetensors', new Blob([valid])],
      ])))).toMatch(/^(opened|refused)$/u);
    }), { numRuns: 1000 });
  });

  it('survives 1,000 damaged archives', async () => {
    const files = new Map([['config.json', new Blob(['{}'])], ['model.safetensors', new Blob([valid])]]);
    const archive = new Uint8Array(await new Response(zipFiles(files, 'm') as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
    const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
    await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), fc.nat(40), async (changes, cut) => {
      const bytes = archive.slice(0, archive.length - (cut > 20 ? cut - 20 : 0));
      for (const { at, value } of changes) bytes[at % bytes.length] = value;
      expect(await outcome(() => unzipFiles(new Blob([bytes]), 'm.zip'))).toMatch(/^(opened|refused)$/u);
      expect(await outcome(() => recogniseFiles([['m.zip', new Blob([bytes])]]))).toMatch(/^(opened|refused)$/u);
    }), { numRuns: 1000 });
  });
});
