/** @file The golden checkpoints of reference/, read in Node. */
import { readFile } from 'node:fs/promises';
import { openSafetensors, readTensor } from '../formats/safetensors.ts';
import type { Context } from '../gpu/context.ts';
import { testContext } from '../gpu/testing.ts';
import { randomNormal } from '../graph/testing.ts';
import type { AdapterBase } from './adapter.ts';
import type { BatchShape, PackedBatch } from './decoder.ts';
import { linearsOf } from './linears.ts';
import type { WeightSource } from './model.ts';
import { Model } from './model.ts';
import { ParameterBuffers, ParameterLayout, type ParameterSpec } from './parameters.ts';

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

/** Two layers of linear modules in a layout of their own: three stacked by rows, v with its rows in another order in the file, and one alone. */
export const SMALL_LINEARS: readonly ParameterSpec[] = [0, 1].flatMap((layer) => [
  {
    name: `layers.${layer}.qkv_proj`,
    shape: [44, 24],
    parts: [
      { name: `model.layers.${layer}.q_proj.weight`, rows: 24 },
      { name: `model.layers.${layer}.k_proj.weight`, rows: 10 },
      { name: `model.layers.${layer}.v_proj.weight`, rows: 10, stored: { fileRows: Uint32Array.from({ length: 10 }, (_, row) => (row * 3) % 10) } },
    ],
  },
  { name: `layers.${layer}.down_proj`, shape: [24, 40], parts: [{ name: `model.layers.${layer}.down_proj.weight`, rows: 24 }] },
]);

/** Normal numbers in the layout of `specs`, and the linear layers among them. */
export function randomBase({ gpu, pool }: Context, specs: readonly ParameterSpec[], seed: number): AdapterBase & { readonly layout: ParameterLayout } {
  const layout = new ParameterLayout(specs, 2 ** 20);
  const weights = new ParameterBuffers(layout, pool, 'pretrained', 'base');
  for (const [i, weight] of layout.weights.entries()) weights.write(gpu.device, weight, Float32Array.from(randomNormal(weight.rows * weight.columns, seed + i)));
  return { weights, linears: linearsOf(specs), layout };
}
