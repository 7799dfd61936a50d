/**
 * @file Group relative policy optimisation (arXiv 2402.03300) with a verifiable reward: sample groups of answers, weigh each by
 * its advantage in its group, update by the clipped ratio. No KL term, no entropy bonus; the upper bound of the ratio is wider
 * than the lower (clip-higher) and every token of a batch counts alike (token mean), as in DAPO (arXiv 2503.14476).
 *
 * The log-probabilities of sampling are those of the first update's own forward pass, not the decoder's. The weights are
 * the same, but the decoder adds up in another order and its numbers differ in the last bits; taken from the training pass
 * the ratio of the first update is exactly 1, and it costs no pass of its own.
 */
import { batchesOfShape } from '../data/batches.ts';
import type { AnswerProgress } from '../evaluation/generated.ts';
import { Generator } from '../generation/generator.ts';
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { childContext } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import { Program } from '../gpu/program.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import type { Turn } from '../gpu/turn.ts';
import { headLoss, IGNORED, isClipped, policyLength, writePolicy } from '../graph/ops/head-loss.ts';
import type { BatchShape, LossBuilder, PackedBatch } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Carried } from './checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { AdamW } from './optimizer.ts';
import { decodeMetrics } from './optimizer.ts';
import type { Sample, Task } from './rollout.ts';
import { isUniform, sampleGroups, tasksOf } from './rollout.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';
import type { PenaltyChoice, TrainingPlan } from './trainer.ts';
import { planTraining } from './trainer.ts';

export interface GrpoSettings {
  /** Prompts a step. */
  readonly prompts: number;
  /** Answers sampled for each prompt, a group; at least two. */
  readonly samples: number;
  readonly maxNewTokens: number;
  /** Ratios count down to 1 - clipLow and up to 1 + clipHigh. */
  readonly clipLow: number;
  readonly clipHigh: number;
  /** Optimizer updates on the answers of a step, each over all of them; at the first the ratio is 1. */
  readonly updates: number;
  readonly optimizer: AdamW;
  /** Its steps are optimizer updates. */
  readonly schedule: Schedule;
  /** Sequences decoded together. */
  readonly sequences: number;
  /** How their keys and values are kept; f32 by default. */
  readonly cache?: FloatType;
  /** Rows of a micro-batch; an update takes as many as the answers need. */
  readonly rows: number;
  readonly seed: number;
  /** As `TrainerOptions.recompute`. */
  readonly recompute?: boolean;
  readonly penalty?: PenaltyChoice;
}

/** What a step came to. Shares are of 1. */
export interface GrpoRecord {
  /** Counted from 1. */
  readonly step: number;
  /** Mean over the sampled answers. */
  readonly reward: number;
  /** Groups whose rewards differ. The others have no advantage and teach nothing. */
  readonly mixedGroups: number;
  /** Mean tokens of an answer, the one that ends it included. */
  readonly answerTokens: number;
  /** Answers that ended by themselves. */
  readonly ended: number;
  /** Mean over the sampled tokens of the entropy of the distribution they were drawn from, over the whole vocabulary, in nats. */
  readonly entropy: number;
  /** Tokens, over all updates, whose gradient the bounds of the ratio cut off. */
  readonly clipShare: number;
  /** Of the last update, as the loss and the penalty. */
  readonly gradientNorm: number;
  readonly loss: number;
  readonly penalty: number;
  /** Updates that were left out because a number was not finite. */
  readonly skippedUpdates: number;
}

/** A micro-batch with what its tokens' ratios need. */
interface PolicyBatch extends PackedBatch {
  readonly exampleOf: Int32Array;
  /** -log p of each token when it was sampled, once it is known. */
  sampledNll: Float32Array | undefined;
}

/** Trains a copy of what is trainable of some weights by the rewards of what it samples. */
export class GrpoTrainer {
  #step = 0;
  readonly #policy: Float32Array<ArrayBuffer>;

  private constructor(
    readonly settings: GrpoSettings,
    private readonly context: Context,
    private readonly tasks: readonly Task[],
    private readonly shape: BatchShape,
    private readonly ends: { readonly ids: readonly number[]; readonly padTokenId: number },
    private readonly plan: TrainingPlan,
    private readonly policy: Slice,
    private readonly programs: Readonly<Record<'begin' | 'micro' | 'update', Program>>,
    private readonly generator: Generator,
  ) {
    this.#policy = new Float32Array(policyLength(shape.rows * shape.length));
  }

  /**
   * Builds and compiles everything a run needs.
   * @param start where it starts, as for `Trainer.create`
   * @param ends ids that end an answer, at most four, and what fills a row
   * @throws {RangeError} for settings that leave nothing to learn, or a prompt that leaves no room for an answer
   * @throws {GpuMemoryError} when it does not fit the device; nothing is left on it then
   */
  static async create(model: Model, settings: GrpoSettings, tasks: readonly Task[], ends: { readonly ids: readonly number[]; readonly padTokenId: number }, start: WeightSet = model.weights): Promise<GrpoTrainer> {
    const shape = { rows: settings.rows, length: lengthOf(model, settings, tasks) };
    const context = childContext(model.context);
    let generator: Generator | undefined;
    try {
      const policy = policySlice(context, shape);
      // No row holds less than one answer.
      const accumulation = Math.ceil((settings.prompts * settings.samples) / settings.rows);
      const { penalty, recompute = false, cache } = settings;
      const plan = await planTraining(context, model, { batch: shape, accumulation, recompute, loss: policyLoss(policy), ...(penalty ? { penalty } : {}) }, start);
      generator = await Generator.create(model, plan.weights, { sequences: settings.sequences, length: shape.length, ...(cache ? { cache } : {}) }, ends.ids);
      const record = (label: 'begin' | 'micro' | 'update'): Promise<Program> => Program.record(context.gpu.device, context.pipelines, `policy ${label}`, plan[label]);
      const [begin, micro, update] = await Promise.all([record('begin'), record('micro'), record('update')]);
      return new GrpoTrainer(settings, context, tasks, shape, ends, plan, policy, { begin, micro, update }, generator);
    } catch (error) {
      generator?.destroy();
      context.pool.destroyAll();
      throw error;
    }
  }

  /** Steps taken so far. */
  get step(): number {
    return this.#step;
  }

  /** The weights under training; read by evaluators between steps. */
  get weights(): WeightSet {
    return this.plan.weights;
  }

  /** Gradients of `weights.trained` of the last update, penalty included, before clipping. */
  get lastGradients(): ParameterBuffers {
    return this.plan.gradients;
  }

  /**
   * Samples, rewards and updates once.
   * @param turn as everywhere: others get their turns between slices of the work
   */
  async takeStep(turn: Turn = (work) => work()): Promise<GrpoRecord> {
    return this.learn(await this.sample(turn), turn);
  }

  /** The answers of the next step, a group a task in the order of `tasksOf`: `takeStep` without its updates. Asked again before `learn`, they are the same. */
  async sample(turn: Turn = (work) => work(), onProgress?: (progress: AnswerProgress) => void): Promise<Sample[][]> {
    const { prompts, samples, maxNewTokens, sequences, seed } = this.settings;
    const tasks = tasksOf(this.tasks, this.#step, prompts, seed);
    return sampleGroups(this.generator, { sequences, length: this.shape.length }, tasks, { samples, maxNewTokens, seed, step: this.#step }, turn, onProgress);
  }

  /** The updates of a step on answers that are given: `takeStep` without sampling. Their log-probabilities when sampled are taken to be those of the weights as they are. */
  async learn(groups: readonly (readonly Sample[])[], turn: Turn = (work) => work()): Promise<GrpoRecord> {
    const answers = groups.flat();
    const tokens = answers.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
    const batches = [...batchesOfShape(answers, { rows: this.shape.rows, seqLen: this.shape.length }, this.ends.padTokenId)].map(
      (batch): PolicyBatch => ({ ...batch, rowWeights: batch.rowWeights.map((weight) => (weight > 0 ? 1 / tokens : 0)), sampledNll: undefined }),
    );
    const first = this.#step * this.settings.updates;
    let entropy = 0;
    let clipped = 0;
    for (let update = 0; update < this.settings.updates; update++) {
      const count = first + update + 1;
      this.plan.state.writeNumbers(count, learningRateAt(this.settings.schedule, count), this.settings.optimizer);
      this.programs.begin.replay();
      for (const batch of batches) {
        const { nll, entropy: entropies } = await turn(() => this.#pass(batch, answers));
        clipped += this.#clipped(batch, answers, nll);
        batch.sampledNll ??= nll;
        if (update === 0) entropy += entropies.reduce((sum, each) => sum + each, 0);
      }
      this.programs.update.replay();
    }
    const [ring] = await readBack(this.context.gpu.device, [this.plan.state.metrics]);
    this.context.gpu.assertHealthy();
    this.#step += 1;
    const records = decodeMetrics(ring!, first);
    const { gradientNorm, loss, penalty } = records.at(-1)!;
    const mean = (of: (sample: Sample) => number): number => answers.reduce((sum, sample) => sum + of(sample), 0) / answers.length;
    return {
      step: this.#step,
      reward: mean(({ reward }) => reward),
      mixedGroups: groups.filter((group) => !isUniform(group.map(({ reward }) => reward))).length / groups.length,
      answerTokens: tokens / answers.length,
      ended: mean(({ ids }) => Number(this.ends.ids.includes(ids.at(-1)!))),
      entropy: entropy / tokens,
      clipShare: clipped / (tokens * this.settings.updates),
      gradientNorm,
      loss,
      penalty,
      skippedUpdates: records.filter(({ skipped }) => skipped).length,
    };
  }

  /** Everything the run is after its steps, as pieces of a file for `restoreState`. Take no step until they were read. */
  saveState(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    return writeCheckpoint(this.context.gpu.device, this.#carried, this.#step);
  }

  /**
   * Goes on from what a trainer of the same settings on the same tasks has saved, bit for bit: what is sampled is a function of seed, step and weights.
   * @throws FormatError when it is of another run; this one is as it was then
   */
  async restoreState(file: Blob, fileName: string): Promise<void> {
    this.#step = await readCheckpoint(this.context.gpu.device, this.#carried, file, fileName);
  }

  get #carried(): Carried {
    return { trained: this.plan.weights.trained, state: this.plan.state };
  }

  /** Frees everything, the trained weights included. */
  destroy(): void {
    this.generator.destroy();
    this.context.pool.destroyAll();
  }

  /** Adds the gradient of one micro-batch; nll and entropy of its tokens. */
  async #pass(batch: PolicyBatch, answers: readonly Sample[]): Promise<Readonly<Record<'nll' | 'entropy', Float32Array>>> {
    const { device } = this.context.gpu;
    for (const [token, label] of batch.labels.entries()) {
      const advantage = label === IGNORED ? 0 : answers[batch.exampleOf[token]!]!.advantage;
      writePolicy(this.#policy, token, { sampledNll: batch.sampledNll?.[token], advantage, bound: this.#bound(advantage) });
    }
    device.queue.writeBuffer(this.policy.buffer, this.policy.offset, this.#policy);
    this.plan.batch.write(batch);
    this.programs.micro.replay();
    const [nll, entropy] = await readBack(device, [this.plan.perToken.nll, this.plan.perToken.entropy!]);
    return { nll: new Float32Array(nll!), entropy: new Float32Array(entropy!) };
  }

  #bound(advantage: number): number {
    return advantage > 0 ? 1 + this.settings.clipHigh : 1 - this.settings.clipLow;
  }

  /** Tokens whose ratio is past its bound. */
  #clipped({ labels, exampleOf, sampledNll }: PolicyBatch, answers: readonly Sample[], nll: Float32Array): number {
    if (!sampledNll) return 0;
    return labels.reduce((count, label, token) => {
      if (label === IGNORED) return count;
      const { advantage } = answers[exampleOf[token]!]!;
      return count + Number(isClipped(Math.exp(sampledNll[token]! - nll[token]!), advantage, this.#bound(advantage)));
    }, 0);
  }
}

/** Tokens of a row: the longest prompt with the longest answer, as far as the model's positions go. */
function lengthOf({ config }: Model, { prompts, samples, updates, maxNewTokens }: GrpoSettings, tasks: readonly Task[]): number {
  if (tasks.length === 0) throw new RangeError('There are no prompts to answer.');
  if (samples < 2) throw new RangeError(`Groups of ${samples} answers: an advantage needs at least two to compare.`);
  for (const [name, value] of Object.entries({ prompts, updates, maxNewTokens })) if (value < 1) throw new RangeError(`${name} is ${value}; it must be at least 1.`);
  const longest = Math.max(...tasks.map(({ prompt }) => prompt.length));
  if (longest >= config.maxPositionEmbeddings) throw new RangeError(`The longest prompt has ${longest} tokens; the model has ${config.maxPositionEmbeddings} positions and needs one for an answer. Leave it out.`);
  return Math.min(config.maxPositionEmbeddings, longest + maxNewTokens);
}

/** The buffer of `policyLoss` for a micro-batch of this shape. */
export const policySlice = ({ pool }: Context, { rows, length }: BatchShape): Slice => pool.storage(4 * policyLength(rows * length), 'other', 'policy');

/** The clipped objective in place of an objective on data; `policy` holds what each token's ratio needs. */
export const policyLoss =
  (policy: Slice): LossBuilder =>
  ({ graph, bindings, labels, weights, forward }) => {
    const { hidden, head } = forward();
    const source = graph.source('input', 'policy', [labels.shape[0]!, 4]);
    bindings.set(source, policy);
    return headLoss(graph, hidden, head, labels, weights, { policy: source });
  };
