import { deflateRawSync, crc32 as nodeCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { unzipFiles, zipFiles } from './zip.ts';

const toBlob = (stream: ReadableStream<Uint8Array>): Promise<Blob> => new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).blob();
const bytesOf = async (blob: Blob): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await blob.arrayBuffer());

describe('zip', () => {
  const weights = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) % 251);
  const files = new Map([['config.json', new Blob(['{}'])], ['modèle.bin', new Blob([weights])], ['empty', new Blob([])]]);

  it('reads back what it streamed, under the folder', async () => {
    const read = await unzipFiles(await toBlob(zipFiles(files, 'my-model')), 'x.zip');
    expect([...read.keys()]).toEqual(['my-model/config.json', 'my-model/modèle.bin', 'my-model/empty']);
    expect(await bytesOf(read.get('my-model/modèle.bin')!)).toEqual(weights);
  });

  it('finds the damaged entry by its checksum', async () => {
    const bytes = await bytesOf(await toBlob(zipFiles(files, 'm')));
    bytes[bytes.length >> 1]! ^= 1;
    await expect(unzipFiles(new Blob([bytes]), 'x.zip')).rejects.toThrow('x.zip: m/modèle.bin: its bytes do not match their checksum');
  });

  it('refuses what is no archive and what was cut short', async () => {
    await expect(unzipFiles(new Blob(['hello']), 'x.zip')).rejects.toThrow('x.zip: not a zip archive, or cut short');
    const bytes = await bytesOf(await toBlob(zipFiles(files, 'm')));
    await expect(unzipFiles(new Blob([bytes.subarray(0, bytes.length - 30)]), 'x.zip')).rejects.toThrow('cut short');
  });

  it('reads deflated entries, as other programs write them', async () => {
    const read = await unzipFiles(archiveOf([{ name: 'a.txt', contents: 'the same the same the same', deflate: true }]), 'x.zip');
    expect(await read.get('a.txt')?.text()).toBe('the same the same the same');
  });

  it('reads zip64 directories', async () => {
    const read = await unzipFiles(archiveOf([{ name: 'folder/', contents: '' }, { name: 'folder/a.txt', contents: 'a' }], { zip64: true }), 'x.zip');
    expect([...read.keys()]).toEqual(['folder/a.txt']);
    expect(await read.get('folder/a.txt')?.text()).toBe('a');
  });

  it.each(['../a', '/etc/a', 'a/../../b', 'C:/a', String.raw`..\a`, 'a\0b', ''])('refuses the name %j', async (name) => {
    await expect(unzipFiles(archiveOf([{ name, contents: 'a' }]), 'x.zip')).rejects.toThrow(`x.zip: ${JSON.stringify(name)}: is a name that leads out of the archive`);
  });

  it.each<[string, Entry[], string]>([
    ['encrypted entries', [{ name: 'a', contents: 'a', flags: 1 }], 'x.zip: "a": is encrypted'],
    ['other compression', [{ name: 'a', contents: 'a', method: 93 }], 'x.zip: a: is compressed by method 93'],
    ['a name twice', [{ name: 'a', contents: 'a' }, { name: 'a', contents: 'b' }], 'x.zip: a: is in the archive twice'],
    ['a wrong checksum', [{ name: 'a', contents: 'a', crc: 7 }], 'x.zip: a: its bytes do not match their checksum'],
    ['less than promised', [{ name: 'a', contents: 'abc', deflate: true, size: 9 }], 'x.zip: a: has 3 bytes instead of 9'],
    ['more than promised', [{ name: 'a', contents: 'abc'.repeat(100_000), deflate: true, size: 3 }], 'x.zip: a: unpacks to more than the 3 bytes'],
    ['what is not deflated', [{ name: 'a', contents: 'abc', method: 8 }], 'x.zip: a: its compressed bytes are damaged'],
    ['a bomb', [{ name: 'a', contents: '0'.repeat(70_000_000), deflate: true }], 'x.zip: it would unpack to 70000000 bytes'],
    ['entries that share bytes', Array.from({ length: 50 }, (_, i) => ({ name: `a${i}`, contents: 'x'.repeat(10_000), at: 0 })), 'x.zip: its entries take more bytes than the archive has'],
  ])('refuses %s', async (_, entries, message) => {
    await expect(unzipFiles(archiveOf(entries), 'x.zip')).rejects.toThrow(message);
  });
});

interface Entry {
  readonly name: string;
  readonly contents: string;
  readonly deflate?: boolean;
  /** What the directory says instead of the truth. */
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly size?: number;
  /** Offset of another entry's bytes, which this one shares. */
  readonly at?: number;
}

/** Little-endian numbers of 2, 4 or 8 bytes, one after the other. */
function record(...fields: readonly (readonly [size: 2 | 4 | 8, value: number])[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

/** An archive as other programs write it, field by field (PKWARE APPNOTE 4.3). */
function archiveOf(entries: readonly Entry[], { zip64 = false } = {}): Blob {
  const body: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0);
  for (const entry of entries) {
    const contents = new TextEncoder().encode(entry.contents);
    const stored = entry.deflate === true ? Uint8Array.from(deflateRawSync(contents)) : contents;
    const name = new TextEncoder().encode(entry.name);
    const size = entry.size ?? contents.length;
    const method = entry.method ?? (entry.deflate === true ? 8 : 0);
    const start = entry.at ?? lengthOf(body);
    const common = [[2, 45], [2, entry.flags ?? 0], [2, method], [4, 0], [4, entry.crc ?? nodeCrc32(contents)]] as const;
    if (start === lengthOf(body)) body.push(record([4, 0x04034b50], ...common, [4, stored.length], [4, size], [2, name.length], [2, 0]), name, stored);
    const far = 0xffff_ffff;
    const extra = zip64 ? record([2, 0x7075], [2, 0], [2, 1], [2, 24], [8, size], [8, stored.length], [8, start]) : record();
    const sizes = zip64 ? ([[4, far], [4, far]] as const) : ([[4, stored.length], [4, size]] as const);
    directory.push(record([4, 0x02014b50], [2, 45], ...common, ...sizes, [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, zip64 ? far : start]), name, extra);
  }
  const [offset, size, count] = [lengthOf(body), lengthOf(directory), entries.length];
  const end64 = record([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, offset], [4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]);
  const end = zip64 ? record([4, 0x06054b50], [2, 0], [2, 0], [2, 0xffff], [2, 0xffff], [4, 0xffff_ffff], [4, 0xffff_ffff], [2, 0]) : record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return new Blob([...body, ...directory, ...(zip64 ? [end64] : []), end]);
}
