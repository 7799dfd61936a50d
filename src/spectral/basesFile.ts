/**
 * @file Singular bases in a safetensors file, so that the matrices of a model are decomposed once: tensors `<name>.u` [rows, k], `<name>.v` [columns, k]
 * and `<name>.sigma` [k] of every matrix, and beside them what they were made of. A file goes to disk and back piece by piece: the bases of a model are
 * as large as a good part of it.
 */
import type { LazyTensor, SafetensorsFile } from '../formats/safetensors.ts';
import { openSafetensors, readRawTensor, streamSafetensors, tensorBytes } from '../formats/safetensors.ts';
import { Sha256 } from '../formats/sha256.ts';
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import type { Basis, Decomposition } from './decompose.ts';
import { basisRoom, destroyBases, heldMatrices } from './decompose.ts';
import { faultOfBases } from './probeBases.ts';
import type { BasisQuality } from './quality.ts';
import type { Progress } from './workspace.ts';

/** What decides bases: the same facts give the same ones. */
export interface BasesFacts {
  /** Tells the weights, as they are kept on the device, from any others. */
  readonly model: string;
  readonly rankFraction: number;
  /** `ROUTE` of the decomposition, and the seed of its random numbers. */
  readonly route: string;
  readonly seed: number;
}

/** A file of bases cannot be used; the message says why, as a sentence without its end. */
export class UnfitBasesError extends Error {
  override readonly name = 'UnfitBasesError';
}

const FORMAT = 'gimbal bases 1';
const PARTS = ['u', 'v', 'sigma'] as const;
type Part = (typeof PARTS)[number];

const shapeOf = (part: Part, { rows, columns }: MatrixBatch, k: number): readonly number[] => (part === 'sigma' ? [k] : [part === 'u' ? rows : columns, k]);
const bytesOf = (part: Part, batch: MatrixBatch, k: number): number => tensorBytes({ dtype: 'F32', shape: shapeOf(part, batch, k) });

/** Bytes of the numbers of bases, which a file of them has beside its header. */
export const basesBytes = (bases: readonly Basis[]): number => bases.reduce((sum, { batch, k }) => sum + batch.names.length * PARTS.reduce((own, part) => own + bytesOf(part, batch, k), 0), 0);

/** The part of a batch that is matrix z's. */
function rangeOf(basis: Basis, part: Part, z: number): Slice {
  const size = bytesOf(part, basis.batch, basis.k);
  const { buffer, offset } = basis[part];
  return { buffer, offset: offset + z * size, size };
}

/** A file of bases, piece by piece, each read from the device when its turn comes. @throws the signal's reason */
export function streamBases({ gpu: { device } }: Context, bases: readonly Basis[], facts: BasesFacts, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const tensors = bases.flatMap((basis) =>
    basis.batch.names.flatMap((name, z) =>
      PARTS.map((part): LazyTensor => ({
        name: `${name}.${part}`,
        dtype: 'F32',
        shape: shapeOf(part, basis.batch, basis.k),
        bytes: async () => {
          signal?.throwIfAborted();
          return new Uint8Array((await readBack(device, [rangeOf(basis, part, z)]))[0]!);
        },
      })),
    ),
  );
  const quality = Object.fromEntries(bases.flatMap(({ batch, quality: measured }) => batch.names.map((name, z) => [name, measured[z]!] as const)));
  return streamSafetensors(tensors, { ...metadataOf(facts), quality: JSON.stringify(quality) });
}

const metadataOf = ({ model, rankFraction, route, seed }: BasesFacts): Record<string, string> => ({ bases: FORMAT, model, rankFraction: String(rankFraction), route, seed: String(seed) });

export interface ReadBases {
  /** Of the weights on the device. */
  readonly facts: BasesFacts;
  /** SHA-256 of the file as it was written. */
  readonly sha256: string;
  /** The matrices that are wanted, all 2-D ones when left out; the file may have more. */
  readonly names?: ReadonlySet<string> | undefined;
}

/**
 * Reads bases of `values` onto the device. Nothing is left there unless the bytes of the file are what was written, they are of these facts, and they
 * hold against the weights (probeBases.ts).
 * @throws {UnfitBasesError}; what `onProgress` throws
 */
export async function readBases(context: Context, values: ParameterBuffers, file: Blob, { facts, sha256, names }: ReadBases, onProgress: Progress = () => undefined): Promise<Decomposition> {
  const opened = await readable(() => openSafetensors(file, 'the file'));
  for (const [key, value] of Object.entries(metadataOf(facts))) {
    if (opened.metadata.get(key) !== value) throw new UnfitBasesError(`they were made of something else: ${key} is ${opened.metadata.get(key)}, not ${value}`);
  }
  const { restricted, degenerate } = heldMatrices(values.layout, facts.rankFraction, names);
  const quality = qualityIn(opened);
  const bases: Basis[] = [];
  try {
    for (const { batch, k } of restricted) bases.push({ ...basisRoom(context, batch, k), quality: batch.names.map((name) => quality[name]!) });
    await fillBases(context, bases, opened, sha256, onProgress);
    const lacking = bases.flatMap(({ batch }) => batch.names).find((name) => !quality[name]);
    if (lacking !== undefined) throw new UnfitBasesError(`how well the basis of ${lacking} holds is not in it`);
    const fault = await faultOfBases(context, values, bases);
    if (fault !== undefined) throw new UnfitBasesError(fault);
    return { bases, degenerate };
  } catch (error) {
    destroyBases(context, bases);
    throw error;
  }
}

/** Reads the file from its first byte to its last, once: what is wanted of it goes to the device, and all of it into the hash. */
async function fillBases({ gpu: { device } }: Context, bases: readonly Basis[], file: SafetensorsFile, sha256: string, onProgress: Progress): Promise<void> {
  const wanted = new Map<string, { readonly basis: Basis; readonly part: Part; readonly z: number }>(bases.flatMap((basis) => basis.batch.names.flatMap((name, z) => PARTS.map((part) => [`${name}.${part}`, { basis, part, z }] as const))));
  for (const [name, { basis, part }] of wanted) {
    const { dtype, shape } = file.tensors.get(name) ?? {};
    const expected = shapeOf(part, basis.batch, basis.k);
    if (dtype !== 'F32' || shape?.join() !== expected.join()) throw new UnfitBasesError(`${name} is ${dtype === undefined ? 'missing' : `${dtype} [${shape?.join(', ')}]`}, and F32 [${expected.join(', ')}] is wanted`);
  }
  const first = [...file.tensors.values()].reduce((least, { byteRange: [start] }) => Math.min(least, start), Infinity);
  const hash = new Sha256().update(new Uint8Array(await readable(() => (file.source as Blob).slice(0, first).arrayBuffer())));
  const total = wanted.size / PARTS.length;
  let left = wanted.size;
  for (const name of file.tensors.keys()) {
    const { bytes } = await readable(() => readRawTensor(file, name));
    hash.update(bytes);
    const place = wanted.get(name);
    if (!place) continue;
    const { buffer, offset } = rangeOf(place.basis, place.part, place.z);
    device.queue.writeBuffer(buffer, offset, bytes);
    left -= 1;
    if (left % PARTS.length) continue;
    // Else the bytes of the whole file would wait in memory for the device.
    await device.queue.onSubmittedWorkDone();
    onProgress(total - left / PARTS.length, total);
  }
  if (hash.hex() !== sha256) throw new UnfitBasesError('its bytes are not those that were written');
}

/** Beside the numbers, so that it is known of kept bases too. Whoever wrote another form of it is refused by the hash. */
function qualityIn({ metadata }: SafetensorsFile): Readonly<Partial<Record<string, BasisQuality>>> {
  try {
    return JSON.parse(metadata.get('quality') ?? '{}') as Partial<Record<string, BasisQuality>>;
  } catch {
    throw new UnfitBasesError('its header cannot be read');
  }
}

/** The disk may have lost the file, or a part of it. */
async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new UnfitBasesError(`it cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
}
