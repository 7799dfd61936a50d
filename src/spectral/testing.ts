/** @file Matrices with known spectra, a small layout to hold them on the test GPU, and the golden values of the diagnostics. */
import type { TokenisedExample } from '../data/tokenise.ts';
import { readFloats } from '../gpu/buffers.ts';
import { createContext, type Context } from '../gpu/context.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import { testGpu } from '../gpu/testing.ts';
import { randomNormal } from '../graph/testing.ts';
import { Model } from '../models/model.ts';
import { ParameterBuffers, ParameterLayout } from '../models/parameters.ts';
import { readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import type { Basis } from './decompose.ts';
import { firstColumns, matrix, multiply, referenceSvd, transpose, type Matrix } from './reference.ts';

export const testContext = async (): Promise<Context> => createContext(await testGpu());

/** A layout that holds weights of the given shapes, each a parameter of its own. */
export const layoutOf = (shapes: Readonly<Record<string, readonly number[]>>): ParameterLayout =>
  new ParameterLayout(
    Object.entries(shapes).map(([name, shape]) => ({ name, shape, parts: [{ name, rows: shape[0]! }] })),
    128 * 2 ** 20,
  );

/** Buffers of a layout with the given values; the rest is zero. */
export function filled({ gpu, pool }: Context, layout: ParameterLayout, values: Readonly<Record<string, Float64Array>>, precision: FloatType = 'f32'): ParameterBuffers {
  const buffers = new ParameterBuffers(layout, pool, 'weights', 'test', precision);
  for (const weight of layout.weights) buffers.write(gpu.device, weight, Float32Array.from(values[weight.name] ?? new Float64Array(weight.rows * weight.columns)));
  return buffers;
}

export const normalMatrix = (rows: number, columns: number, seed: number): Matrix => matrix(rows, columns, randomNormal(rows * columns, seed));

/** [rows, columns] with orthonormal columns. */
export const orthonormalMatrix = (rows: number, columns: number, seed: number): Matrix => firstColumns(referenceSvd(normalMatrix(rows, columns, seed)).u, columns);

/** U diag(sigma) Vᵀ with random U and V, rounded to f32. */
export function planted(rows: number, columns: number, sigma: readonly number[], seed: number): Matrix & { readonly u: Matrix; readonly v: Matrix } {
  const u = orthonormalMatrix(rows, sigma.length, seed);
  const v = orthonormalMatrix(columns, sigma.length, seed + 1);
  const scaledU = { ...u, values: u.values.map((value, at) => value * sigma[at % sigma.length]!) };
  const product = multiply(scaledU, transpose(v));
  return { ...product, values: product.values.map(Math.fround), u, v };
}

/** A basis of one batch, read back: u, v and sigma of every matrix. */
export async function readBasis({ gpu }: Context, { batch, k, u, v, sigma }: Basis): Promise<{ u: Matrix; v: Matrix; sigma: Float64Array }[]> {
  const [left, right, values] = [await readFloats(gpu.device, u), await readFloats(gpu.device, v), await readFloats(gpu.device, sigma)];
  return batch.names.map((_, z) => ({
    u: matrix(batch.rows, k, left.subarray(z * batch.rows * k, (z + 1) * batch.rows * k)),
    v: matrix(batch.columns, k, right.subarray(z * batch.columns * k, (z + 1) * batch.columns * k)),
    sigma: Float64Array.from(values.subarray(z * k, (z + 1) * k)),
  }));
}

/** max |QᵀQ - I|; infinite when anything is NaN. */
export function orthogonalityError(q: Matrix): number {
  const gram = multiply(transpose(q), q);
  return gram.values.reduce((worst, value, at) => {
    const error = Math.abs(value - (at % (gram.columns + 1) === 0 ? 1 : 0));
    return Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }, 0);
}

/** reference/fixtures/diagnostics.json, as reference/diagnostics.py writes it. */
interface DiagnosticsJson {
  readonly documents: readonly { readonly ids: readonly number[]; readonly trained: readonly boolean[] }[];
  readonly fraction: number;
  /** The matrix whose gradients are in fisher.safetensors, example by example. */
  readonly kept: string;
  readonly drift: Readonly<
    Record<
      string,
      {
        /** After each layer, and final-normed. */
        readonly layers: readonly Readonly<Record<'cka' | 'cosine' | 'pcaShift' | 'explained', number>>[];
        readonly output: Readonly<Record<'baseToTuned' | 'tunedToBase' | 'jensenShannon', number>>;
      }
    >
  >;
  /** ‖G‖² and ‖UᵀGV‖² of each matrix and example. */
  readonly fisher: Readonly<Record<string, Readonly<Record<string, Readonly<Record<'gradient' | 'top' | 'tail', readonly number[]>>>>>>;
}

export async function readDiagnostics(): Promise<DiagnosticsJson & { readonly examples: readonly TokenisedExample[] }> {
  const json = await readFixtureJson<DiagnosticsJson>('diagnostics.json');
  return { ...json, examples: json.documents.map(({ ids, trained }) => ({ ids: Uint32Array.from(ids), trained: Uint8Array.from(trained, Number), truncated: false })) };
}

/** A golden checkpoint with 0.05 sin(i) added to element i of every tensor of its file. */
export async function loadChangedModel(folder: string): Promise<Model> {
  const source = await readFixtureTensors(`${folder}/model.safetensors`);
  const read = async (name: string): Promise<Float32Array<ArrayBuffer>> => (await source.read(name)).map((value, i) => value + Math.fround(0.05 * Math.sin(i)));
  return Model.load(await testContext(), await readFixtureJson(`${folder}/config.json`), { ...source, read });
}
