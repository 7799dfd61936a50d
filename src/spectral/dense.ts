/**
 * @file Matrices of one shape of any set of weights in f32 room of their own, adapters merged into them, where kernels
 * that read plain matrices can work on them.
 */
import type { Context } from '../gpu/context.ts';
import { ParameterBuffers, ParameterLayout, type MatrixBatch } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';

/** Room for `names` of one shape; what is in it is zero. */
export function denseRoom({ gpu, pool }: Context, { names, rows, columns }: Pick<MatrixBatch, 'names' | 'rows' | 'columns'>): { readonly values: ParameterBuffers; readonly batch: MatrixBatch } {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.facts.limits;
  const spec = { name: `${names.length} of ${rows} x ${columns}`, shape: [names.length * rows, columns], parts: names.map((name) => ({ name, rows })) };
  const layout = new ParameterLayout([spec], Math.min(maxStorageBufferBindingSize, maxBufferSize));
  return { values: new ParameterBuffers(layout, pool, 'other', 'dense matrices'), batch: layout.matrixBatches()[0]! };
}

/** Copies the matrices as they are now, one at a time through the CPU: weights in halves are widened, adapters merged. */
export async function fillDense({ gpu: { device } }: Context, into: ParameterBuffers, from: WeightSet): Promise<void> {
  const placed = new Map(from.layout.weights.map((weight) => [weight.name, weight]));
  for (const weight of into.layout.weights) into.write(device, weight, await from.read(device, placed.get(weight.name)!));
}
