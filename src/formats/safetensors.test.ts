import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from './formatError.ts';
import { assertFinite, decodeFloats, encodeFloats, openSafetensors, parseSafetensors, readRawTensor, readTensor, streamSafetensors, writeSafetensors } from './safetensors.ts';
import type { RawTensor, TensorToWrite } from './safetensors.ts';

/** A file from header text (a string, or an object to be printed) and data bytes. */
function file(header: unknown, data: readonly number[] = [], declaredLength?: bigint): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.byteLength + data.length);
  new DataView(bytes.buffer).setBigUint64(0, declaredLength ?? BigInt(json.byteLength), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.byteLength);
  return bytes;
}

const u8 = (begin: number, end: number): object => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] });
const floats = (name: string, values: number[], shape = [values.length]): TensorToWrite => ({
  name, dtype: 'F32', shape, bytes: encodeFloats(Float32Array.from(values), 'F32'),
});

describe('reading the header', () => {
  it('lists tensors in byte order, with ranges counted from the start of the file', () => {
    const bytes = file({ __metadata__: { format: 'pt' }, z: u8(2, 5), a: u8(0, 2) }, [1, 2, 3, 4, 5]);
    const { tensors, metadata } = parseSafetensors(bytes, 'x');
    expect([...tensors.keys()]).toEqual(['a', 'z']);
    expect(tensors.get('z')).toEqual({ name: 'z', dtype: 'U8', shape: [3], byteRange: [bytes.length - 3, bytes.length] });
    expect(metadata).toEqual(new Map([['format', 'pt']]));
  });

  it('takes scalars, zero-sized dimensions, no tensors at all, and a tensor named __proto__', () => {
    const scalar = { dtype: 'I32', shape: [], data_offsets: [0, 4] };
    expect(parseSafetensors(file({ s: scalar, e: { dtype: 'F64', shape: [2 ** 32, 2 ** 31, 0], data_offsets: [4, 4] } }, [0, 0, 0, 0]), 'x').tensors.size).toBe(2);
    expect(parseSafetensors(file('{}   '), 'x').tensors.size).toBe(0);
    expect([...parseSafetensors(file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [7]), 'x').tensors.keys()]).toEqual(['__proto__']);
    expect([...parseSafetensors(file('{"__metadata__":{"__proto__":"p","constructor":"c"}}'), 'x').metadata]).toEqual([['__proto__', 'p'], ['constructor', 'c']]);
  });

  it('lists every dtype of the reference library', () => {
    const bits = {
      BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
      I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
    };
    for (const [dtype, width] of Object.entries(bits)) {
      // Four elements fill whole bytes at every width.
      const header = { t: { dtype, shape: [2, 2], data_offsets: [0, width / 2] } };
      expect(parseSafetensors(file(header, Array.from({ length: width / 2 }, () => 1)), 'x').tensors.get('t')).toMatchObject({ dtype, shape: [2, 2] });
    }
  });

  it('neither recurses nor backtracks, however deep or long the header is', () => {
    const depth = 100_000;
    const deep = '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parseSafetensors(file(`{"a":{"dtype":${deep},"shape":[1],"data_offsets":[0,1]}}`, [1]), 'x')).toThrow(/dtype \[…\] is not one of/);
    expect(() => parseSafetensors(file(`{"a":{"dtype":"U8","shape":[${deep}],"data_offsets":[0,1]}}`, [1]), 'x')).toThrow(/shape \[…\] is not a list/);
    expect(() => parseSafetensors(file(`{"${'\\n'.repeat(1_000_000)}":1}`), 'x')).toThrow(/is not described by an object/);
    expect(() => parseSafetensors(file(`{"a":{"dtype":"U8","shape":[${'9,'.repeat(200_000)}9],"data_offsets":[0,1]}}`, [1]), 'x')).toThrow(/overflows/);
    expect(() => parseSafetensors(file(`{"a":${'1'.repeat(1_000_000)}}`), 'x')).toThrow(/is not described by an object/);
    const brackets = '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
    expect(() => parseSafetensors(file(brackets), 'x')).toThrow(/dtype undefined/);
  });

  it('does not read what an untrusted length promises', async () => {
    const reads: number[] = [];
    const blob = new Proxy(new Blob([file('{}', [], 99_000_000n)]), {
      get: (target, property) => {
        if (property === 'slice') return (start: number, end: number) => (reads.push(end - start), target.slice(start, end));
        return Reflect.get(target, property, target) as unknown;
      },
    });
    await expect(openSafetensors(blob, 'x')).rejects.toThrow('the header should have 99000000 bytes');
    expect(reads).toEqual([8]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a file shorter than its length field', Uint8Array.of(1, 2), /2 bytes/],
    ['a header length over the limit', file('{}', [], 100_000_001n), /over the limit of 100000000/],
    ['a header longer than the file', file('{}', [], 50n), /should have 50 bytes/],
    ['a header that is not an object', file('[]'), /does not start with \{/],
    ['an empty header', file(''), /does not start with \{/],
    ['a header that is cut within', file('{"a":', [], 5n), /not valid JSON/],
    ['__metadata__ that is a list', file({ __metadata__: ['a'] }), /__metadata__: is not an object/],
    ['a tensor that is a number', file({ a: 3 }), /tensor "a": is not described/],
    ['a duplicate key in a tensor', file('{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', [1]), /"dtype" is given twice/],
    ['a duplicate key in the metadata', file('{"__metadata__":{"a":"1","a":"2"}}'), /"a" is given twice/],
    ['a dimension over 2^53', file('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', [1]), /shape \[9007199254740992\] is not a list/],
    ['a header cut off after an escape', file('{"a\\'), /not valid JSON/],
    ['padding with NUL', file('{}\0\0'), /not valid JSON/],
    ['broken UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d), /not valid UTF-8/],
    ['a duplicate tensor', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [1]), /"a" is given twice/],
    ['a number with a fraction', file('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', [1]), /1\.0 is not a whole number/],
    ['minus zero', file('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), /-0 is not a whole number/],
    ['a name that is no Unicode text', file('{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [1]), /half a surrogate pair/],
    ['metadata that is not text', file({ __metadata__: { step: 3 } }), /"step".*not a string/],
    ['an unknown dtype', file({ a: { dtype: 'F33', shape: [1], data_offsets: [0, 1] } }, [1]), /tensor "a".*"F33"/],
    ['a dtype from the prototype', file({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } }, [1]), /"toString"/],
    ['a missing shape', file({ a: { dtype: 'U8', data_offsets: [0, 1] } }, [1]), /tensor "a": shape/],
    ['a negative dimension', file({ a: { dtype: 'U8', shape: [-1], data_offsets: [0, 1] } }, [1]), /shape \[-1\]/],
    ['offsets of three numbers', file({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1, 2] } }, [1]), /data_offsets/],
    ['an end before the begin', file({ a: { dtype: 'U8', shape: [1], data_offsets: [1, 0] } }, [1]), /before it begins/],
    ['a shape that overflows', file({ a: { dtype: 'F64', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] } }, [1]), /overflows/],
    ['a span that does not fit the shape', file({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, [1, 2, 3, 4]), /takes 8 bytes.*span 4/],
    ['a half-filled byte', file({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 1] } }, [1]), /whole bytes/],
    ['a hole', file({ a: u8(0, 1), b: u8(2, 3) }, [1, 2, 3]), /tensor "b".*hole/],
    ['a hole before the first', file({ a: u8(1, 2) }, [1, 2]), /tensor "a".*hole/],
    ['an overlap', file({ a: u8(0, 2), b: u8(1, 3) }, [1, 2, 3]), /tensor "b".*over the bytes/],
    ['an end past the file', file({ a: u8(0, 9) }, [1, 2]), /cut short/],
    ['bytes after the last tensor', file({ a: u8(0, 1) }, [1, 2, 3]), /2 bytes follow/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'model.safetensors')).toThrow(message);
    expect(() => parseSafetensors(bytes, 'model.safetensors')).toThrow(/^model\.safetensors: /);
  });
});

describe('reading tensors', () => {
  it('widens F32, F16 and BF16 from bytes and from a Blob', async () => {
    const values = Float32Array.of(1, -2, 0.5, 3.140625);
    const blob = writeSafetensors((['F32', 'F16', 'BF16'] as const).map((dtype) => ({ name: dtype, dtype, shape: [2, 2], bytes: encodeFloats(values, dtype) })));
    const opened = await openSafetensors(blob, 'x');
    const parsed = parseSafetensors(new Uint8Array(await blob.arrayBuffer()), 'x');
    for (const name of ['F32', 'F16', 'BF16']) {
      expect(await readTensor(opened, name)).toEqual(values);
      expect(await readTensor(parsed, name)).toEqual(values);
    }
  });

  it('names the tensor and its dtype when it cannot, or when it is missing', async () => {
    const opened = parseSafetensors(file({ ids: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, [0, 0, 0, 0, 0, 0, 0, 0]), 'x');
    await expect(readTensor(opened, 'ids')).rejects.toThrow('x: tensor "ids": is stored as I64');
    await expect(readTensor(opened, 'idx')).rejects.toThrow('tensor "idx": is not in this file');
    expect(await readRawTensor(opened, 'ids')).toEqual({ dtype: 'I64', bytes: new Uint8Array(8) });
  });

  it('says which tensor holds NaN or infinity, where, and how many', () => {
    const raw = (...values: number[]): RawTensor => ({ dtype: 'F32', bytes: encodeFloats(Float32Array.from(values), 'F32') });
    expect(() => assertFinite(raw(1, NaN, Infinity), 'w', 'm')).toThrow('m: tensor "w": element 1 is NaN; 2 of 3 are not finite');
    expect(() => assertFinite(raw(1, 2), 'w', 'm')).not.toThrow();
    expect(() => assertFinite({ dtype: 'I64', bytes: new Uint8Array(8).fill(0xff) }, 'ids', 'm')).not.toThrow();
  });

  it('reads no byte outside the tensor, and widens in pieces', async () => {
    const long = new Float32Array(5 * 2 ** 20).fill(3).fill(-7, 4 * 2 ** 20 - 1, 4 * 2 ** 20 + 1);
    const source = writeSafetensors([{ name: 'long', dtype: 'BF16', shape: [long.length], bytes: encodeFloats(long, 'BF16') }, floats('other', [1, 2])]);
    const slices: [number, number][] = [];
    const blob = new Proxy(source, {
      get: (target, property) => {
        if (property === 'slice') return (start: number, end: number) => (slices.push([start, end]), target.slice(start, end));
        return Reflect.get(target, property, target) as unknown;
      },
    });
    const opened = await openSafetensors(blob, 'x');
    slices.length = 0;
    expect(Buffer.from((await readTensor(opened, 'long')).buffer).equals(Buffer.from(long.buffer))).toBe(true);
    const [start, end] = opened.tensors.get('long')!.byteRange;
    expect(slices).toEqual([[start, start + 8 * 2 ** 20], [start + 8 * 2 ** 20, end]]);
  });
});

describe('writing', () => {
  it('orders by width then name, pads to 8 bytes, and always says format pt', async () => {
    const half: TensorToWrite = { name: 'a', dtype: 'F16', shape: [1], bytes: encodeFloats(Float32Array.of(1), 'F16') };
    const bytes = new Uint8Array(await writeSafetensors([half, floats('c', [3]), floats('b', [2])], { step: '12' }).arrayBuffer());
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd()).toBe(
      '{"__metadata__":{"step":"12","format":"pt"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
      '"c":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}',
    );
  });

  it('refuses a name used twice and bytes that do not fill the shape', () => {
    expect(() => writeSafetensors([floats('a', [1]), floats('a', [2])])).toThrow('tensor "a": is named twice');
    expect(() => writeSafetensors([floats('a', [1], [2])])).toThrow('takes 8 bytes, 4 were given');
    expect(() => writeSafetensors([floats('__metadata__', [1])])).toThrow('named twice');
  });

  it('streams the same bytes', async () => {
    const tensors = [floats('b', [1, 2]), floats('a', [3])];
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of streamSafetensors(tensors.map((item) => ({ ...item, bytes: () => Promise.resolve(item.bytes) })), { k: 'v' })) pieces.push(piece);
    expect(await new Blob(pieces).bytes()).toEqual(await writeSafetensors(tensors, { k: 'v' }).bytes());
  });

  it('reads back what was written, whatever the names and shapes', async () => {
    const tensor = fc.record({
      name: fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__'),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      dtype: fc.constantFrom('F32' as const, 'F16' as const, 'BF16' as const),
      seed: fc.integer({ min: -1000, max: 1000 }),
    });
    await fc.assert(fc.asyncProperty(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 }), async (specs) => {
      const written = specs.map(({ name, shape, dtype, seed }) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return { name, shape, dtype, bytes: encodeFloats(Float32Array.from({ length: count }, (_, i) => seed + i / 4), dtype) };
      });
      const opened = await openSafetensors(writeSafetensors(written), 'x');
      expect(opened.tensors.size).toBe(written.length);
      for (const { name, shape, dtype, bytes } of written) {
        expect(opened.tensors.get(name)).toMatchObject({ shape, dtype });
        expect(await readTensor(opened, name)).toEqual(decodeFloats(bytes, dtype));
      }
    }));
  });
});

const conformance = new URL('../../../shared/data/safetensors-conformance/', import.meta.url);
if (existsSync(new URL('cases.json', conformance))) {
  interface Case {
    file: string;
    expect: 'ok' | 'error';
    tensors?: Record<string, { dtype: string; shape: number[]; values?: number[] }>;
  }
  const { cases } = JSON.parse(readFileSync(new URL('cases.json', conformance), 'utf8')) as { cases: Case[] };
  describe('conformance cases of the reference library', () => {
    it.each(cases)('$file: $expect', async (item) => {
      const bytes = new Uint8Array(readFileSync(new URL(item.file, conformance)));
      if (item.expect === 'error') {
        expect(() => parseSafetensors(bytes, item.file)).toThrow(FormatError);
        return;
      }
      const opened = parseSafetensors(bytes, item.file);
      expect(Object.fromEntries([...opened.tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }])))
        .toEqual(Object.fromEntries(Object.entries(item.tensors ?? {}).map(([name, { dtype, shape }]) => [name, { dtype, shape }])));
      for (const [name, { dtype, values }] of Object.entries(item.tensors ?? {})) {
        if (dtype === 'F32' && values !== undefined) expect([...await readTensor(opened, name)]).toEqual(values);
      }
    });
  });
}
