/**
 * @file Symbolic tensors and the operations between them.
 *
 * A model or a loss is a plain function over tensors; calling operations writes nodes into a graph. Shapes are checked
 * here, when the graph is built, so a mistake names the operation and the shapes and never reaches the GPU.
 */
import type { AdapterFacts } from '../gpu/device.ts';
import type { BufferCategory } from '../gpu/buffers.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import { floatBytes, type FloatType } from '../gpu/storedFloats.ts';

/**
 * `u32` tensors carry token ids and positions; they have no gradient. Halves are parameters that stay as they are: matrix
 * products and embeddings read them, everything else and every gradient is f32.
 */
export type DType = FloatType | 'u32';

export type Shape = readonly number[];

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Where a tensor that no operation makes comes from; its buffer is given when the graph is compiled. */
export type SourceKind = 'input' | 'parameter' | 'constant' | 'state';

/** A value of the graph: made by a node, or a source with a name. Row-major. */
export interface Tensor extends TensorType {
  readonly name: string;
  readonly source?: SourceKind;
  readonly node?: Node;
}

/** One application of an operation. */
export interface Node {
  readonly operation: Operation;
  readonly attributes: unknown;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** What an operation is given to choose its kernels. */
export interface KernelContext<A> {
  readonly facts: AdapterFacts;
  readonly attributes: A;
  readonly inputs: readonly (TensorType & { readonly slice: Slice })[];
  readonly outputs: readonly (TensorType & { readonly slice: Slice })[];
  /** Memory for this node alone, contents undefined; reused by later nodes. @param category of activations where none is given */
  readonly scratch: (byteLength: number, category?: BufferCategory) => Slice;
}

/** Numbers of the plain reference: f64 for `f32` tensors, and u32 values as they are. */
export type ReferenceArray = Float64Array;

/** What a gradient rule may ask of the walk that calls it. */
export interface GradientContext {
  readonly graph: Graph;
  /** The gradient that input `index` has so far; asking for it obliges the rule to return a tensor that includes it. */
  readonly onto: (index: number) => Tensor | undefined;
  /** Whether the gradient of input `index` is asked for; a rule may leave the others out. */
  readonly needs: (index: number) => boolean;
  /** Says that `same`, made by the rule, has the value of `output`, a forward output, so that the forward node may fall away. */
  readonly alsoComputes: (output: Tensor, same: Tensor) => void;
}

/** Everything the engine knows of one operation. `A` is the type of its attributes. */
export interface Operation<A = never> {
  readonly name: string;
  /** Types of the outputs; throws (through `expectShape`) when inputs do not fit. */
  infer(inputs: readonly TensorType[], attributes: A): readonly TensorType[];
  /**
   * The gradient rule: gradients of the inputs (undefined where there is none) from those of the outputs (undefined
   * where an output does not reach the loss), written as further nodes of the graph.
   */
  gradient?(node: Node & { readonly attributes: A }, outputGradients: readonly (Tensor | undefined)[], context: GradientContext): readonly (Tensor | undefined)[];
  /**
   * Output and input that share one buffer, for operations that add onto an optional last input in place. Parameter
   * gradients need it: tied weights, accumulation over micro-batches.
   */
  inPlace?(inputCount: number, attributes: A): { readonly output: number; readonly input: number } | undefined;
  /**
   * The other outputs from the first alone, bit for bit, as nodes of `graph`; for operations after which a segment may end,
   * so that recomputation keeps one tensor of theirs. Undefined where that cannot be.
   */
  fromFirst?(graph: Graph, node: Node & { readonly attributes: A }): readonly Tensor[] | undefined;
  /** The dispatches that compute the outputs. */
  calls(context: KernelContext<A>): readonly Call[];
  /** The same in plain f64, as simply as it can be said; tests hold the kernels to it. */
  reference(inputs: readonly ReferenceArray[], attributes: A, inputTypes: readonly TensorType[], outputTypes: readonly TensorType[]): readonly ReferenceArray[];
}

/** Builds nodes; holds them in the order they were made, which is an order they can run in. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly sources: Tensor[] = [];
  /** Numbers of nodes after which a segment ends. */
  readonly checkpoints: number[] = [];

  /** A tensor whose buffer is given at compile time. */
  source(source: SourceKind, name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    const tensor: Tensor = { name, shape, dtype, source };
    this.sources.push(tensor);
    return tensor;
  }

  /**
   * Ends a segment of the forward pass, where few tensors go on: at the residual before each layer. With recomputation the
   * backward pass keeps what crosses from segment to segment and computes the rest of each again (`gradients`).
   */
  checkpoint(): void {
    this.checkpoints.push(this.nodes.length);
  }

  /** Applies an operation and returns its outputs. */
  apply<A>(operation: Operation<A>, inputs: readonly Tensor[], attributes: A): readonly Tensor[] {
    const types = operation.infer(inputs, attributes);
    const node = { operation: operation as unknown as Operation, attributes, inputs, outputs: [] as Tensor[] };
    for (const [index, type] of types.entries()) {
      node.outputs.push({ ...type, name: types.length > 1 ? `${operation.name}.${index}` : operation.name, node });
    }
    this.nodes.push(node);
    return node.outputs;
  }
}

/** The number of elements of a shape. */
export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** How the numbers of a tensor are stored; u32 has the size of f32. */
export const floatType = ({ dtype }: Pick<TensorType, 'dtype'>): FloatType => (dtype === 'u32' ? 'f32' : dtype);

/** The number of bytes of a tensor. */
export const byteLength = (type: TensorType): number => floatBytes(floatType(type), elementCount(type.shape));

/** Checks one input of an operation; `undefined` in `expected` accepts any size. */
export function expectShape(operation: string, what: string, { shape, dtype }: TensorType, expected: readonly (number | undefined)[], type: DType = 'f32'): void {
  const fits = shape.length === expected.length && expected.every((size, axis) => size === undefined || size === shape[axis]);
  if (!fits || dtype !== type) {
    throw new Error(`${operation}: ${what} is ${dtype}[${shape.join(', ')}], expected ${type}[${expected.map((size) => size ?? 'any').join(', ')}].`);
  }
}

/** `expectShape` for a weight that may be stored in halves. */
export function expectWeight(operation: string, what: string, weight: TensorType, expected: readonly (number | undefined)[]): void {
  expectShape(operation, what, weight, expected, floatType(weight));
}
