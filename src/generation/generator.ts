/**
 * @file Generation with a key-value cache. Prompts are read in chunks, then one recorded program decodes one token of every
 * sequence and is replayed; tokens come back every few steps. As many requests as one likes share the slots there are.
 *
 * What a sequence comes to does not depend on the others beside it as far as the kernels go: a row's sums over k and over
 * keys are cut at the same places in every program of an adapter that runs on the CPU, and on a GPU in every program of up to 32
 * sequences. Beyond that products round differently, as they do between adapters.
 */
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { childContext } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import { Program } from '../gpu/program.ts';
import { chunkBlock, NO_SLOT } from '../graph/ops/cached-attention.ts';
import type { Sampling } from '../graph/ops/sample.ts';
import { RING, samplingWords } from '../graph/ops/sample.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import type { GeneratorPlan, GeneratorShape, SizedCommands } from './plan.ts';
import { planGenerator } from './plan.ts';
import type { DecodeProgress } from './progress.ts';
import { ProgressMeter } from './progress.ts';
import type { Chunk, GenerationRequest, Live } from './schedule.ts';
import { Schedule } from './schedule.ts';

export type { Sampling } from '../graph/ops/sample.ts';
export type { GeneratorShape } from './plan.ts';
export type { DecodeProgress } from './progress.ts';
export type { GenerationRequest } from './schedule.ts';

export interface GeneratedToken {
  readonly id: number;
  /** Probability under the model, before temperature and truncation. */
  readonly probability: number;
}

/** What a slice of the work gave. */
export interface Advance {
  /** New tokens of each request, its end token included. */
  readonly tokens: readonly (readonly GeneratedToken[])[];
  /** Requests that have come to their end. */
  readonly ended: readonly number[];
  /** All requests have ended or are full. */
  readonly finished: boolean;
}

/** A slice is to take about this long, so that whoever waits for a turn, or wants to stop, waits no longer; a chunk or a token may. */
const SLICE_SECONDS = 0.1;

/** Decodes for one set of weights, which may change between calls of `begin`. */
export class Generator {
  #schedule: Schedule | undefined;
  #meter = new ProgressMeter(0, 0);
  #requests = 0;
  /** Rows of the step programs as the GPU has them; undefined when sequences have come or gone. */
  #rows: readonly Live[] | undefined;
  #drawn = 0;
  #stepSeconds = Number.POSITIVE_INFINITY;
  readonly #programs = new Map<string, Promise<Program>>();

  private constructor(
    private readonly context: Context,
    private readonly shape: GeneratorShape,
    private readonly ends: readonly number[],
    private readonly plan: GeneratorPlan,
    private readonly vocabulary: number,
  ) {}

  /**
   * Makes all buffers; programs are compiled when they are first needed.
   * @param ends ids that end a sequence, at most four
   */
  static async create(model: Model, weights: WeightSet, shape: GeneratorShape, ends: readonly number[]): Promise<Generator> {
    const context = childContext(model.context);
    try {
      const generator = new Generator(context, shape, ends, planGenerator(context, model, weights, shape), model.config.vocabSize);
      await generator.#program('step', generator.plan.steps.at(-1)!);
      return generator;
    } catch (error) {
      context.pool.destroyAll();
      throw error;
    }
  }

  /**
   * Starts anew; requests beyond the number of slots wait for one.
   * @throws {RangeError} when a prompt is empty or leaves no room
   */
  begin(requests: readonly GenerationRequest[], sampling: Sampling): void {
    const { sequences, length } = this.shape;
    this.#schedule = new Schedule(requests, { sequences, length, seed: sampling.seed });
    this.#requests = requests.length;
    this.#rows = undefined;
    const sum = (of: (request: GenerationRequest) => number): number => requests.reduce((total, request) => total + of(request), 0);
    this.#meter = new ProgressMeter(
      sum(({ prompt }) => prompt.length - 1),
      sum(({ prompt, maxNewTokens = length }) => Math.min(maxNewTokens, length - prompt.length)),
    );
    this.#write(this.plan.slices.settings, samplingWords(sampling, this.ends));
  }

  /** Of what `begin` has started. */
  get progress(): DecodeProgress {
    return this.#meter.progress;
  }

  /**
   * The next slice of the work: a chunk of prompts, or a few tokens of every sequence whose prompt is read.
   * @param most tokens a sequence
   */
  async slice(most = RING): Promise<Advance> {
    const schedule = this.#begun();
    schedule.admit();
    const chunk = schedule.nextChunk(this.plan.chunks.at(-1)!.rows, chunkBlock(this.context.gpu.facts));
    const tokens: GeneratedToken[][] = Array.from({ length: this.#requests }, () => []);
    if (chunk) await this.#read(chunk);
    const ended = chunk || schedule.finished ? [] : await this.#step(schedule, most, tokens);
    this.context.gpu.assertHealthy();
    return { tokens, ended, finished: schedule.finished };
  }

  /** Slices until `count` tokens are decoded of every sequence that is under way, or none is. */
  async advance(count: number): Promise<Advance> {
    const tokens: GeneratedToken[][] = Array.from({ length: this.#requests }, () => []);
    const ended: number[] = [];
    let finished = false;
    for (let left = count; left > 0 && !finished; ) {
      const slice = await this.slice(left);
      for (const [i, news] of slice.tokens.entries()) tokens[i]!.push(...news);
      ended.push(...slice.ended);
      left -= Math.max(...slice.tokens.map((news) => news.length));
      finished = slice.finished;
    }
    return { tokens, ended, finished };
  }

  /** Logits of the positions decoded last, [sequences then under way, vocabulary], in the order of their requests. */
  async lastLogits(): Promise<Float32Array<ArrayBuffer>> {
    const [logits] = await readBack(this.context.gpu.device, [{ ...this.plan.slices.logits, size: 4 * this.#drawn * this.vocabulary }]);
    return new Float32Array(logits!);
  }

  destroy(): void {
    this.context.pool.destroyAll();
  }

  async #read({ copies, rows, tokens }: Chunk): Promise<void> {
    const { device } = this.context.gpu;
    const { slices, chunks, copy } = this.plan;
    const sized = chunks.find((each) => each.rows >= rows.length)!;
    const copying = copies.length > 0 ? await this.#program('copy', { rows: 0, commands: copy }) : undefined;
    const reading = rows.length > 0 ? await this.#program('chunk', sized) : undefined;
    const started = performance.now();
    for (const { from, to, positions } of copies) {
      this.#write(slices.copy, Uint32Array.of(from, to, positions, 0));
      copying!.replay();
    }
    if (reading) {
      const column = (of: (row: Chunk['rows'][number]) => number, padding: number): Uint32Array<ArrayBuffer> => Uint32Array.from({ length: sized.rows }, (_, i) => (i < rows.length ? of(rows[i]!) : padding));
      this.#write(slices.chunk.ids, column(({ id }) => id, 0));
      this.#write(slices.chunk.positions, column(({ position }) => position, 0));
      this.#write(slices.chunk.slots, column(({ slot }) => slot, NO_SLOT));
      reading.replay();
    }
    await device.queue.onSubmittedWorkDone();
    this.#meter.prompts.add(tokens, (performance.now() - started) / 1000);
  }

  async #step(schedule: Schedule, most: number, tokens: GeneratedToken[][]): Promise<number[]> {
    const { step } = this.plan.slices;
    const rows = this.#rows ?? this.#place(schedule.ready);
    this.#rows = rows;
    const sized = this.plan.steps.find((each) => each.rows >= rows.length)!;
    const program = await this.#program('step', sized);
    const inTime = Math.max(1, Math.floor(SLICE_SECONDS / this.#stepSeconds));
    const count = Math.min(most, RING, inTime, Math.max(...rows.map(({ lastPosition, position }) => lastPosition - position)));
    const started = performance.now();
    for (let i = 0; i < count; i++) program.replay();
    const [ids, chances, reached, ended] = await readBack(this.context.gpu.device, [step.tokens, step.probabilities, step.positions, step.finished]);
    const seconds = (performance.now() - started) / 1000;
    this.#stepSeconds = seconds / count;
    this.#drawn = rows.length;
    const [id, probability, position, finished] = [new Uint32Array(ids!), new Float32Array(chances!), new Uint32Array(reached!), new Uint32Array(ended!)];
    const over: number[] = [];
    let written = 0;
    for (const [row, one] of rows.entries()) {
      for (let at = one.position + 1; at <= position[row]!; at++) tokens[one.index]!.push({ id: id[row * RING + (at % RING)]!, probability: probability[row * RING + (at % RING)]! });
      written += position[row]! - one.position;
      one.position = position[row]!;
      one.id = tokens[one.index]!.at(-1)?.id ?? one.id;
      if (finished[row] === 0) continue;
      this.#meter.answers.total -= one.lastPosition - one.position;
      schedule.end(one);
      over.push(one.index);
      this.#rows = undefined;
    }
    this.#meter.answers.add(written, seconds);
    return over;
  }

  /** Puts sequences into the rows of the step programs, in the order of their requests; what is left is padding. */
  #place(ready: readonly Live[]): readonly Live[] {
    const rows = ready.toSorted((a, b) => a.index - b.index);
    const { step } = this.plan.slices;
    const column = (of: (row: Live) => number, padding: number): Uint32Array<ArrayBuffer> => Uint32Array.from({ length: this.shape.sequences }, (_, i) => (i < rows.length ? of(rows[i]!) : padding));
    this.#write(step.ids, column(({ id }) => id, 0));
    this.#write(step.positions, column(({ position }) => position, 0));
    this.#write(step.slots, column(({ slot }) => slot, NO_SLOT));
    this.#write(step.finished, column(() => 0, 1));
    this.#write(step.requests, Uint32Array.from(rows.flatMap(({ seed, stream, lastPosition }) => [seed, stream, lastPosition, 0])));
    return rows;
  }

  #program(kind: 'chunk' | 'step' | 'copy', { rows, commands }: SizedCommands): Promise<Program> {
    const key = `${kind} ${rows}`;
    const { gpu, pipelines } = this.context;
    const program = this.#programs.get(key) ?? Program.record(gpu.device, pipelines, key, commands);
    this.#programs.set(key, program);
    return program;
  }

  #write({ buffer, offset }: Slice, words: Uint32Array<ArrayBuffer>): void {
    this.context.gpu.device.queue.writeBuffer(buffer, offset, words);
  }

  #begun(): Schedule {
    if (!this.#schedule) throw new Error('A generator begins with prompts.');
    return this.#schedule;
  }
}
