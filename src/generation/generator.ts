/**
 * @file Generation with a key-value cache: one recorded program decodes one token of every sequence, and is replayed as
 * often as tokens are wanted; tokens come back once per `advance`, not once per token.
 */
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { childContext } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Command } from '../gpu/program.ts';
import { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import type { DType, Shape, Tensor } from '../graph/graph.ts';
import { elementCount, Graph } from '../graph/graph.ts';
import type { Sampling } from '../graph/ops/decode.ts';
import { decodeAttention, sample, samplingWords } from '../graph/ops/decode.ts';
import { linear } from '../graph/ops/matmul.ts';
import { ropeSource } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';

export type { Sampling } from '../graph/ops/decode.ts';

/** Sequences decoded together, and the tokens each may reach, prompt included. */
export interface GeneratorShape {
  readonly sequences: number;
  readonly length: number;
}

export interface GeneratedToken {
  readonly id: number;
  /** Probability under the model, before temperature and truncation. */
  readonly probability: number;
}

/** What an `advance` gave. */
export interface Advance {
  /** New tokens of each sequence, its end token included. */
  readonly tokens: readonly (readonly GeneratedToken[])[];
  /** All sequences have ended or are full. */
  readonly finished: boolean;
}

const STATE = ['promptLength', 'tokens', 'probabilities', 'ids', 'positions', 'finished'] as const;
type StateName = (typeof STATE)[number];

/** Decodes for one set of weights, which may change between calls but not during one. */
export class Generator {
  #reported: number[] = [];
  #promptLengths: readonly number[] = [];
  #untilFull = 0;

  private constructor(
    private readonly context: Context,
    private readonly shape: GeneratorShape,
    private readonly ends: readonly number[],
    private readonly program: Program,
    private readonly slices: GeneratorPlan['slices'],
  ) {}

  /** @param ends ids that end a sequence, at most four */
  static async create(model: Model, weights: WeightSet, shape: GeneratorShape, ends: readonly number[]): Promise<Generator> {
    const context = childContext(model.context);
    try {
      return await Generator.#build(context, model, weights, shape, ends);
    } catch (error) {
      context.pool.destroyAll();
      throw error;
    }
  }

  static async #build(context: Context, model: Model, weights: WeightSet, shape: GeneratorShape, ends: readonly number[]): Promise<Generator> {
    const { calls, slices } = planGenerator(context, model, weights, shape);
    const program = await Program.record(context.gpu.device, context.pipelines, 'decode', calls);
    return new Generator(context, shape, ends, program, slices);
  }

  /**
   * Starts anew from prompts, one a sequence, each with at least one token.
   * @throws RangeError when a prompt is empty or leaves no room
   */
  begin(prompts: readonly (readonly number[])[], sampling: Sampling): void {
    const { sequences, length } = this.shape;
    if (prompts.length !== sequences) throw new RangeError(`${sequences} prompts are needed, ${prompts.length} were given.`);
    for (const { length: size } of prompts) if (size === 0 || size >= length) throw new RangeError(`A prompt of ${size} tokens does not fit ${length} positions.`);
    const tokens = new Uint32Array(sequences * length);
    for (const [sequence, prompt] of prompts.entries()) tokens.set(prompt, sequence * length);
    const write = (name: StateName | 'settings', data: Uint32Array<ArrayBuffer>): void => this.context.gpu.device.queue.writeBuffer(this.slices[name].buffer, 0, data);
    write('settings', samplingWords(sampling, this.ends));
    write('promptLength', Uint32Array.from(prompts, (prompt) => prompt.length));
    write('tokens', tokens);
    write('ids', Uint32Array.from(prompts, (prompt) => prompt[0]!));
    write('positions', new Uint32Array(sequences));
    write('finished', new Uint32Array(sequences));
    this.#promptLengths = prompts.map((prompt) => prompt.length);
    this.#reported = [...this.#promptLengths];
    this.#untilFull = length - 1;
  }

  /**
   * Reads the prompts if that is still to be done, decodes up to `count` tokens a sequence and reads them back together.
   */
  async advance(count: number): Promise<Advance> {
    const { length } = this.shape;
    const unread = this.#untilFull === length - 1 ? Math.max(...this.#promptLengths) - 1 : 0;
    const replays = Math.min(this.#untilFull, unread + count);
    for (let i = 0; i < replays; i++) this.program.replay();
    this.#untilFull -= replays;
    const { tokens, probabilities, positions, finished } = this.slices;
    const [ids, chances, reached, ended] = await readBack(this.context.gpu.device, [tokens, probabilities, positions, finished]);
    this.context.gpu.assertHealthy();
    const id = new Uint32Array(ids!);
    const probability = new Float32Array(chances!);
    const position = new Uint32Array(reached!);
    const news = this.#reported.map((from, sequence) => {
      const at = (i: number): number => sequence * length + i;
      const until = position[sequence]! + 1;
      this.#reported[sequence] = Math.max(from, until);
      return Array.from({ length: Math.max(0, until - from) }, (_, i) => ({ id: id[at(from + i)]!, probability: probability[at(from + i)]! }));
    });
    const flags = new Uint32Array(ended!);
    return { tokens: news, finished: this.#reported.every((_, sequence) => flags[sequence] === 1) || this.#untilFull === 0 };
  }

  /** Logits of the last decoded position, [sequences, vocabulary]. */
  async lastLogits(): Promise<Float32Array<ArrayBuffer>> {
    const [logits] = await readBack(this.context.gpu.device, [this.slices.logits]);
    return new Float32Array(logits!);
  }

  destroy(): void {
    this.context.pool.destroyAll();
  }
}

/** What a decoder holds, and its commands before they are recorded. */
interface GeneratorPlan {
  readonly calls: readonly Command[];
  readonly slices: Readonly<Record<StateName | 'settings' | 'logits', Slice>>;
}

/** Allocates everything a decoder holds in the pool of `context`; on a context that only counts, that is its estimate. */
export function planGenerator(context: Context, model: Model, weights: WeightSet, shape: GeneratorShape): GeneratorPlan {
  const { sequences, length } = shape;
  const { pool } = context;
  const { numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim } = model.config;
  const graph = new Graph();
  const bindings = new Map<Tensor, Slice>();
  const state = (name: string, size: Shape, dtype: DType, category: 'cache' | 'other' = 'other'): Tensor => {
    const tensor = graph.source('state', name, size, dtype);
    bindings.set(tensor, pool.storage(4 * elementCount(size), category, name));
    return tensor;
  };
  const perSequence = (name: string): Tensor => state(name, [sequences], 'u32');
  const decode = {
    promptLength: perSequence('promptLength'),
    tokens: state('tokens', [sequences, length], 'u32'),
    probabilities: state('probabilities', [sequences, length], 'f32'),
    ids: perSequence('ids'),
    positions: perSequence('positions'),
    finished: perSequence('finished'),
  };
  const settings = graph.source('input', 'sampling settings', [8], 'u32');
  bindings.set(settings, pool.uniform(32, 'sampling settings'));
  const table = ropeSource(graph, bindings, context, model, length);
  const { hidden, head } = model.architecture.build(graph, weights.bind(graph, bindings), {
    ids: decode.ids,
    positions: decode.positions,
    ...(table ? { ropeTable: table } : {}),
    attend(rotated, layer) {
      const cache = (name: string): Tensor => state(`${name} ${layer}`, [sequences, length, keyValueHeads * headDim], 'f32', 'cache');
      return decodeAttention(graph, rotated, decode.positions, cache('keys'), cache('values'), { length, heads, keyValueHeads, headDim });
    },
  });
  const logits = linear(graph, hidden, head);
  const next = sample(graph, logits, settings, decode, length);
  const compiled = compile(graph, [next, logits], { facts: context.gpu.facts, pool, bindings });
  const slices = Object.fromEntries(STATE.map((name) => [name, bindings.get(decode[name])!])) as Record<StateName, Slice>;
  return { calls: compiled.calls, slices: { ...slices, settings: bindings.get(settings)!, logits: compiled.slices.get(logits)! } };
}
