/** @file A model's graph over a packed batch of fixed shape, and the one buffer through which batches reach it. */
import { alignUp } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Tensor } from '../graph/graph.ts';
import { Graph } from '../graph/graph.ts';
import { attention } from '../graph/ops/attention.ts';
import type { TokensById } from '../graph/ops/embedding.ts';
import { sortTokensById } from '../graph/ops/embedding.ts';
import type { HeadLoss } from '../graph/ops/head-loss.ts';
import { headLoss, IGNORED } from '../graph/ops/head-loss.ts';
import type { DecoderOutputs } from './architecture.ts';
import type { Model } from './model.ts';
import type { GraphWeights, WeightSet } from './weights.ts';

/** A batch of documents packed into `rows` rows of `length` tokens; all arrays have rows * length entries. */
export interface PackedBatch {
  readonly ids: Uint32Array;
  /** The token that follows, or `IGNORED` where it is not trained. */
  readonly labels: Uint32Array;
  /** Position within the document. */
  readonly positions: Uint32Array;
  /** Index within the row at which the token's document begins. */
  readonly documentStart: Uint32Array;
  /** What each token's loss counts; 1/N for the mean over the N trained tokens of a whole accumulation window. */
  readonly rowWeights: Float32Array;
}

export interface BatchShape {
  readonly rows: number;
  readonly length: number;
}

const FIELDS = ['ids', 'labels', 'positions', 'documentStart', 'rowWeights', 'idSorted', 'idRunStart', 'positionSorted', 'positionRunStart'] as const;
type Field = (typeof FIELDS)[number];

/** One GPU buffer with all arrays of a batch, written by one upload. */
export class BatchBuffers {
  readonly slices: Readonly<Record<Field, Slice>>;
  readonly #context: Context;
  readonly #buffer: GPUBuffer;
  readonly #staging: ArrayBuffer;
  readonly #tokens: number;

  constructor(context: Context, { rows, length }: BatchShape) {
    this.#context = context;
    this.#tokens = rows * length;
    const stride = alignUp(4 * (this.#tokens + 1));
    this.#staging = new ArrayBuffer(stride * FIELDS.length);
    this.#buffer = context.pool.storage(this.#staging.byteLength, 'other', 'batch').buffer;
    const slice = (index: number): Slice => ({ buffer: this.#buffer, offset: index * stride, size: stride });
    this.slices = Object.fromEntries(FIELDS.map((field, index) => [field, slice(index)])) as Record<Field, Slice>;
  }

  /** Uploads a batch; the queue orders it before whatever is submitted next. */
  write(batch: PackedBatch): void {
    if (batch.ids.length !== this.#tokens) throw new Error(`A batch of ${batch.ids.length} tokens does not fit a program of ${this.#tokens}.`);
    const counts = (token: number): boolean => isDocument(batch, token);
    const { sorted: idSorted, runStart: idRunStart } = sortTokensById(batch.ids, counts);
    const { sorted: positionSorted, runStart: positionRunStart } = sortTokensById(batch.positions, counts);
    const arrays: Readonly<Record<Field, Uint32Array | Float32Array>> = { ...batch, idSorted, idRunStart, positionSorted, positionRunStart };
    for (const field of FIELDS) {
      const array = arrays[field];
      const { offset } = this.slices[field];
      if (array instanceof Float32Array) new Float32Array(this.#staging, offset, array.length).set(array);
      else new Uint32Array(this.#staging, offset, array.length).set(array);
    }
    this.#context.gpu.device.queue.writeBuffer(this.#buffer, 0, this.#staging);
  }
}

/** False for padding: a token that is a document of its own with nothing to predict has no gradient. */
const isDocument = ({ labels, positions }: PackedBatch, token: number): boolean => labels[token] !== IGNORED || positions[token] !== 0 || (token + 1 < positions.length && positions[token + 1] !== 0);

/** A model's graph with what its sources are bound to. */
export interface DecoderGraph extends DecoderOutputs, HeadLoss {
  readonly graph: Graph;
  /** The tensors that training changes, by name. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  /** What each token counts [tokens]. */
  readonly weights: Tensor;
  readonly bindings: Map<Tensor, Slice>;
}

/** The parts of which a loss is made. Nodes run in the order they are built in, and what is no longer read frees its room. */
export interface LossParts {
  readonly graph: Graph;
  readonly bindings: Map<Tensor, Slice>;
  /** All [rows * length]. */
  readonly labels: Tensor;
  readonly weights: Tensor;
  readonly documentStart: Tensor;
  readonly shape: BatchShape;
  /** Builds the pass of the graph's own weights. */
  readonly forward: () => DecoderOutputs;
  /** Builds a pass of other weights of this model over the same batch. */
  readonly forwardOf: (weights: WeightSet) => DecoderOutputs;
}

export type LossBuilder = (parts: LossParts) => HeadLoss;

/** The mean nll of the trained tokens, as `rowWeights` weigh them. */
export function plainLoss({ graph, labels, weights, forward }: LossParts): HeadLoss {
  const { hidden, head } = forward();
  return headLoss(graph, hidden, head, labels, weights);
}

/** Builds the decoder with its loss for batches of one shape, reading `weights` (the model's own, or a copy). */
export function decoderGraph(context: Context, model: Model, batch: BatchBuffers, shape: BatchShape, weights: WeightSet = model.weights, lossOf: LossBuilder = plainLoss): DecoderGraph {
  const { rows, length } = shape;
  const graph = new Graph();
  const bindings = new Map<Tensor, Slice>();
  const input = (field: Field, dtype: 'f32' | 'u32', size = rows * length): Tensor => {
    const tensor = graph.source('input', field, [size], dtype);
    bindings.set(tensor, batch.slices[field]);
    return tensor;
  };
  const bound = weights.bind(graph, bindings);
  const table = ropeSource(graph, bindings, context, model, length);
  const { numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim } = model.config;
  const grouped = (by: 'id' | 'position'): TokensById => ({ sorted: input(`${by}Sorted`, 'u32'), runStart: input(`${by}RunStart`, 'u32', rows * length + 1) });
  const documentStart = input('documentStart', 'u32');
  const inputs = {
    ids: input('ids', 'u32'),
    positions: input('positions', 'u32'),
    byId: grouped('id'),
    byPosition: grouped('position'),
    ...(table ? { ropeTable: table } : {}),
    attend: (rotated: Tensor) => attention(graph, rotated, documentStart, { rows, length, heads, keyValueHeads, headDim })[0],
  };
  const pass = (through: GraphWeights): DecoderOutputs => model.architecture.build(graph, through, inputs);
  const rowWeights = input('rowWeights', 'f32');
  let own: DecoderOutputs | undefined;
  const forward = (): DecoderOutputs => (own ??= pass(bound));
  const losses = lossOf({ graph, bindings, shape, labels: input('labels', 'u32'), weights: rowWeights, documentStart, forward, forwardOf: (others) => pass(others.bind(graph, bindings)) });
  return { ...forward(), ...losses, graph, trainable: bound.trainable, weights: rowWeights, bindings };
}

/**
 * A source for the family's table of rotations, uploaded for positions up to `length`; undefined where positions are learned.
 * @throws {RangeError} when there are fewer learned positions than `length`
 */
export function ropeSource(graph: Graph, bindings: Map<Tensor, Slice>, { pool }: Context, { architecture }: Model, length: number): Tensor | undefined {
  const table = architecture.ropeTable?.(length);
  if (!table) {
    const learned = architecture.config.maxPositionEmbeddings;
    if (length > learned) throw new RangeError(`This ${architecture.name} model has learned ${learned} positions; sequences of ${length} tokens do not fit.`);
    return undefined;
  }
  const source = graph.source('constant', 'rope table', [length, table.width]);
  bindings.set(source, pool.upload(table.values, 'other', 'rope table'));
  return source;
}
