/** @file Bases to a file and back: bit for bit, or not at all. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, readTensor } from '../formats/safetensors.ts';
import { Sha256 } from '../formats/sha256.ts';
import { readFloats } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { ReadBases } from './basesFile.ts';
import { basesBytes, readBases, streamBases, UnfitBasesError } from './basesFile.ts';
import type { Basis, Decomposition } from './decompose.ts';
import { decomposeAll, destroyBases } from './decompose.ts';
import { faultOfBases } from './probeBases.ts';
import { filled, layoutOf, normalMatrix, testContext } from './testing.ts';

const SHAPES = { a: [24, 16], b: [24, 16], wide: [12, 40], tall: [200, 16], tiny: [1, 8] };
const FACTS = { model: 'm f32', rankFraction: 0.5, route: 'tridiagonal', seed: 0 };
const QUALITY = { lostEnergy: 2e-7, overlap: 0.9999, rounds: 1 };

let context: Context;
let values: ParameterBuffers;
let made: Decomposition;
let file: Blob;
let sha256: string;
beforeAll(async () => {
  context = await testContext();
  const layout = layoutOf(SHAPES);
  values = filled(context, layout, Object.fromEntries(Object.entries(SHAPES).map(([name, [rows, columns]], i) => [name, normalMatrix(rows!, columns!, i + 1).values])));
  const { bases, degenerate } = await decomposeAll(context, values, { rankFraction: 0.5 });
  made = { bases: bases.map((basis) => ({ ...basis, quality: basis.batch.names.map(() => QUALITY) })), degenerate };
  file = await written(made.bases);
  sha256 = await hashOf(file);
});
afterAll(() => context.pool.destroyAll());

async function written(bases: readonly Basis[]): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of streamBases(context, bases, FACTS)) pieces.push(piece);
  return new Blob(pieces);
}

const hashOf = async (blob: Blob): Promise<string> => new Sha256().update(new Uint8Array(await blob.arrayBuffer())).hex();

const numbers = async ({ bases }: Decomposition): Promise<unknown> =>
  Promise.all(bases.map(async ({ batch, k, u, v, sigma, quality }) => ({ names: batch.names, k, quality, numbers: await Promise.all([u, v, sigma].map(async (slice) => [...(await readFloats(context.gpu.device, slice))])) })));

const read = (change: Partial<ReadBases> = {}, blob = file): Promise<Decomposition> => readBases(context, values, blob, { facts: FACTS, sha256, ...change });

/** Reads what has to be refused, and looks whether anything is left of it. */
async function refused(change: Partial<ReadBases>, blob = file): Promise<string> {
  const before = context.pool.buffers.length;
  const error = await read(change, blob).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UnfitBasesError);
  expect(context.pool.buffers.length, 'nothing is left on the device').toBe(before);
  return (error as Error).message;
}

describe('a file of bases', () => {
  it('comes back bit for bit, with its quality, matrix by matrix with progress', async () => {
    const progress: (readonly [number, number])[] = [];
    const again = await readBases(context, values, file, { facts: FACTS, sha256 }, (...at) => progress.push(at));
    expect(await numbers(again)).toEqual(await numbers(made));
    expect(again.degenerate).toEqual(made.degenerate);
    expect(again.degenerate.flatMap(({ names }) => names)).toEqual(['tiny']);
    expect(progress).toEqual([[1, 4], [2, 4], [3, 4], [4, 4]]);
    destroyBases(context, again.bases);
    context.gpu.assertHealthy();
  });

  it('is a safetensors file of three tensors a matrix', async () => {
    const opened = await openSafetensors(file, 'bases');
    expect([...opened.tensors.keys()].filter((name) => name.startsWith('tall'))).toEqual(['tall.sigma', 'tall.u', 'tall.v']);
    expect(opened.tensors.get('tall.u')!.shape).toEqual([200, 8]);
    expect((await readTensor(opened, 'wide.sigma')).length).toBe(6);
    expect(opened.metadata.get('model')).toBe(FACTS.model);
    const header = Math.min(...[...opened.tensors.values()].map(({ byteRange: [start] }) => start));
    expect(file.size - header).toBe(basesBytes(made.bases));
  });

  it('serves a part of its matrices', async () => {
    const some = await read({ names: new Set(['b', 'wide']) });
    expect(some.bases.flatMap(({ batch }) => batch.names)).toEqual(['b', 'wide']);
    const [b] = some.bases;
    const all = await readFloats(context.gpu.device, made.bases[0]!.u);
    expect(await readFloats(context.gpu.device, b!.u)).toEqual(all.slice(24 * 8));
    destroyBases(context, some.bases);
  });

  it('ends with the reason of whoever does not want it any more', async () => {
    const before = context.pool.buffers.length;
    const stopped = new Error('stopped');
    await expect(readBases(context, values, file, { facts: FACTS, sha256 }, () => { throw stopped; })).rejects.toBe(stopped);
    expect(context.pool.buffers.length).toBe(before);
    const stream = streamBases(context, made.bases, FACTS, AbortSignal.abort(stopped));
    await stream.next();
    await expect(stream.next()).rejects.toBe(stopped);
  });

  it('is refused when cut off, changed, or of something else', async () => {
    expect(await refused({}, file.slice(0, file.size - 100))).toMatch(/^it cannot be read \(/);
    expect(await refused({}, file.slice(0, 4))).toMatch(/^it cannot be read \(/);
    const bytes = new Uint8Array(await file.arrayBuffer());
    bytes[bytes.length - 50]! ^= 1;
    expect(await refused({}, new Blob([bytes]))).toBe('its bytes are not those that were written');
    expect(await refused({ facts: { ...FACTS, model: 'other' } })).toBe('they were made of something else: model is m f32, not other');
    expect(await refused({ facts: { ...FACTS, rankFraction: 0.25 } })).toBe('they were made of something else: rankFraction is 0.5, not 0.25');
    expect(await refused({ facts: { ...FACTS, route: 'exact' } })).toMatch(/route is tridiagonal, not exact$/);
  });

  it('is refused when a matrix is missing', async () => {
    const part = await written(made.bases.slice(0, 1));
    expect(await refused({ sha256: await hashOf(part) }, part)).toBe('wide.u is missing, and F32 [12, 6] is wanted');
  });
});

describe('the probe', () => {
  const renamed = (names: readonly string[]): Basis[] => made.bases.map((basis, at) => (at === 0 ? { ...basis, batch: { ...basis.batch, names } } : basis));

  it('passes bases of the weights at hand, kept in halves too', async () => {
    expect(await faultOfBases(context, values, made.bases)).toBeUndefined();
    const layout = layoutOf({ a: [24, 16], wide: [12, 40] });
    const halves = filled(context, layout, { a: normalMatrix(24, 16, 5).values, wide: normalMatrix(12, 40, 6).values }, 'bf16');
    const { bases } = await decomposeAll(context, halves, { rankFraction: 0.5 });
    expect(await faultOfBases(context, halves, bases)).toBeUndefined();
  });

  it('catches matrices that changed places, though every byte is as it was written', async () => {
    expect(made.bases[0]!.batch.names).toEqual(['a', 'b']);
    const swapped = await written(renamed(['b', 'a']));
    expect(await refused({ sha256: await hashOf(swapped) }, swapped)).toMatch(/^W V and U diag\(σ\) of a differ by [\d.]+e[+-]\d of their length$/);
  });

  it('catches weights that were changed a little', async () => {
    const layout = layoutOf(SHAPES);
    const near = Object.fromEntries(Object.entries(SHAPES).map(([name, [rows, columns]], i) => [name, normalMatrix(rows!, columns!, i + 1).values.map((value) => value * (name === 'tall' ? 1.003 : 1))]));
    expect(await faultOfBases(context, filled(context, layout, near), made.bases)).toMatch(/of tall differ by [\d.]+e-3/);
  });

  it('catches directions that are not orthonormal, and numbers that are none', async () => {
    const spoilt = await read();
    const { buffer, offset } = spoilt.bases[1]!.v;
    context.gpu.device.queue.writeBuffer(buffer, offset, Float32Array.of(0.9));
    expect(await faultOfBases(context, values, spoilt.bases)).toMatch(/^the directions of wide are not orthonormal, by /);
    context.gpu.device.queue.writeBuffer(buffer, offset, Float32Array.of(Number.NaN));
    expect(await faultOfBases(context, values, spoilt.bases)).toMatch(/^the directions of wide are not orthonormal, by NaN/);
  });
});
