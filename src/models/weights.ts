/**
 * @file How a decoder reads its parameters, so that a model function need not know whether they are plain, adapted by
 * LoRA or kept in half precision.
 */
import type { BufferPool } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { ParameterBuffers, ParameterLayout, PlacedWeight } from './parameters.ts';

/** The parameters of one set of weights as a graph sees them. */
export interface GraphWeights {
  /** The parameter of a name, as the architecture lists it. @throws when there is none */
  parameter(name: string): Tensor;
  /** `x Wᵀ` of the matrix of that name, with whatever is adapted onto it: x [tokens, in] -> [tokens, out]. */
  linear(x: Tensor, name: string): Tensor;
  /** The tensors that training changes, by name of the parameter they are. */
  readonly trainable: ReadonlyMap<string, Tensor>;
}

/** A set of weights that a decoder can run with: plain (`ParameterBuffers`), or frozen ones with an adapter. */
export interface WeightSet {
  /** Places of the model's own parameters. */
  readonly layout: ParameterLayout;
  /** What training changes, in a layout of its own: all of plain weights, the adapter of adapted ones. */
  readonly trained: ParameterBuffers;
  /** Makes sources for the parameters in `graph` and enters their buffers into `bindings`. */
  bind(graph: Graph, bindings: Map<Tensor, Slice>): GraphWeights;
  /** Reads one weight of the model back, row-major [rows, columns], adapters merged into it. */
  read(device: GPUDevice, weight: PlacedWeight): Promise<Float32Array<ArrayBuffer>>;
  /** A copy to train or to keep, `trained` in f32 in the pool of `context`; frozen weights are shared. */
  copy(context: Context): Promise<WeightSet>;
  /** Frees `trained`, given the pool it is in. */
  destroy(pool: BufferPool): void;
}
