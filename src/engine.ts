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
import { stopTokenIds } from './data/endOfTurn.ts';
import type { TokenisedExample } from './data/tokenise.ts';
import type { TokenisedList } from './data/tokenStore.ts';
import { encodeAsked, encodePrompt, tokeniseExample } from './data/tokenise.ts';
import { isCorrect } from './evaluation/answer.ts';
import type { ItemResult } from './evaluation/evaluator.ts';
import { Evaluator } from './evaluation/evaluator.ts';
import type { ScorerSettings } from './evaluation/scorer.ts';
import { Scorer } from './evaluation/scorer.ts';
import type { ChatTemplate } from './formats/chatTemplate.ts';
import { chatTemplateOf } from './formats/chatTemplate.ts';
import type { FloatDtype } from './formats/floats.ts';
import type { JsonObject, ModelFiles, ModelFolder, WriteFile } from './formats/folder.ts';
import { readModelFolder, writeModelFolder } from './formats/folder.ts';
import { FormatError, show } from './formats/formatError.ts';
import type { LazyTensor } from './formats/safetensors.ts';
import { encodeFloats, openSafetensors, readTensor, streamSafetensors } from './formats/safetensors.ts';
import type { LoraAdapter, LoraModule, LoraSettings } from './formats/lora.ts';
import type { Tokenizer } from './formats/tokenizer.ts';
import { loadTokenizer } from './formats/tokenizer.ts';
import type { GeneratorShape } from './generation/generator.ts';
import { Generator } from './generation/generator.ts';
import type { BufferCategory, BufferFacts } from './gpu/buffers.ts';
import type { Context } from './gpu/context.ts';
import { createContext } from './gpu/context.ts';
import type { Gpu } from './gpu/device.ts';
import type { FloatType } from './gpu/storedFloats.ts';
import { trialAllocate, type Trial } from './gpu/trial.ts';
import type { ObjectiveSettings } from './methods/objectives.ts';
import { objectiveOf } from './methods/objectives.ts';
import { NO_DIRECTIONS, penaltyTerm } from './methods/penalties.ts';
import { PROJECTION_NEEDS_FULL } from './methods/projection.ts';
import type { MethodChoice } from './methods/registry.ts';
import { heldBy, methodInfo, partsOf } from './methods/registry.ts';
import type { AdapterBase } from './models/adapter.ts';
import { AdaptedWeights, merge, targetLinears } from './models/adapter.ts';
import type { BatchShape, PackedBatch } from './models/decoder.ts';
import type { LoadOptions } from './models/model.ts';
import { Model } from './models/model.ts';
import { fileShape, toFile } from './models/stored.ts';
import type { WeightSet } from './models/weights.ts';
import { controlDirections } from './spectral/controls.ts';
import type { Decomposition } from './spectral/decompose.ts';
import { decomposeAll, destroyBases, heldMatrices } from './spectral/decompose.ts';
import type { MatrixDriftDetail } from './spectral/drift.ts';
import { DriftMeter, measureDriftDetail } from './spectral/drift.ts';
import type { ExtractOptions, Extraction } from './spectral/extract.ts';
import { extractAdapter } from './spectral/extract.ts';
import type { FisherAlignment, FisherOptions } from './spectral/fisher.ts';
import { measureFisher } from './spectral/fisher.ts';
import type { Measuring } from './spectral/measuring.ts';
import type { OutputDrift } from './spectral/outputDrift.ts';
import { measureOutputDrift } from './spectral/outputDrift.ts';
import type { RepresentationDrift, RepresentationOptions } from './spectral/representation.ts';
import { measureRepresentationDrift } from './spectral/representation.ts';
import type { Restored, RestoredPart } from './spectral/restore.ts';
import { restorePart } from './spectral/restore.ts';
import type { Progress } from './spectral/workspace.ts';
import type { GrpoSettings } from './training/grpo.ts';
import { GrpoTrainer } from './training/grpo.ts';
import type { AdamW, StepRecord } from './training/optimizer.ts';
import type { Task } from './training/rollout.ts';
import type { Schedule } from './training/schedule.ts';
import { learningRateAt } from './training/schedule.ts';
import type { PenaltyChoice } from './training/trainer.ts';
import { planRun, waysToFit, type RunPlan, type RunSize, type WayToFit } from './training/memory.ts';
import { Trainer } from './training/trainer.ts';

export type { Gpu } from './gpu/device.ts';
export { GpuCommandError, GpuLostError, GpuMemoryError, GpuUnavailableError, requestGpu, wrapDevice } from './gpu/device.ts';
export type { FloatType } from './gpu/storedFloats.ts';
export type { ModelFiles } from './formats/folder.ts';
export type { LoadOptions } from './models/model.ts';
export type { ParameterBuffers } from './models/parameters.ts';
export type { WeightSet } from './models/weights.ts';
export type { LoraAdapter } from './formats/lora.ts';
export type { ExtractOptions, Extraction } from './spectral/extract.ts';
export type { MatrixDriftDetail } from './spectral/drift.ts';
export type { FisherAlignment, FisherOptions } from './spectral/fisher.ts';
export type { Cost, Measuring } from './spectral/measuring.ts';
export type { OutputDrift } from './spectral/outputDrift.ts';
export type { RepresentationDrift, RepresentationOptions } from './spectral/representation.ts';
export type { Restored, RestoredPart } from './spectral/restore.ts';
export type { ItemResult } from './evaluation/evaluator.ts';
export type { Decomposition } from './spectral/decompose.ts';
export type { TokenisedExample } from './data/tokenise.ts';
export { meanLoss } from './evaluation/evaluator.ts';
export type { StepRecord } from './training/optimizer.ts';
export type { Trial } from './gpu/trial.ts';
export type { RunPlan, RunSize, WayToFit } from './training/memory.ts';
export type { GrpoRecord, GrpoTrainer } from './training/grpo.ts';
export { METRICS_RING } from './training/trainer.ts';

export type { MethodId, ObjectiveId, PenaltyId } from './methods/registry.ts';

/** What is trained in place of all weights: low-rank adapters on some linear layers (arXiv 2106.09685). */
export interface LoraOptions {
  readonly rank: number;
  readonly alpha: number;
  /** Short names of the adapted layers, such as `q_proj`, or whole paths. */
  readonly targets: readonly string[];
  /** Scale alpha / sqrt(rank) in place of alpha / rank (arXiv 2312.03732). */
  readonly rsLora: boolean;
}

/** `method`, `lambda` and `penalty` as `partsOf` reads them (methods/registry.ts); `tau`, `throughScale` and `beta` for the objectives that have them. */
export interface FineTuneSettings extends MethodChoice, ObjectiveSettings {
  /** Absent for full fine-tuning. */
  readonly lora?: LoraOptions | undefined;
  /** k of the directions that a penalty holds, as a fraction of each matrix's smaller side. */
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
  /** Computes the activations of a layer again in the backward pass, to hold those of one layer only; the same bits, a third more time. */
  readonly recompute?: boolean;
}

/** GRPO, of all weights or of adapters. */
export interface ReinforceSettings extends Omit<GrpoSettings, 'penalty'> {
  /** Absent for full fine-tuning. */
  readonly lora?: LoraOptions | undefined;
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

/** Bases with those who work in them now. */
interface HeldBases {
  readonly key: string;
  readonly value: Decomposition;
  users: number;
}

/** How the names of an adapter's A end. */
const A_NAME = '.lora_A.weight';

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
  /** The model's own chat template; without one, prompts with completions keep the plain form. */
  readonly template: ChatTemplate | undefined;
  #decomposition: HeldBases | undefined;

  constructor(
    private readonly context: Context,
    readonly model: Model,
    readonly folder: ModelFolder,
  ) {
    this.tokenizer = loadTokenizer(folder.tokenizerJson, folder.tokenizerConfig, folder.generationConfig);
    const { chatTemplate, tokenizerConfig, files } = folder;
    this.template = chatTemplate === undefined ? undefined : chatTemplateOf({ tokenizerConfig, ...(files.has('chat_template.jinja') ? { chatTemplateFile: chatTemplate } : {}) });
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
    return encodePrompt(question, this.tokenizer, this.template);
  }

  /** Tokens that end an answer. */
  get stopTokenIds(): readonly number[] {
    return stopTokenIds(this.tokenizer, this.template);
  }

  /** Examples as token ids with the mask of trained tokens; longer ones are cut to `maxLength`. */
  tokenise(examples: readonly Example[], maxLength: number): TokenisedExample[] {
    return examples.map((example) => tokeniseExample(example, this.tokenizer, { maxLength, template: this.template }));
  }

  /**
   * Singular bases of the pretrained matrices; those of the last call are kept.
   * @param targets only the linear layers of these names, as a run with adapters needs them; all matrices when left out
   */
  async decompose(rankFraction: number, onProgress?: Progress, targets?: readonly string[]): Promise<Decomposition> {
    const { names, key } = this.#decomposed(rankFraction, targets);
    if (this.#decomposition?.key === key) return this.#decomposition.value;
    this.#forgetDecomposition();
    const value = await decomposeAll(this.context, this.model.weights, { rankFraction, names }, onProgress);
    this.#decomposition = { key, value, users: 0 };
    return value;
  }

  /**
   * Runs `work` in the bases that `decompose` gives: its last ones where they are the same, else ones that are freed again.
   * They stay until the work has ended, also when others are decomposed meanwhile.
   */
  async withBases<T>(rankFraction: number, targets: readonly string[] | undefined, work: (decomposition: Decomposition) => Promise<T>, { turn = (now) => now(), onProgress }: Measuring = {}): Promise<T> {
    const { names, key } = this.#decomposed(rankFraction, targets);
    const held = await turn(async (): Promise<HeldBases> => {
      const same = this.#decomposition?.key === key ? this.#decomposition : undefined;
      const bases = same ?? { key, value: await decomposeAll(this.context, this.model.weights, { rankFraction, names }, onProgress), users: 0 };
      bases.users += 1;
      return bases;
    });
    try {
      return await work(held.value);
    } finally {
      held.users -= 1;
      if (held !== this.#decomposition) this.#free(held);
    }
  }

  /**
   * Prepares a run: decomposes where the method needs it, allocates, compiles. The pretrained reference of its penalty is this
   * lab's model, wherever it starts.
   * @param from.startFrom weights of another run or of an import, which are copied: for full fine-tuning any, adapters
   *   merged; for LoRA an adapter of the same settings on the same layers
   * @throws {RangeError} when a run with adapters cannot go on from `startFrom`, or its method needs all weights
   */
  async fineTune(settings: FineTuneSettings, examples: TokenisedList, { decompose, startFrom }: { readonly decompose?: Progress; readonly startFrom?: WeightSet | undefined } = {}): Promise<FineTune> {
    const { batchSize, accumulation, length, seed, schedule, optimizer, recompute = false } = settings;
    if (batchSize % accumulation) throw new RangeError(`${accumulation} micro-batches do not divide a batch of ${batchSize} examples.`);
    const plan = new BatchPlan(examples, { batchSize: batchSize / accumulation, seqLen: length, seed, padTokenId: this.tokenizer.padTokenId, steps: schedule.steps * accumulation });
    const shape = { rows: plan.shape.rows, length };
    const objective = objectiveOf(partsOf(settings).objective, settings);
    const { penalty, release } = await this.#penalty(settings, decompose);
    const { start, own } = await this.#start(settings, startFrom).catch((error: unknown) => {
      release();
      throw error;
    });
    try {
      return new FineTune(await Trainer.create(this.model, { batch: shape, accumulation, optimizer, schedule, objective, recompute, ...(penalty ? { penalty } : {}) }, start), plan, settings, release);
    } catch (error) {
      release();
      throw error;
    } finally {
      if (own) this.release(start);
    }
  }

  /**
   * Prepares GRPO (arXiv 2402.03300) on questions with a gold answer: an answer is worth 1 where evaluation would count it right,
   * else 0. One that the limit cut off counts as what it says so far.
   * @param from.startFrom as for `fineTune`
   * @throws {RangeError} naming the row that has no gold answer, or a setting that leaves nothing to learn
   */
  async reinforce(settings: ReinforceSettings, examples: readonly Example[], { startFrom }: { readonly startFrom?: WeightSet | undefined } = {}): Promise<GrpoTrainer> {
    const tasks = examples.map((example) => this.#task(example));
    const { start, own } = await this.#start(settings, startFrom);
    try {
      return await GrpoTrainer.create(this.model, settings, tasks, { ids: this.stopTokenIds.slice(0, 4), padTokenId: this.tokenizer.padTokenId }, start);
    } finally {
      if (own) this.release(start);
    }
  }

  /** The memory a run would take, by category and buffer, without allocating any: the code of a run on a device that only counts. */
  plan(size: RunSize): Promise<RunPlan> {
    return planRun(this.model, size);
  }

  /**
   * Makes, touches and frees the buffers of a run beside what is held now, since WebGPU does not tell how much memory there is.
   * Where it stopped is counted as in the plan, with the model that is there already.
   */
  async trial({ size, buffers, total }: RunPlan): Promise<Trial> {
    const isHeld = ({ category }: BufferFacts): boolean => (category === 'pretrained' && size.precision === this.model.precision) || (category === 'bases' && heldBy(size.penalty) === 'top' && this.#decomposition !== undefined);
    const missing = buffers.filter((buffer) => !isHeld(buffer));
    const trial = await trialAllocate(this.context, missing);
    return trial.fits ? trial : { ...trial, stoppedAt: trial.stoppedAt + total - missing.reduce((sum, buffer) => sum + buffer.size, 0) };
  }

  /** The changes that would each make a run smaller, the least harmful first. @param limit bytes it should fit */
  waysToFit(size: RunSize, limit: number): Promise<WayToFit[]> {
    return waysToFit(this.model, size, limit);
  }

  /** A forward pass recorded over a set of weights, to evaluate as often as wanted; free it with `destroy`. */
  evaluator(weights: WeightSet = this.model.weights, shape: BatchShape): Promise<Evaluator> {
    return Evaluator.create(this.model, weights, shape, this.tokenizer.padTokenId);
  }

  /** Evaluates once. */
  async evaluate(examples: readonly TokenisedExample[], shape: BatchShape, weights: WeightSet = this.model.weights): Promise<ItemResult[]> {
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
    return Generator.create(this.model, weights, shape, this.stopTokenIds.slice(0, 4));
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
  driftMeter(weights: WeightSet, { bases }: Decomposition): Promise<DriftMeter> {
    return DriftMeter.create(this.context, { weights, pretrained: this.model.weights, bases });
  }

  /** The drift of one matrix with its alignment, in bases of `decompose`. @throws {RangeError} for a matrix without a basis */
  driftDetail(weights: WeightSet, { bases }: Decomposition, name: string): Promise<MatrixDriftDetail> {
    return measureDriftDetail(this.context, { weights, pretrained: this.model.weights, bases }, name);
  }

  /** The share of the Fisher information of `weights` in the top-k block of the pretrained ones (spectral/fisher.ts). */
  fisher(weights: WeightSet, { bases }: Decomposition, examples: readonly TokenisedExample[], options?: FisherOptions): Promise<FisherAlignment> {
    return measureFisher(this.model, weights, bases, examples, this.tokenizer.padTokenId, options);
  }

  /** How far hidden states on a probe set have moved from the pretrained model's (spectral/representation.ts). */
  representationDrift(weights: WeightSet, examples: readonly TokenisedExample[], shape: BatchShape, options?: RepresentationOptions): Promise<RepresentationDrift> {
    return measureRepresentationDrift(this.model, weights, examples, shape, this.tokenizer.padTokenId, options);
  }

  /** How far predictions on a probe set have moved from the pretrained model's (spectral/outputDrift.ts). */
  outputDrift(weights: WeightSet, examples: readonly TokenisedExample[], shape: BatchShape, measuring?: Measuring): Promise<OutputDrift> {
    return measureOutputDrift(this.model, weights, examples, shape, this.tokenizer.padTokenId, measuring);
  }

  /** A copy of `weights` with a part of the pretrained top-k block put back (spectral/restore.ts); free it with `release`. */
  restore(weights: WeightSet, decomposition: Decomposition, part: RestoredPart, measuring?: Measuring): Promise<Restored> {
    return restorePart(this.context, weights, this.model.weights, decomposition, part, measuring);
  }

  /** A copy of weights that outlives the run they come from; free it with `release`. */
  keep(weights: WeightSet): Promise<WeightSet> {
    return weights.copy(this.context);
  }

  release(weights: WeightSet): void {
    weights.destroy(this.context.pool);
  }

  /** The adapter of a LoRA run as numbers, for export. @throws {TypeError} for weights without one; `extract` makes one */
  adapterMatrices(weights: WeightSet): Promise<LoraAdapter> {
    if (!(weights instanceof AdaptedWeights)) throw new TypeError('These weights were trained in full and have no adapter; extract one from them.');
    return weights.matrices();
  }

  /**
   * An adapter that was read from a file, on this model; free it with `release`.
   * @throws {RangeError} naming the module that the model does not have or whose matrices do not fit
   */
  attachAdapter(adapter: LoraAdapter): WeightSet {
    return AdaptedWeights.from(this.context, this.#adapterBase, adapter);
  }

  /**
   * The weights of an exported folder, as weights of this model; free them with `release`.
   * @throws as `open` does, and when the folder is another model than this one
   */
  async attachWeights(files: ModelFiles): Promise<WeightSet> {
    const { config, weights } = await readModelFolder(files);
    const read = await Model.load(this.context, config, weights);
    const shapes = ({ layout }: Model): string => layout.weights.map(({ name, shape }) => `${name} ${shape.join()}`).join();
    if (shapes(read) === shapes(this.model)) return read.weights;
    read.destroy();
    throw new RangeError('These weights are of another model than the open one: their names or shapes differ. The open model is as it was.');
  }

  /** What was trained of some weights as a safetensors file, piece by piece: all of them, or the matrices of an adapter, in f32 and as their own files have them. */
  saveWeights({ trained }: WeightSet): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const { device } = this.context.gpu;
    const tensors = trained.layout.weights.map((weight): LazyTensor => ({
      name: weight.name,
      dtype: 'F32',
      shape: fileShape(weight),
      bytes: async () => encodeFloats(toFile(weight, await trained.read(device, weight)), 'F32'),
    }));
    return streamSafetensors(tensors);
  }

  /**
   * What `saveWeights` wrote, as weights of this model; free them with `release`.
   * @param lora settings of the run, where it trained an adapter
   * @throws as `attachWeights` and `attachAdapter` do
   */
  async loadWeights(file: Blob, fileName: string, lora?: LoraOptions): Promise<WeightSet> {
    if (!lora) return this.attachWeights(new Map([['config.json', new Blob([JSON.stringify(this.folder.config)])], ['model.safetensors', file]]));
    const { tensors, ...source } = await openSafetensors(file, fileName);
    const modules: LoraModule[] = [];
    for (const [name, { shape }] of tensors) {
      if (!name.endsWith(A_NAME)) continue;
      if (shape[0] !== lora.rank) throw new FormatError(fileName, `tensor ${show(name)}`, `has the rank ${shape[0]}; the run has ${lora.rank}`);
      const read = (tensor: string): Promise<Float32Array<ArrayBuffer>> => readTensor({ tensors, ...source }, tensor);
      modules.push({ name: name.slice(0, -A_NAME.length), a: await read(name), b: await read(name.replace(A_NAME, '.lora_B.weight')) });
    }
    return this.attachAdapter({ settings: { r: lora.rank, alpha: lora.alpha, rsLora: lora.rsLora }, modules });
  }

  /** The adapter that comes nearest to what a run changed, with the share of the change that it holds. */
  extract(weights: WeightSet, options: ExtractOptions, onProgress?: Progress): Promise<Extraction> {
    return extractAdapter(this.context, weights, this.#adapterBase, options, onProgress);
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

  get #adapterBase(): AdapterBase {
    return { weights: this.model.weights, linears: this.model.architecture.linears };
  }

  #task(example: Example): Task {
    const { answer: gold, row } = example;
    if (gold === undefined) throw new RangeError(`Row ${row} has no gold answer to reward; leave it out, or choose the column that holds it.`);
    const ends = this.stopTokenIds;
    return {
      prompt: encodeAsked(example, this.tokenizer, this.template),
      reward: (answer) => Number(isCorrect(this.decode(answer.filter((id) => !ends.includes(id))), gold)),
    };
  }

  /** Where a run starts; `own` when it was made for that alone. */
  async #start({ lora, seed }: Pick<FineTuneSettings, 'lora' | 'seed'>, startFrom: WeightSet = this.model.weights): Promise<{ readonly start: WeightSet; readonly own: boolean }> {
    const adapter = startFrom instanceof AdaptedWeights ? startFrom : undefined;
    if (!lora) return adapter ? { start: await merge(this.context, adapter), own: true } : { start: startFrom, own: false };
    const settings: LoraSettings = { r: lora.rank, alpha: lora.alpha, rsLora: lora.rsLora };
    if (startFrom === this.model.weights) return { start: AdaptedWeights.create(this.context, this.#adapterBase, settings, lora.targets, seed), own: true };
    if (!adapter) throw new RangeError('A LoRA run starts from the model or from an adapter, and these weights were trained in full. Extract an adapter from them and start from that.');
    for (const field of ['r', 'alpha', 'rsLora'] as const) {
      if (adapter.settings[field] !== settings[field]) throw new RangeError(`The adapter to start from has ${field} ${adapter.settings[field]}, the settings say ${settings[field]}; take those of the adapter.`);
    }
    const wanted = targetLinears(this.model.architecture.linears, lora.targets).map(({ module }) => module);
    const has = new Set(adapter.modules.map(({ linear }) => linear.module));
    const odd = wanted.find((module) => !has.has(module)) ?? [...has].find((module) => !wanted.includes(module));
    if (odd !== undefined) throw new RangeError(`The adapter to start from and the targets of the settings differ in ${odd}; take the layers of the adapter.`);
    return { start: adapter, own: false };
  }

  /** The penalty of a run, and what frees the directions that are its alone. */
  async #penalty(settings: FineTuneSettings, onProgress?: Progress): Promise<{ readonly penalty?: PenaltyChoice; readonly release: () => void }> {
    const { lambda, rankFraction, lora, seed } = settings;
    const { penalty: id } = partsOf(settings);
    const nothing = (): void => undefined;
    if (!id) return { release: nothing };
    if (lora && !methodInfo(id).adapters) throw new RangeError(PROJECTION_NEEDS_FULL);
    const held = heldBy(id);
    if (!held) return { penalty: { lambda, term: penaltyTerm(id, NO_DIRECTIONS) }, release: nothing };
    if (held === 'top') return { penalty: { lambda, term: penaltyTerm(id, await this.decompose(rankFraction, onProgress, lora?.targets)) }, release: nothing };
    const names = lora && new Set(targetLinears(this.model.architecture.linears, lora.targets).map(({ module }) => `${module}.weight`));
    const { restricted, degenerate } = heldMatrices(this.model.layout, rankFraction, names);
    const bases = await controlDirections(this.context, this.model.weights, restricted, held, seed, onProgress);
    return { penalty: { lambda, term: penaltyTerm(id, { bases, degenerate }) }, release: () => destroyBases(this.context, bases) };
  }

  #decomposed(rankFraction: number, targets: readonly string[] | undefined): { readonly names: ReadonlySet<string> | undefined; readonly key: string } {
    const names = targets && new Set(targetLinears(this.model.architecture.linears, targets).map(({ module }) => `${module}.weight`));
    return { names, key: [rankFraction, ...(names ?? ['all'])].join(' ') };
  }

  #forgetDecomposition(): void {
    if (this.#decomposition) this.#free(this.#decomposition);
    this.#decomposition = undefined;
  }

  /** The last who works in them frees them. */
  #free({ value, users }: HeldBases): void {
    if (users === 0) destroyBases(this.context, value.bases);
  }
}

/** What decides how much memory a run takes. @param batch rows and tokens a row of a micro-batch */
export const runSize = (settings: FineTuneSettings, batch: BatchShape, precision: FloatType): RunSize => {
  const { rankFraction, lora, accumulation, recompute = false, throughScale } = settings;
  return { ...partsOf(settings), throughScale, rankFraction, lora, accumulation, recompute, batch, precision };
};

/** A run: batches in the order its seed gives, one optimizer step at a time. */
export class FineTune {
  constructor(
    private readonly trainer: Trainer,
    private readonly plan: BatchPlan,
    readonly settings: FineTuneSettings,
    /** Frees what was made for this run alone. */
    private readonly release: () => void,
  ) {}

  /** Steps submitted so far. */
  get step(): number {
    return this.trainer.step;
  }

  /** The weights under training; read by evaluators while the run goes on. */
  get weights(): WeightSet {
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

  /** Everything the run is after the submitted steps, as pieces of a file for `restoreState`. Submit no step until they were read. */
  saveState(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    return this.trainer.saveState();
  }

  /**
   * Goes on from what a run of the same settings on the same data has saved, bit for bit.
   * @throws FormatError when it is of another run; this one is as it was then
   */
  restoreState(file: Blob, fileName: string): Promise<void> {
    return this.trainer.restoreState(file, fileName);
  }

  /** GPU time by kernel of one more replay of a step (needs `timestamp-query`); the weights move by it. */
  profile(): Promise<Map<string, { nanoseconds: number; count: number }>> {
    return this.trainer.profile();
  }

  /** Frees everything of the run, its weights included. */
  destroy(): void {
    this.trainer.destroy();
    this.release();
  }
}
