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
    const contents = new TextEncoder().encode('the same the same the same');
    const packed = deflateRawSync(contents);
    const name = new TextEncoder().encode('a.txt');
    const record = (signature: number, fields: [size: 2 | 4, value: number][]): Uint8Array => {
      const view = new DataView(new ArrayBuffer(4 + fields.reduce((sum, [size]) => sum + size, 0)));
      view.setUint32(0, signature, true);
      let at = 4;
      for (const [size, value] of fields) {
        if (size === 2) view.setUint16(at, value, true);
        else view.setUint32(at, value, true);
        at += size;
      }
      return new Uint8Array(view.buffer);
    };
    const common: [2 | 4, number][] = [[2, 20], [2, 0], [2, 8], [4, 0], [4, nodeCrc32(contents)], [4, packed.length], [4, contents.length], [2, name.length], [2, 0]];
    const local = [record(0x04034b50, common), name, packed];
    const directory = [record(0x02014b50, [[2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, 0]]), name];
    const size = (parts: Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);
    const end = record(0x06054b50, [[2, 0], [2, 0], [2, 1], [2, 1], [4, size(directory)], [4, size(local)], [2, 0]]);
    const archive = new Blob([...local, ...directory, end].map((part) => Uint8Array.from(part)));
    expect(await (await unzipFiles(archive, 'x.zip')).get('a.txt')?.text()).toBe('the same the same the same');
  });
});
