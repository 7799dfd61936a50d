/** @file The golden checkpoints of reference/, read in Node. */
import { readFile } from 'node:fs/promises';
import { openSafetensors, readTensor } from '../formats/safetensors.ts';
import { testContext } from '../gpu/testing.ts';
import type { BatchShape, PackedBatch } from './decoder.ts';
import type { WeightSource } from './model.ts';
import { Model } from './model.ts';

const fixture = (path: string): string => new URL(`../../reference/fixtures/${path}`, import.meta.url).pathname;

/** A batch as reference/llama.py writes it. */
export type BatchJson = Readonly<Record<'ids' | 'labels' | 'positions' | 'documentStart' | 'rowWeights', readonly number[]>>;

export const readFixtureJson = async <T>(path: string): Promise<T> => JSON.parse(await readFile(fixture(path), 'utf8')) as T;

/** The tensors of a safetensors file by name. */
export async function readFixtureTensors(path: string): Promise<WeightSource & { readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }> }> {
  const file = await openSafetensors(new Uint8Array(await readFile(fixture(path))), path);
  return { tensors: file.tensors, read: (name) => readTensor(file, name) };
}

export async function loadFixtureModel(folder: string): Promise<Model> {
  return Model.load(await testContext(), await readFixtureJson(`${folder}/config.json`), await readFixtureTensors(`${folder}/model.safetensors`));
}

export const packedBatch = (json: BatchJson): PackedBatch => ({
  ids: Uint32Array.from(json.ids),
  labels: Uint32Array.from(json.labels),
  positions: Uint32Array.from(json.positions),
  documentStart: Uint32Array.from(json.documentStart),
  rowWeights: Float32Array.from(json.rowWeights),
});

export const FIXTURE_SHAPE: BatchShape = { rows: 2, length: 24 };
