/**
 * @file The engine's one public entry: open a model, encode, fine-tune step by step, evaluate, decompose, measure drift,
 * generate, export. It takes a GPUDevice, knows no page, and runs the same in a worker and in Node.
 *
 *     const engine = createEngine(await requestGpu(navigator.gpu));
 *     const lab = await engine.open(files, { precision: 'bf16' });      // a Hugging Face folder
 *     const run = await lab.fineTune({ ...settings, method: 'rpsft', examples: lab.tokenise(dataset, 128) });
 *     while (run.step < 300) { run.submitStep(); if (run.step % 10 === 0) console.log(await run.readMetrics()); }
 *     const files = await lab.exportFolder(run.weights, card);
 */
import type { Example } from './data/examples.ts';
import { BatchPlan } from './data/batches.ts';
import type { TokenisedExample } from './data/tokenise.ts';
import { encodePrompt, tokeniseExample } from './data/tokenise.ts';
import type { ItemResult } from './evaluation/evaluator.ts';
import { Evaluator } from './evaluation/evaluator.ts';
import type { ScorerSettings } from './evaluation/scorer.ts';
import { Scorer } from './evaluation/scorer.ts';
import type { FloatDtype } from './formats/floats.ts';
import type { JsonObject, ModelFiles, ModelFolder, WriteFile } from './formats/folder.ts';
import { readModelFolder, writeModelFolder } from './formats/folder.ts';
import { encodeFloats } from './formats/safetensors.ts';
import type { Tokenizer } from './formats/tokenizer.ts';
import { loadTokenizer } from './formats/tokenizer.ts';
import type { GeneratorShape } from './generation/generator.ts';
import { Generator } from './generation/generator.ts';
import type { BufferCategory } from './gpu/buffers.ts';
import type { Context } from './gpu/context.ts';
import { createContext } from './gpu/context.ts';
import type { Gpu } from './gpu/device.ts';
import type { FloatType } from './gpu/storedFloats.ts';
import { l2spPenalty } from './methods/l2sp.ts';
import { rpsftPenalty } from './methods/rpsft.ts';
import type { BatchShape, PackedBatch } from './models/decoder.ts';
import type { LoadOptions } from './models/model.ts';
import { Model } from './models/model.ts';
import { ParameterBuffers } from './models/parameters.ts';
import { fileShape, toFile } from './models/stored.ts';
import type { WeightSet } from './models/weights.ts';
import type { Decomposition } from './spectral/decompose.ts';
import { decomposeAll, destroyBases, effectiveRank } from './spectral/decompose.ts';
import { DriftMeter } from './spectral/drift.ts';
import type { Progress } from './spectral/workspace.ts';
import type { AdamW, StepRecord } from './training/optimizer.ts';
import type { Schedule } from './training/schedule.ts';
import { learningRateAt } from './training/schedule.ts';
import type { PenaltyChoice } from './training/trainer.ts';
import { Trainer } from './training/trainer.ts';

export type { Gpu } from './gpu/device.ts';
export { GpuCommandError, GpuLostError, GpuMemoryError, GpuUnavailableError, requestGpu, wrapDevice } from './gpu/device.ts';
export type { FloatType } from './gpu/storedFloats.ts';
export type { ModelFiles } from './formats/folder.ts';
export type { LoadOptions } from './models/model.ts';
export type { ParameterBuffers } from './models/parameters.ts';
export type { WeightSet } from './models/weights.ts';
export type { ItemResult } from './evaluation/evaluator.ts';
export type { Decomposition } from './spectral/decompose.ts';
export type { TokenisedExample } from './data/tokenise.ts';
export { meanLoss } from './evaluation/evaluator.ts';
export type { StepRecord } from './training/optimizer.ts';
export { METRICS_RING } from './training/trainer.ts';

/** Fine-tuning methods: plain, RPSFT (arXiv 2605.10973), and L2-SP (arXiv 1802.01483). */
export type MethodId = 'sft' | 'rpsft' | 'l2sp';

export interface FineTuneSettings {
  readonly method: MethodId;
  /** Strength of the penalty; without effect for `sft`. */
  readonly lambda: number;
  /** k of RPSFT's block as a fraction of each matrix's smaller side. */
  readonly rankFraction: number;
  readonly optimizer: AdamW;
  readonly schedule: Schedule;
  /** Examples an optimizer step. */
  readonly batchSize: number;
  /** Micro-batches an optimizer step; must divide `batchSize`. */
  readonly accumulation: number;
  /** Tokens in a packed row; at least the longest example. */
  readonly length: number;
  readonly seed: number;
}

/** How a folder is written. */
export interface FolderOptions {
  /** Numbers round to nearest, ties to even. */
  readonly dtype?: FloatDtype;
  /** Makes a file of its pieces, on disk where there is one; in memory where it is left out. */
  readonly writeFile?: WriteFile;
  /** Tensors written. */
  readonly onProgress?: Progress;
  readonly signal?: AbortSignal;
}

const DTYPE_NAMES: Readonly<Record<FloatDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The engine on a device; models opened on it share its compiled pipelines. */
export interface Engine {
  readonly gpu: Gpu;
  /** Bytes held on the device, by category. */
  readonly bytes: ReadonlyMap<BufferCategory, number>;
  /** Opens a model from the files of a Hugging Face folder. @throws with the file, field or tensor that is wrong */
  open(files: ModelFiles, options?: LoadOptions): Promise<Lab>;
  /** A fresh model of random weights with the tokenizer of another. @param files the folder of that other model */
  create(config: JsonObject, seed: number, files: ModelFiles, precision?: FloatType): Promise<Lab>;
}

export function createEngine(gpu: Gpu): Engine {
  const context = createContext(gpu);
  return {
    gpu,
    bytes: context.pool.bytes,
    async open(files, options) {
      const folder = await readModelFolder(files);
      return new Lab(context, await Model.load(context, folder.config, folder.weights, options), folder);
    },
    create: async (config, seed, files, precision) => new Lab(context, Model.create(context, config, seed, precision), { ...(await readModelFolder(files)), config }),
  };
}

/** An opened model with its tokenizer: everything that can be done with it. Its own weights never change. */
export class Lab {
  readonly tokenizer: Tokenizer;
  #decomposition: { readonly rankFraction: number; readonly value: Decomposition } | undefined;

  constructor(
    private readonly context: Context,
    readonly model: Model,
    readonly folder: ModelFolder,
  ) {
    this.tokenizer = loadTokenizer(folder.tokenizerJson, folder.tokenizerConfig, folder.generationConfig);
  }

  /** Token ids of a text, without special tokens around it. */
  encode(text: string): number[] {
    return this.tokenizer.encode(text);
  }

  decode(ids: ArrayLike<number>): string {
    return this.tokenizer.decode(ids);
  }

  /** The prompt of a question as training examples have it. */
  encodePrompt(question: string): number[] {
    return encodePrompt(question, this.tokenizer);
  }

  /** Examples as token ids with the mask of trained tokens; longer ones are cut to `maxLength`. */
  tokenise(examples: readonly Example[], maxLength: number): TokenisedExample[] {
    return examples.map((example) => tokeniseExample(example, this.tokenizer, { maxLength }));
  }

  /** Singular bases of the pretrained matrices; those of the last fraction are kept. */
  async decompose(rankFraction: number, onProgress?: Progress): Promise<Decomposition> {
    if (this.#decomposition?.rankFraction === rankFraction) return this.#decomposition.value;
    this.#forgetDecomposition();
    const value = await decomposeAll(this.context, this.model.weights, { rankFraction }, onProgress);
    this.#decomposition = { rankFraction, value };
    return value;
  }

  /** Prepares a run: decomposes where the method needs it, allocates, compiles. */
  async fineTune(settings: FineTuneSettings, examples: readonly TokenisedExample[], onProgress?: { readonly decompose?: Progress }): Promise<FineTune> {
    const { batchSize, accumulation, length, seed, schedule, optimizer } = settings;
    if (batchSize % accumulation) throw new RangeError(`${accumulation} micro-batches do not divide a batch of ${batchSize} examples.`);
    const plan = new BatchPlan(examples, { batchSize: batchSize / accumulation, seqLen: length, seed, padTokenId: this.tokenizer.padTokenId, steps: schedule.steps * accumulation });
    const shape = { rows: plan.shape.rows, length };
    const penalty = await this.#penalty(settings, onProgress?.decompose);
    const trainer = await Trainer.create(this.model, { batch: shape, accumulation, optimizer, schedule, ...(penalty ? { penalty } : {}) });
    return new FineTune(trainer, plan, settings);
  }

  /** A forward pass recorded over a set of weights, to evaluate as often as wanted; free it with `destroy`. */
  evaluator(weights: ParameterBuffers = this.model.weights, shape: BatchShape): Promise<Evaluator> {
    return Evaluator.create(this.model, weights, shape, this.tokenizer.padTokenId);
  }

  /** Evaluates once. */
  async evaluate(examples: readonly TokenisedExample[], shape: BatchShape, weights: ParameterBuffers = this.model.weights): Promise<ItemResult[]> {
    const evaluator = await this.evaluator(weights, shape);
    try {
      return await evaluator.evaluate(examples);
    } finally {
      evaluator.destroy();
    }
  }

  /** Scores items of suites for a set of weights, which may be under training; free it with `destroy`. */
  scorer(weights: WeightSet, settings: ScorerSettings): Scorer {
    return new Scorer(this.model, weights, this.tokenizer, settings);
  }

  /** A recorded decoder for a set of weights; free it with `destroy`. */
  generator(weights: WeightSet, shape: GeneratorShape): Promise<Generator> {
    return Generator.create(this.model, weights, shape, this.tokenizer.eosTokenIds);
  }

  /** The logits [vocabSize] of the token after `ids`. */
  async logits(ids: readonly number[], weights: WeightSet = this.model.weights): Promise<Float32Array<ArrayBuffer>> {
    const generator = await this.generator(weights, { sequences: 1, length: ids.length + 1 });
    try {
      generator.begin([ids], { temperature: 0, topK: 0, topP: 1, seed: 0 });
      await generator.advance(1);
      return await generator.lastLogits();
    } finally {
      generator.destroy();
    }
  }

  /** The likeliest tokens after `ids`, most likely first. */
  async nextTokens(ids: readonly number[], count: number, weights: WeightSet = this.model.weights): Promise<{ readonly id: number; readonly probability: number }[]> {
    const logits = await this.logits(ids, weights);
    const most = logits.reduce((a, b) => Math.max(a, b));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
    const order = Array.from(logits.keys()).toSorted((a, b) => logits[b]! - logits[a]! || a - b);
    return order.slice(0, count).map((id) => ({ id, probability: Math.exp(logits[id]! - most) / total }));
  }

  /** Measures how far `weights` have turned from the pretrained ones, in the bases of `decompose`; free it with `destroy`. */
  driftMeter(weights: ParameterBuffers, { bases }: Decomposition): Promise<DriftMeter> {
    return DriftMeter.create(this.context, { weights, pretrained: this.model.weights, bases });
  }

  /** A copy of weights that outlives the run they come from; free it with `release`. */
  keep(weights: ParameterBuffers): ParameterBuffers {
    const copy = new ParameterBuffers(this.model.layout, this.context.pool, 'weights', 'kept weights');
    copy.copyFrom(this.context.gpu.device, weights);
    return copy;
  }

  release(weights: ParameterBuffers): void {
    weights.destroy(this.context.pool);
  }

  /**
   * The files of a Hugging Face folder with these weights, adapters merged into them. A tensor is read from the GPU when its turn to be written comes.
   * @param readme the model card
   */
  exportFolder(weights: WeightSet, readme: string, { dtype = 'F32', writeFile, onProgress, signal }: FolderOptions = {}): Promise<ModelFiles> {
    const { device } = this.context.gpu;
    const { weights: placed } = this.model.layout;
    let done = 0;
    const tensors = placed.map((weight) => ({
      name: weight.name,
      dtype,
      shape: fileShape(weight),
      bytes: async () => {
        signal?.throwIfAborted();
        const bytes = encodeFloats(toFile(weight, await weights.read(device, weight)), dtype);
        onProgress?.(++done, placed.length);
        return bytes;
      },
    }));
    const { config, generationConfig, tokenizerConfig, chatTemplate, files } = this.folder;
    const tokenizerFiles = new Map([...files].filter(([path]) => /^(tokenizer\.json|tokenizer\.model|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt)$/.test(path)));
    // Every version of transformers reads torch_dtype; the newer name, dtype, would go before it.
    const { dtype: _, ...rest } = config;
    const folder = { config: { ...rest, torch_dtype: DTYPE_NAMES[dtype] }, generationConfig, tokenizerFiles, tokenizerConfig, chatTemplate, tensors, readme };
    return writeModelFolder(folder, writeFile ? { writeFile } : {});
  }

  /** Frees the weights and bases. Runs and evaluators made from this lab must be freed before. */
  destroy(): void {
    this.#forgetDecomposition();
    this.model.destroy();
  }

  async #penalty({ method, lambda, rankFraction }: FineTuneSettings, onProgress?: Progress): Promise<PenaltyChoice | undefined> {
    if (method === 'sft') return undefined;
    if (method === 'l2sp') return { lambda, term: l2spPenalty };
    const decomposition = await this.decompose(rankFraction, onProgress);
    return { lambda, term: (targets) => rpsftPenalty(targets, decomposition) };
  }

  #forgetDecomposition(): void {
    if (this.#decomposition) destroyBases(this.context, this.#decomposition.value.bases);
    this.#decomposition = undefined;
  }
}

/**
 * Bytes that a run would hold, by category, without allocating any: the same code as a run, on a device that only counts.
 * @param shape rows and tokens a row of a micro-batch
 */
export function estimateBytes(lab: Lab, shape: BatchShape, settings: Pick<FineTuneSettings, 'method' | 'rankFraction'>): ReadonlyMap<BufferCategory, number> {
  const { layout } = lab.model;
  const weights = 4 * layout.shardSizes.reduce((sum, size) => sum + size, 0);
  const bases = settings.method === 'rpsft' ? layout.matrixBatches().filter((batch) => effectiveRank(batch, settings.rankFraction) < Math.min(batch.rows, batch.columns)) : [];
  return new Map([
    ['pretrained', weights],
    ['weights', weights],
    ['gradients', weights],
    ['moments', 2 * weights],
    ['activations', Trainer.activationBytes(lab.model, shape)],
    ['bases', bases.reduce((sum, batch) => sum + 4 * batch.names.length * (batch.rows + batch.columns + 1) * effectiveRank(batch, settings.rankFraction), 0)],
  ]);
}

/** A run: batches in the order its seed gives, one optimizer step at a time. */
export class FineTune {
  constructor(
    private readonly trainer: Trainer,
    private readonly plan: BatchPlan,
    readonly settings: FineTuneSettings,
  ) {}

  /** Steps submitted so far. */
  get step(): number {
    return this.trainer.step;
  }

  /** The weights under training; read by evaluators while the run goes on. */
  get weights(): ParameterBuffers {
    return this.trainer.weights;
  }

  /** Rows and tokens a row of a micro-batch. */
  get shape(): BatchShape {
    return this.trainer.options.batch;
  }

  get dispatchesPerStep(): number {
    return this.trainer.dispatchesPerStep;
  }

  /** Passes over the data after the steps so far. */
  get epochs(): number {
    return this.plan.epochsAt(this.step * this.settings.accumulation);
  }

  /** The learning rate of a step, counted from 1. */
  learningRate(step: number): number {
    return learningRateAt(this.settings.schedule, step);
  }

  /** Submits one optimizer step and returns at once with the number of its trained tokens and of all its tokens. */
  submitStep(): { readonly trainedTokens: number; readonly tokens: number } {
    const { accumulation } = this.settings;
    const first = this.step * accumulation;
    const window = Array.from({ length: accumulation }, (_, i) => this.plan.batch(first + i));
    const trainedTokens = window.reduce((sum, batch) => sum + batch.trainedTokens, 0);
    // Each batch is weighted by its own trained tokens; over a window all count alike.
    const microBatches: PackedBatch[] = window.map((batch) => (accumulation === 1 ? batch : { ...batch, rowWeights: batch.rowWeights.map((weight) => (weight > 0 ? 1 / trainedTokens : 0)) }));
    this.trainer.submitStep(microBatches);
    return { trainedTokens, tokens: window.reduce((sum, batch) => sum + batch.tokens, 0) };
  }

  /** Waits for the submitted steps; call it at least every `METRICS_RING` steps. */
  readMetrics(): Promise<StepRecord[]> {
    return this.trainer.readMetrics();
  }

  /** GPU time by kernel of one more replay of a step (needs `timestamp-query`); the weights move by it. */
  profile(): Promise<Map<string, { nanoseconds: number; count: number }>> {
    return this.trainer.profile();
  }

  /** Frees everything of the run, its weights included. */
  destroy(): void {
    this.trainer.destroy();
  }
}
