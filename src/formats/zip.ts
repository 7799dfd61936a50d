/**
 * @file One file out of many, and back: exports are streamed into a zip by client-zip; the reader is for opening what was written (or packed again
 * by the user) and checks every byte against its CRC. Entries stay slices of the archive, so a large model is not copied to be looked at. Anyone may
 * have packed the archive: what it claims of itself is checked before it is used.
 */
import { makeZip } from 'client-zip';
import { FormatError, show } from './formatError.ts';
import type { ModelFiles } from './folder.ts';

/** A zip of the files under `folder/`, uncompressed: weights do not shrink, and stored entries can be read in place. */
export function zipFiles(files: ModelFiles, folder: string): ReadableStream<Uint8Array> {
  const entries = [...files].map(([path, input]) => ({ name: `${folder}/${path}`, input, size: input.size }));
  return makeZip(entries, { buffersAreUTF8: true });
}

const END_OF_DIRECTORY = 0x06054b50;
const END_OF_DIRECTORY_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_ENTRY = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
const TO_BE_FOUND_IN_ZIP64 = 0xffff_ffff;
/** Of the general purpose flags: encrypted, strongly encrypted, directory encrypted. */
const ENCRYPTED = 0x2041;

/** What deflated entries may grow to together: weights and JSON stay far below it, and a small archive cannot fill the memory. */
const maxInflated = (archive: Blob): number => Math.max(64 * 2 ** 20, 20 * archive.size);

interface DirectoryEntry {
  readonly path: string;
  readonly method: number;
  readonly crc: number;
  readonly storedSize: number;
  readonly size: number;
  readonly localOffset: number;
}

/**
 * The files of an archive, folders left out. Layout: PKWARE APPNOTE 6.3, sections 4.3 to 4.5.
 * @throws FormatError naming the archive and the entry.
 */
export async function unzipFiles(archive: Blob, archiveName: string): Promise<ModelFiles> {
  const files = new Map<string, Blob>();
  const entries = await readDirectory(archive, archiveName);
  const sum = (size: (entry: DirectoryEntry) => number): number => entries.reduce((total, entry) => total + size(entry), 0);
  // Entries that share bytes make a small archive look endless.
  if (sum(({ storedSize }) => storedSize) > archive.size) throw new FormatError(archiveName, '', 'its entries take more bytes than the archive has; it is damaged or made to do harm');
  const inflated = sum(({ method, size }) => (method === STORED ? 0 : size));
  if (inflated > maxInflated(archive)) throw new FormatError(archiveName, '', `it would unpack to ${inflated} bytes, too many for an archive of ${archive.size}; unpack it yourself and drop the folder`);
  for (const entry of entries) {
    checkPath(entry.path, archiveName);
    if (entry.path.endsWith('/')) continue;
    if (files.has(entry.path)) throw new FormatError(archiveName, entry.path, 'is in the archive twice');
    files.set(entry.path, await readEntry(archive, entry, archiveName));
  }
  return files;
}

/** @throws FormatError for a name that would lead out of the folder it is unpacked into. */
function checkPath(path: string, archiveName: string): void {
  const leaves = path === '' || path.includes('\\') || path.includes('\0') || /^[A-Za-z]:/u.test(path) || path.startsWith('/') || path.split('/').includes('..');
  if (leaves) throw new FormatError(archiveName, show(path), 'is a name that leads out of the archive; pack the folder again');
}

async function readDirectory(archive: Blob, archiveName: string): Promise<DirectoryEntry[]> {
  // The end record closes the file, behind it only a comment of up to 65,535 bytes.
  const tailStart = Math.max(0, archive.size - 65_557);
  const tail = await viewOf(archive.slice(tailStart));
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new FormatError(archiveName, '', 'not a zip archive, or cut short: its directory is missing');

  let count = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  if (end >= 20 && tail.getUint32(end - 20, true) === LOCATOR_64) {
    const at = Number(tail.getBigUint64(end - 12, true));
    const end64 = await viewOf(archive.slice(at, at + 56));
    if (end64.byteLength < 56 || end64.getUint32(0, true) !== END_OF_DIRECTORY_64) throw new FormatError(archiveName, `offset ${at}`, 'the zip64 directory is missing');
    count = Number(end64.getBigUint64(32, true));
    size = Number(end64.getBigUint64(40, true));
    offset = Number(end64.getBigUint64(48, true));
  }

  const directory = await viewOf(archive.slice(offset, offset + size));
  const entries: DirectoryEntry[] = [];
  let position = 0;
  for (let i = 0; i < count; i++) {
    if (position + 46 > directory.byteLength || directory.getUint32(position, true) !== DIRECTORY_ENTRY) {
      throw new FormatError(archiveName, `entry ${i + 1} of ${count}`, 'its directory record is damaged');
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => directory.getUint16(position + at, true)) as [number, number, number];
    const next = position + 46 + nameLength + extraLength + commentLength;
    if (next > directory.byteLength) throw new FormatError(archiveName, `entry ${i + 1} of ${count}`, 'its directory record is damaged');
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, position + 46, nameLength));
    if ((directory.getUint16(position + 8, true) & ENCRYPTED) !== 0) throw new FormatError(archiveName, show(path), 'is encrypted; unpack the archive with its password and drop the folder');
    entries.push({
      path,
      method: directory.getUint16(position + 10, true),
      crc: directory.getUint32(position + 16, true),
      ...readSizes(directory, position, position + 46 + nameLength, extraLength),
    });
    position = next;
  }
  return entries;
}

/** Sizes and offset of a directory record; those of 4 GB and more stand in its zip64 field, in this order. */
function readSizes(directory: DataView, record: number, extraStart: number, extraLength: number): Pick<DirectoryEntry, 'size' | 'storedSize' | 'localOffset'> {
  let position = extraStart;
  while (position + 4 < extraStart + extraLength && directory.getUint16(position, true) !== 1) position += 4 + directory.getUint16(position + 2, true);
  position += 4;
  const [size, storedSize, localOffset] = [24, 20, 42].map((at) => {
    const value = directory.getUint32(record + at, true);
    if (value !== TO_BE_FOUND_IN_ZIP64 || position + 8 > extraStart + extraLength) return value;
    position += 8;
    return Number(directory.getBigUint64(position - 8, true));
  }) as [number, number, number];
  return { size, storedSize, localOffset };
}

async function readEntry(archive: Blob, entry: DirectoryEntry, archiveName: string): Promise<Blob> {
  const { path, method, crc, storedSize, size, localOffset } = entry;
  const local = await viewOf(archive.slice(localOffset, localOffset + 30));
  if (local.byteLength < 30 || local.getUint32(0, true) !== LOCAL_ENTRY) throw new FormatError(archiveName, path, `there is no entry at offset ${localOffset}`);
  // Names and extra fields may differ in length from those of the directory.
  const start = localOffset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const stored = archive.slice(start, start + storedSize);
  if (method !== STORED && method !== DEFLATED) throw new FormatError(archiveName, path, `is compressed by method ${method}; stored and deflated entries can be read`);
  const contents = method === STORED ? stored : await inflate(stored, size, path, archiveName);
  if (contents.size !== size) throw new FormatError(archiveName, path, `has ${contents.size} bytes instead of ${size}`);
  if ((await crc32(contents)) !== crc) throw new FormatError(archiveName, path, 'its bytes do not match their checksum');
  return contents;
}

/** Stops as soon as more comes out than the directory says. */
async function inflate(stored: Blob, size: number, path: string, archiveName: string): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const reader = stored.stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      length += chunk.value.length;
      if (length > size) break;
      parts.push(chunk.value);
    }
  } catch {
    throw new FormatError(archiveName, path, 'its compressed bytes are damaged');
  } finally {
    // Lets the rest go; after an error it would only repeat that error.
    reader.cancel().catch(() => {});
  }
  if (length > size) throw new FormatError(archiveName, path, `unpacks to more than the ${size} bytes that the archive promises`);
  return new Blob(parts);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0xedb8_8320);
  return crc;
});

/** CRC-32 of IEEE 802.3, over a stream. */
async function crc32(blob: Blob): Promise<number> {
  let crc = 0xffff_ffff;
  const reader = blob.stream().getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    for (const byte of chunk.value) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

const viewOf = async (blob: Blob): Promise<DataView> => new DataView(await blob.arrayBuffer());
