/**
 * @file What a generator holds, and its programs before they are recorded: chunks of prompts, one token of every sequence, and
 * copies between slots of the cache. On a context that only counts, this is the generator's estimate.
 */
import type { Context } from '../gpu/context.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Command } from '../gpu/program.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import { floatBytes } from '../gpu/storedFloats.ts';
import { compile } from '../graph/compile.ts';
import type { DType, Shape, Tensor } from '../graph/graph.ts';
import { Graph } from '../graph/graph.ts';
import type { Reading } from '../graph/ops/cached-attention.ts';
import { cacheCopyCall, cachedAttention, chunkBlock } from '../graph/ops/cached-attention.ts';
import { linear } from '../graph/ops/matmul.ts';
import { RING, sample } from '../graph/ops/sample.ts';
import type { DecoderOutputs } from '../models/architecture.ts';
import { ropeSource } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';

export interface GeneratorShape {
  /** Sequences decoded together, each in a slot of the key-value cache. */
  readonly sequences: number;
  /** Tokens a sequence may reach, its prompt included. */
  readonly length: number;
  /** How keys and values are kept; f32 by default. What is computed with them is f32. */
  readonly cache?: FloatType;
}

/** Commands that take a fixed number of rows through the model. */
export interface SizedCommands {
  readonly rows: number;
  readonly commands: readonly Command[];
}

const CHUNK_STATE = ['ids', 'positions', 'slots'] as const;
const STEP_STATE = [...CHUNK_STATE, 'requests', 'tokens', 'probabilities', 'finished'] as const;
export type ChunkState = Readonly<Record<(typeof CHUNK_STATE)[number], Slice>>;
export type StepState = Readonly<Record<(typeof STEP_STATE)[number], Slice>>;

export interface GeneratorPlan {
  /** By rising number of rows; only the largest can be filled with more than one piece of a prompt at a time. */
  readonly chunks: readonly SizedCommands[];
  readonly steps: readonly SizedCommands[];
  readonly copy: readonly Command[];
  readonly slices: {
    readonly chunk: ChunkState;
    readonly step: StepState;
    readonly settings: Slice;
    readonly copy: Slice;
    /** [sequences, vocabulary] */
    readonly logits: Slice;
  };
}

/**
 * Rows of a chunk of prompts. On the CPU time goes with the rows, so a short prompt takes a small chunk; on a GPU it does not,
 * and one size keeps every row's sums the same however the prompts come together.
 */
const CHUNK_ROWS = { software: [32, 128], gpu: [256] };

/** No more rows than all slots can bring together. */
export function chunkSizes(facts: AdapterFacts, { sequences, length }: GeneratorShape): number[] {
  const block = chunkBlock(facts);
  const most = sequences * block * Math.ceil(Math.max(1, length - 1) / block);
  return [...new Set((facts.software ? CHUNK_ROWS.software : CHUNK_ROWS.gpu).map((rows) => Math.min(rows, most)))];
}

/** One sequence is decoded as one; of others at most three of four rows are idle. */
export function stepSizes(sequences: number): number[] {
  const sizes = [];
  for (let rows = 1; rows < sequences; rows *= 4) sizes.push(rows);
  return [...sizes, sequences];
}

/** Allocates everything a generator holds in the pool of `context`. @throws {RangeError} when the model has fewer positions than `length` */
export function planGenerator(context: Context, model: Model, weights: WeightSet, shape: GeneratorShape): GeneratorPlan {
  const { sequences, length, cache: type = 'f32' } = shape;
  const { pool } = context;
  const { facts } = context.gpu;
  const { numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim, numHiddenLayers: layers, vocabSize } = model.config;
  const cacheShape = { slots: sequences, length, heads, keyValueHeads, headDim };
  const width = keyValueHeads * headDim;
  const words = (name: string, count: number): Slice => pool.storage(4 * count, 'other', name);
  const caches = Array.from({ length: layers }, (_, layer) => {
    const cache = (name: string): Slice => pool.storage(floatBytes(type, sequences * length * width), 'cache', `${name} ${layer}`);
    return { keys: cache('keys'), values: cache('values') };
  });
  const logits = pool.storage(4 * sequences * vocabSize, 'logits', 'logits');
  const settings = pool.uniform(32, 'sampling settings');
  const copy = pool.uniform(16, 'copied slot');
  const sizes = chunkSizes(facts, shape);
  const stateOf = (what: string, rows: number): ChunkState => ({ ids: words(`${what} ids`, rows), positions: words(`${what} positions`, rows), slots: words(`${what} slots`, rows) });
  const chunk = stateOf('chunk', sizes.at(-1)!);
  const step: StepState = {
    ...stateOf('step', sequences),
    requests: words('requests', 4 * sequences),
    tokens: words('tokens', RING * sequences),
    probabilities: words('probabilities', RING * sequences),
    finished: words('finished', sequences),
  };
  const tableBindings = new Map<Tensor, Slice>();
  const table = ropeSource(new Graph(), tableBindings, context, model, length);

  /** A pass of `rows` rows; `attended` is what the last layer's attention gives. */
  const pass = (rows: number, state: ChunkState, reading: Reading, last: Reading): { graph: Graph; bindings: Map<Tensor, Slice>; source: Source; attended: Tensor; outputs: DecoderOutputs; inputs: Record<'ids' | 'positions', Tensor> } => {
    const graph = new Graph();
    const bindings = new Map<Tensor, Slice>();
    const source: Source = (name, size, dtype, slice) => {
      const tensor = graph.source('state', name, size, dtype);
      bindings.set(tensor, slice);
      return tensor;
    };
    const inputs = { ids: source('ids', [rows], 'u32', state.ids), positions: source('positions', [rows], 'u32', state.positions) };
    const slots = source('slots', [rows], 'u32', state.slots);
    let attended: Tensor | undefined;
    const outputs = model.architecture.build(graph, weights.bind(graph, bindings), {
      ...inputs,
      ...(table ? { ropeTable: source(table.name, table.shape, 'f32', tableBindings.get(table)!) } : {}),
      attend(rotated, layer) {
        const { keys, values } = caches[layer]!;
        const cached = (name: string, slice: Slice): Tensor => source(name, [sequences, length, width], type, slice);
        attended = cachedAttention(graph, rotated, inputs.positions, slots, cached('keys', keys), cached('values', values), cacheShape, layer === layers - 1 ? last : reading);
        return attended;
      },
    });
    return { graph, bindings, source, attended: attended!, outputs, inputs };
  };

  const chunks = sizes.map((rows): SizedCommands => {
    // A prompt leaves nothing but keys and values: nothing of the last layer is computed that comes after them.
    const { graph, bindings, attended } = pass(rows, chunk, 'chunk', 'append');
    return { rows, commands: compile(graph, [attended], { facts, pool, bindings }).calls };
  });
  const steps = stepSizes(sequences).map((rows): SizedCommands => {
    const { graph, bindings, source, outputs, inputs } = pass(rows, step, 'step', 'step');
    const drawn = linear(graph, outputs.hidden, outputs.head);
    bindings.set(drawn, logits);
    const next = sample(graph, drawn, source('sampling settings', [8], 'u32', settings), {
      ...inputs,
      requests: source('requests', [rows, 4], 'u32', step.requests),
      tokens: source('tokens', [rows, RING], 'u32', step.tokens),
      probabilities: source('probabilities', [rows, RING], 'f32', step.probabilities),
      finished: source('finished', [rows], 'u32', step.finished),
    });
    return { rows, commands: compile(graph, [next], { facts, pool, bindings }).calls };
  });
  const bytes = floatBytes(type, width);
  return { chunks, steps, copy: caches.map(({ keys, values }) => cacheCopyCall(copy, keys, values, cacheShape, bytes)), slices: { chunk, step, settings, copy, logits } };
}

type Source = (name: string, size: Shape, dtype: DType, slice: Slice) => Tensor;
