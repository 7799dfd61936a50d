/**
 * @file A model that is open: everything that can be done with it. What takes more than a call has a file of its own beside this one.
 */
import type { Example } from '../data/examples.ts';
import { BatchPlan } from '../data/batches.ts';
import { stopTokenIds } from '../data/endOfTurn.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import { encodeAsked, encodePrompt, tokeniseExample } from '../data/tokenise.ts';
import { isCorrect } from '../evaluation/answer.ts';
import type { ItemResult } from '../evaluation/evaluator.ts';
import { Evaluator } from '../evaluation/evaluator.ts';
import type { ScorerSettings } from '../evaluation/scorer.ts';
import { Scorer } from '../evaluation/scorer.ts';
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import { chatTemplateOf } from '../formats/chatTemplate.ts';
import type { ModelFiles, ModelFolder } from '../formats/folder.ts';
import type { LoraAdapter } from '../formats/lora.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import { loadTokenizer } from '../formats/tokenizer.ts';
import type { DecodeProgress, GeneratorShape } from '../generation/generator.ts';
import { Generator } from '../generation/generator.ts';
import type { BufferFacts } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { trialAllocate, type Trial } from '../gpu/trial.ts';
import type { Turn } from '../gpu/turn.ts';
import { objectiveOf } from '../methods/objectives.ts';
import { heldBy, partsOf } from '../methods/registry.ts';
import type { AdapterBase } from '../models/adapter.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Decomposition } from '../spectral/decompose.ts';
import type { MatrixDriftDetail } from '../spectral/drift.ts';
import { DriftMeter, measureDriftDetail } from '../spectral/drift.ts';
import type { ExtractOptions, Extraction } from '../spectral/extract.ts';
import { extractAdapter } from '../spectral/extract.ts';
import type { FisherAlignment, FisherOptions } from '../spectral/fisher.ts';
import { measureFisher } from '../spectral/fisher.ts';
import type { Measuring } from '../spectral/measuring.ts';
import type { OutputDrift } from '../spectral/outputDrift.ts';
import { measureOutputDrift } from '../spectral/outputDrift.ts';
import { probeBaseline, ProbeMeter, type Followed, type ProbeBaseline } from '../spectral/probeMeter.ts';
import type { RepresentationDrift, RepresentationOptions } from '../spectral/representation.ts';
import { measureRepresentationDrift } from '../spectral/representation.ts';
import type { Restored, RestoredPart } from '../spectral/restore.ts';
import { restorePart } from '../spectral/restore.ts';
import type { Progress } from '../spectral/workspace.ts';
import { GrpoTrainer } from '../training/grpo.ts';
import type { Task } from '../training/rollout.ts';
import { planRun, waysToFit, type RunPlan, type RunSize, type WayToFit } from '../training/memory.ts';
import { Trainer } from '../training/trainer.ts';
import type { BasesKeeper, BasesProgress, LabDecomposition } from './bases.ts';
import { LabBases } from './bases.ts';
import { FineTune } from './fineTune.ts';
import type { FineTuneSettings, LoraOptions, ReinforceSettings } from './settings.ts';
import { penaltyOf, startOf } from './starting.ts';
import type { FolderOptions } from './weightFiles.ts';
import { readAdapterState, readFolder, streamTrained, writeFolder } from './weightFiles.ts';

/** What a trial adds at a time for the room of a decomposition. */
const ROOM_PIECE = 2 ** 20;

export interface LogitsOptions {
  readonly turn?: Turn;
  readonly onProgress?: (progress: DecodeProgress) => void;
}

/** An opened model with its tokenizer: everything that can be done with it. Its own weights never change. */
export class Lab {
  readonly tokenizer: Tokenizer;
  /** The model's own chat template; without one, prompts with completions keep the plain form. */
  readonly template: ChatTemplate | undefined;
  readonly #bases: LabBases;

  constructor(
    private readonly context: Context,
    readonly model: Model,
    readonly folder: ModelFolder,
  ) {
    this.#bases = new LabBases(context, model);
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
   * Singular bases of the pretrained matrices; those of the last call stay on the device.
   * @param targets only the linear layers of these names, as a run with adapters needs them; all matrices when left out
   */
  decompose(rankFraction: number, onProgress?: BasesProgress, targets?: readonly string[]): Promise<LabDecomposition> {
    return this.#bases.decompose(rankFraction, onProgress, targets);
  }

  /** Has bases read from a keeper where it has them, and told those that it has not. */
  keepBases(keeper: BasesKeeper): void {
    this.#bases.keeper = keeper;
  }

  /**
   * Runs `work` in the bases that `decompose` gives: its last ones where they are the same, else ones that are freed again.
   * They stay until the work has ended, also when others are decomposed meanwhile.
   */
  withBases<T>(rankFraction: number, targets: readonly string[] | undefined, work: (decomposition: Decomposition) => Promise<T>, measuring?: Measuring): Promise<T> {
    return this.#bases.within(rankFraction, targets, work, measuring);
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
    const { penalty, release } = await penaltyOf(this.context, this.model, this.#bases, settings, decompose);
    const { start, own } = await startOf(this.context, this.model, settings, startFrom).catch((error: unknown) => {
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
    const { start, own } = await startOf(this.context, this.model, settings, startFrom);
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
  async trial({ size, buffers, total, decomposing }: RunPlan): Promise<Trial> {
    const isHeld = ({ category }: BufferFacts): boolean => (category === 'pretrained' && size.precision === this.model.precision) || (category === 'bases' && heldBy(size.penalty) === 'top' && this.#bases.some);
    // Where decomposing takes more than the run, before it, as much as that must fit.
    const more = Array.from({ length: Math.ceil(Math.max(0, decomposing - total) / ROOM_PIECE) }, (): BufferFacts => ({ label: 'room to decompose in', category: 'other', size: ROOM_PIECE }));
    const missing = [...buffers.filter((buffer) => !isHeld(buffer)), ...more];
    const trial = await trialAllocate(this.context, missing);
    return trial.fits ? trial : { ...trial, stoppedAt: trial.stoppedAt + total + more.length * ROOM_PIECE - missing.reduce((sum, buffer) => sum + buffer.size, 0) };
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

  /**
   * The logits [vocabSize] of the token after `ids`.
   * @param options.turn runs one slice of the work; it throws to end it
   * @param options.onProgress is told of the tokens that are read, after every slice
   */
  async logits(ids: readonly number[], weights: WeightSet = this.model.weights, { turn = (work) => work(), onProgress }: LogitsOptions = {}): Promise<Float32Array<ArrayBuffer>> {
    const generator = await turn(() => this.generator(weights, { sequences: 1, length: ids.length + 1 }));
    try {
      generator.begin([{ prompt: ids }], { temperature: 0, topK: 0, topP: 1, seed: 0 });
      for (let finished = false; !finished; ) {
        ({ finished } = await turn(() => generator.slice()));
        onProgress?.(generator.progress);
      }
      return await generator.lastLogits();
    } finally {
      generator.destroy();
    }
  }

  /** The likeliest tokens after `ids`, most likely first. @param options as for `logits` */
  async nextTokens(ids: readonly number[], count: number, weights: WeightSet = this.model.weights, options?: LogitsOptions): Promise<{ readonly id: number; readonly probability: number }[]> {
    const logits = await this.logits(ids, weights, options);
    const most = logits.reduce((a, b) => Math.max(a, b));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
    const order = Array.from(logits.keys()).toSorted((a, b) => logits[b]! - logits[a]! || a - b);
    return order.slice(0, count).map((id) => ({ id, probability: Math.exp(logits[id]! - most) / total }));
  }

  /** Measures how far `weights` have turned from the pretrained ones, in the bases of `decompose`; free it with `destroy`. */
  driftMeter(weights: WeightSet, { bases }: Decomposition): DriftMeter {
    return new DriftMeter(this.context, { weights, pretrained: this.model.weights, bases });
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

  /** What the model's own weights make of the first examples, to follow runs by (spectral/probeMeter.ts). */
  probeBaseline(examples: TokenisedList, followed: Followed, measuring?: Measuring): Promise<ProbeBaseline> {
    return probeBaseline(this.model, examples, followed, this.tokenizer.padTokenId, measuring);
  }

  /** Compares weights, also under training, with a baseline of this model; free it with `destroy`. */
  probeMeter(baseline: ProbeBaseline, weights: WeightSet): Promise<ProbeMeter> {
    return ProbeMeter.create(baseline, weights);
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
  attachWeights(files: ModelFiles): Promise<WeightSet> {
    return readFolder(this.context, this.model, files);
  }

  /** What was trained of some weights as a safetensors file, piece by piece: all of them, or the matrices of an adapter, in f32 and as their own files have them. */
  saveWeights(weights: WeightSet): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    return streamTrained(this.context, weights);
  }

  /**
   * What `saveWeights` wrote, as weights of this model; free them with `release`.
   * @param lora settings of the run, where it trained an adapter
   * @throws as `attachWeights` and `attachAdapter` do
   */
  async loadWeights(file: Blob, fileName: string, lora?: LoraOptions): Promise<WeightSet> {
    if (!lora) return this.attachWeights(new Map([['config.json', new Blob([JSON.stringify(this.folder.config)])], ['model.safetensors', file]]));
    return this.attachAdapter(await readAdapterState(file, fileName, { r: lora.rank, alpha: lora.alpha, rsLora: lora.rsLora }));
  }

  /** The adapter that comes nearest to what a run changed, with the share of the change that it holds. */
  extract(weights: WeightSet, options: ExtractOptions, onProgress?: Progress): Promise<Extraction> {
    return extractAdapter(this.context, weights, this.#adapterBase, options, onProgress);
  }

  /**
   * The files of a Hugging Face folder with these weights, adapters merged into them. A tensor is read from the GPU when its turn to be written comes.
   * @param readme the model card
   */
  exportFolder(weights: WeightSet, readme: string, options?: FolderOptions): Promise<ModelFiles> {
    return writeFolder(this.context, this.model, this.folder, weights, readme, options);
  }

  /** Frees the weights and bases. Runs and evaluators made from this lab must be freed before. */
  destroy(): void {
    this.#bases.forget();
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
}
