/**
 * @file Reads and writes safetensors: a u64 header length, a JSON header, then the tensors back to back.
 * The rules are those of the reference library (github.com/huggingface/safetensors, safetensors/src/tensor.rs); on top of them duplicate keys,
 * which JSON.parse hides, are refused.
 */
import type { FloatDtype } from './floats.ts';
import { bfloat16ToFloat32, findNonFinite, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './floats.ts';
import { FormatError, show } from './formatError.ts';
import { scanStrictJson } from './strictJson.ts';

const BITS = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8,
  F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
} as const;

export type SafetensorsDtype = keyof typeof BITS;

export type { FloatDtype } from './floats.ts';

const MAX_HEADER_LENGTH = 100_000_000;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Row-major; `[]` is a scalar, a zero anywhere means no bytes. */
  readonly shape: readonly number[];
  /** First byte and one past the last, counted from the start of the file. */
  readonly byteRange: readonly [start: number, end: number];
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** An opened file: its header, and where the bytes come from. */
export interface SafetensorsFile extends SafetensorsHeader {
  readonly fileName: string;
  readonly source: Blob | Uint8Array;
}

/**
 * Reads and checks the header. A Blob is not read further than that.
 * @throws FormatError naming the tensor or the offset.
 */
export async function openSafetensors(source: Blob | Uint8Array, fileName: string): Promise<SafetensorsFile> {
  const size = source instanceof Blob ? source.size : source.byteLength;
  const head = await readBytes(source, 0, Math.min(8, size));
  const headerLength = checkHeaderLength(head, size, fileName);
  const header = await readBytes(source, 8, 8 + headerLength);
  return { ...parseHeader(header, size, fileName), fileName, source };
}

/** `openSafetensors` for bytes that are in memory already. */
export function parseSafetensors(bytes: Uint8Array, fileName: string): SafetensorsFile {
  const headerLength = checkHeaderLength(bytes.subarray(0, 8), bytes.byteLength, fileName);
  return { ...parseHeader(bytes.subarray(8, 8 + headerLength), bytes.byteLength, fileName), fileName, source: bytes };
}

function checkHeaderLength(head: Uint8Array, fileSize: number, fileName: string): number {
  if (head.byteLength < 8) throw new FormatError(fileName, 'byte 0', `the file has ${fileSize} bytes; the header length alone takes 8`);
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    throw new FormatError(fileName, 'byte 0', `the header length is ${length}, over the limit of ${MAX_HEADER_LENGTH}; this is not a safetensors file, or it is damaged`);
  }
  if (Number(length) + 8 > fileSize) {
    throw new FormatError(fileName, 'byte 8', `the header should have ${length} bytes, and the file ends after ${fileSize - 8}`);
  }
  return Number(length);
}

function parseHeader(bytes: Uint8Array, fileSize: number, fileName: string): SafetensorsHeader {
  const fail = (where: string, what: string): never => {
    throw new FormatError(fileName, where, what);
  };
  if (bytes[0] !== 0x7b) fail('byte 8', 'the header does not start with {');
  let text = '';
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (error) {
    fail('header', error instanceof SyntaxError ? `not valid JSON (${error.message})` : 'not valid UTF-8');
  }
  const irregular = scanStrictJson(text);
  if (irregular !== undefined) fail('header', irregular);

  const metadata = new Map<string, string>();
  const entries: TensorEntry[] = [];
  const dataStart = 8 + bytes.byteLength;
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (name !== '__metadata__') {
      entries.push(parseEntry(name, value, dataStart, fail));
    } else if (value !== null) {
      if (!isRecord(value)) fail('__metadata__', 'is not an object');
      for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
        if (typeof item !== 'string') fail(`__metadata__ key ${show(key)}`, 'its value is not a string');
        metadata.set(key, item as string);
      }
    }
  }
  return { tensors: checkLayout(entries, dataStart, fileSize, fail), metadata };
}

type Fail = (where: string, what: string) => never;

function parseEntry(name: string, value: unknown, dataStart: number, fail: Fail): TensorEntry {
  const where = `tensor ${show(name)}`;
  if (!isRecord(value)) return fail(where, 'is not described by an object');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !isDtype(dtype)) return fail(where, `dtype ${show(dtype)} is not one of ${Object.keys(BITS).join(', ')}`);
  if (!isCounts(shape)) return fail(where, `shape ${show(shape)} is not a list of whole numbers`);
  if (!isCounts(offsets) || offsets.length !== 2) return fail(where, `data_offsets ${show(offsets)} is not a pair of whole numbers`);
  const [begin, end] = offsets as [number, number];
  if (end < begin) return fail(where, `ends at offset ${end}, before it begins at ${begin}`);

  let bits = 1n;
  for (const factor of [...shape, BITS[dtype]]) {
    bits *= BigInt(factor);
    if (bits >= 1n << 64n) return fail(where, `shape ${show(shape)} overflows`);
  }
  if (bits % 8n !== 0n) return fail(where, `shape ${show(shape)} of ${dtype} does not fill whole bytes`);
  if (bits / 8n !== BigInt(end - begin)) {
    return fail(where, `shape ${show(shape)} of ${dtype} takes ${bits / 8n} bytes, its offsets ${begin} to ${end} span ${end - begin}`);
  }
  return { name, dtype, shape, byteRange: [dataStart + begin, dataStart + end] };
}

/** No hole, no overlap, first at 0, last at the end of the file. */
function checkLayout(entries: TensorEntry[], dataStart: number, fileSize: number, fail: Fail): Map<string, TensorEntry> {
  entries.sort((a, b) => a.byteRange[0] - b.byteRange[0] || a.byteRange[1] - b.byteRange[1]);
  let position = dataStart;
  for (const { name, byteRange: [start, end] } of entries) {
    const where = `tensor ${show(name)}`;
    if (start > position) fail(where, `begins at offset ${start - dataStart}, leaving a hole after ${position - dataStart}`);
    if (start < position) fail(where, `begins at offset ${start - dataStart}, over the bytes of another tensor that ends at ${position - dataStart}`);
    if (end > fileSize) fail(where, `ends at offset ${end - dataStart}, and the file has ${fileSize - dataStart} bytes of data; the download may be cut short`);
    position = end;
  }
  if (position !== fileSize) fail(`offset ${position - dataStart}`, `${fileSize - position} bytes follow the last tensor`);
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** A tensor as it is stored: little-endian, row-major. */
export interface RawTensor {
  readonly dtype: SafetensorsDtype;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The bytes of one tensor, and nothing else of the file. @throws FormatError when it is missing. */
export async function readRawTensor(file: SafetensorsFile, name: string): Promise<RawTensor> {
  const { dtype, byteRange } = entryOf(file, name);
  return { dtype, bytes: await readBytes(file.source, byteRange[0], byteRange[1]) };
}

/** Bytes of a 16-bit tensor held beside the float32 they are widened to. */
const PIECE = 8 * 2 ** 20;

/**
 * One tensor widened to float32, flat in row-major order; beyond its result this holds 8 MB, whatever the size of the tensor.
 * @throws FormatError when the tensor is missing or its dtype is not F32, F16 or BF16.
 */
export async function readTensor(file: SafetensorsFile, name: string): Promise<Float32Array<ArrayBuffer>> {
  const { dtype, byteRange: [start, end] } = entryOf(file, name);
  if (!isFloatDtype(dtype)) {
    throw new FormatError(file.fileName, `tensor ${show(name)}`, `is stored as ${dtype}; F32, F16 and BF16 can be read. Save the checkpoint in one of these`);
  }
  if (dtype === 'F32') return new Float32Array((await readBytes(file.source, start, end)).buffer);
  const values = new Float32Array((end - start) / 2);
  for (let at = start; at < end; at += PIECE) {
    const bytes = await readBytes(file.source, at, Math.min(at + PIECE, end));
    widen(new Uint16Array(bytes.buffer), dtype, values.subarray((at - start) / 2, (at - start + bytes.length) / 2));
  }
  return values;
}

/** @throws FormatError naming the tensor, the first element that is NaN or infinite and how many there are. */
export function assertFinite({ dtype, bytes }: RawTensor, tensorName: string, fileName: string): void {
  const bad = isFloatDtype(dtype) ? findNonFinite(bytes, dtype) : undefined;
  if (!bad) return;
  const size = bytes.length / (BITS[dtype] / 8);
  const value = decodeFloats(bytes.subarray((bad.index * BITS[dtype]) / 8, ((bad.index + 1) * BITS[dtype]) / 8), dtype as FloatDtype)[0];
  throw new FormatError(fileName, `tensor ${show(tensorName)}`, `element ${bad.index} is ${value}; ${bad.count} of ${size} are not finite. Weights that hold NaN or infinity train to nothing: use another checkpoint`);
}

/** Little-endian bytes of a float dtype -> float32, copied. `bytes` may start at any offset. */
export function decodeFloats(bytes: Uint8Array, dtype: FloatDtype): Float32Array<ArrayBuffer> {
  const { buffer } = bytes.slice();
  return dtype === 'F32' ? new Float32Array(buffer) : widen(new Uint16Array(buffer), dtype);
}

const widen = (bits: Uint16Array, dtype: 'F16' | 'BF16', values?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  dtype === 'BF16' ? bfloat16ToFloat32(bits, values) : float16ToFloat32(bits, values);

/** float32 -> little-endian bytes of a float dtype. */
export function encodeFloats(values: Float32Array, dtype: FloatDtype): Uint8Array<ArrayBuffer> {
  const stored = dtype === 'F32' ? values.slice() : dtype === 'BF16' ? float32ToBfloat16(values) : float32ToFloat16(values);
  return new Uint8Array(stored.buffer);
}

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A tensor whose bytes are asked for when their turn to be written comes, so that only one is in memory. */
export interface LazyTensor extends Omit<TensorToWrite, 'bytes'> {
  readonly bytes: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** Bytes that a tensor of this dtype and shape takes. */
export const tensorBytes = ({ dtype, shape }: Pick<TensorToWrite, 'dtype' | 'shape'>): number => (shape.reduce((product, size) => product * size, 1) * BITS[dtype]) / 8;

/**
 * A file that the reference library opens: widest dtypes first, then by name, header padded with spaces to 8 bytes, `format: "pt"` always present
 * (transformers refuses a file without it). Tied weights are the caller's: leave out lm_head.weight.
 * @throws FormatError for a name used twice or bytes that do not fill the shape.
 */
export function writeSafetensors(tensors: Iterable<TensorToWrite>, metadata?: Readonly<Record<string, string>>): Blob {
  const { head, ordered } = layOut(tensors, metadata);
  return new Blob([head, ...ordered.map((tensor) => filling(tensor, tensor.bytes))]);
}

/** The same file piece by piece. */
export async function* streamSafetensors(tensors: Iterable<TensorToWrite | LazyTensor>, metadata?: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const { head, ordered } = layOut(tensors, metadata);
  yield head;
  for (const tensor of ordered) yield filling(tensor, typeof tensor.bytes === 'function' ? await tensor.bytes() : tensor.bytes);
}

function layOut<Tensor extends Omit<TensorToWrite, 'bytes'>>(tensors: Iterable<Tensor>, metadata: Readonly<Record<string, string>> = {}): { head: Uint8Array<ArrayBuffer>; ordered: Tensor[] } {
  const ordered = [...tensors].sort((a, b) => BITS[b.dtype] - BITS[a.dtype] || (a.name < b.name ? -1 : 1));
  const fields = [`"__metadata__":${JSON.stringify({ ...metadata, format: 'pt' })}`];
  const names = new Set(['__metadata__']);
  let offset = 0;
  for (const { name, dtype, shape } of ordered) {
    if (names.has(name)) throw new FormatError('safetensors', `tensor ${show(name)}`, 'is named twice');
    names.add(name);
    const end = offset + tensorBytes({ dtype, shape });
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const head = new Uint8Array(8 + Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.byteLength - 8), true);
  head.set(json, 8);
  return { head, ordered };
}

function filling(tensor: Omit<TensorToWrite, 'bytes'>, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const expected = tensorBytes(tensor);
  if (bytes.byteLength === expected) return bytes;
  throw new FormatError('safetensors', `tensor ${show(tensor.name)}`, `shape ${show(tensor.shape)} of ${tensor.dtype} takes ${expected} bytes, ${bytes.byteLength} were given`);
}

async function readBytes(source: Blob | Uint8Array, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  return source instanceof Blob ? new Uint8Array(await source.slice(start, end).arrayBuffer()) : source.slice(start, end);
}

function entryOf(file: SafetensorsFile, name: string): TensorEntry {
  const entry = file.tensors.get(name);
  if (entry === undefined) throw new FormatError(file.fileName, `tensor ${show(name)}`, 'is not in this file');
  return entry;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isDtype = (value: string): value is SafetensorsDtype => Object.hasOwn(BITS, value);
const isFloatDtype = (dtype: SafetensorsDtype): dtype is FloatDtype => dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
