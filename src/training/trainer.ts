/**
 * @file The trainer: one recorded program for a micro-batch (forward, head and loss, backward) and one for the update
 * (penalty, norm, decision, AdamW). A step uploads a batch and a few numbers and replays them; nothing is read back in it.
 */
import { readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import { childContext } from '../gpu/context.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { Command } from '../gpu/program.ts';
import { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import { gradients } from '../graph/gradients.ts';
import type { Tensor } from '../graph/graph.ts';
import type { Objective } from '../methods/objectives.ts';
import { lossOf } from '../methods/objectives.ts';
import type { Penalty, PenaltyTargets } from '../methods/penalty.ts';
import type { BatchShape, DecoderGraph, LossBuilder, PackedBatch } from '../models/decoder.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import { ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import type { Carried } from './checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { AdamW, StepRecord } from './optimizer.ts';
import { decodeMetrics, lossSumCall, OptimizerState, RING, updateCalls, updateScratchBytes } from './optimizer.ts';
import type { Schedule } from './schedule.ts';
import { learningRateAt } from './schedule.ts';

/** A term of the loss on the weights alone, such as RPSFT's, that acts once an optimizer step. */
export interface PenaltyChoice {
  readonly lambda: number;
  readonly term: (targets: PenaltyTargets) => Penalty;
}

export interface TrainerOptions {
  /** Shape of a micro-batch. */
  readonly batch: BatchShape;
  /** Micro-batches an optimizer step. */
  readonly accumulation: number;
  readonly optimizer: AdamW;
  readonly schedule: Schedule;
  /** What is minimised on the data; SFT when left out. */
  readonly objective?: Objective;
  readonly penalty?: PenaltyChoice;
  /** Computes the activations of a layer again in the backward pass, so that those of one layer are held: a third more time. */
  readonly recompute?: boolean;
}

/** The options that decide what a trainer allocates. */
export type PlanOptions = Pick<TrainerOptions, 'batch' | 'accumulation' | 'objective' | 'penalty' | 'recompute'> & {
  /** Builds the loss in place of an objective's. */
  readonly loss?: LossBuilder;
};

/** Trains a copy of what is trainable of some weights; the model itself stays as the pretrained reference. */
export class Trainer {
  readonly dispatchesPerStep: number;
  #step = 0;
  #reported = 0;

  private constructor(
    readonly model: Model,
    readonly options: TrainerOptions,
    readonly weights: WeightSet,
    /** Gradients of `weights.trained` of the last window, penalty included, before clipping. */
    readonly lastGradients: ParameterBuffers,
    private readonly context: Context,
    private readonly state: OptimizerState,
    private readonly batch: BatchBuffers,
    private readonly programs: Programs,
  ) {
    this.dispatchesPerStep = programs.micro.dispatchCount * options.accumulation + programs.update.dispatchCount;
  }

  /**
   * Builds and compiles everything a run needs.
   * @param start where it starts: the model's own weights, those of another run, or weights with an adapter, of which only
   *   the adapter is trained
   * @throws {GpuMemoryError} when it does not fit the device; nothing is left on it then
   */
  static async create(model: Model, options: TrainerOptions, start: WeightSet = model.weights): Promise<Trainer> {
    const context = childContext(model.context);
    try {
      return await Trainer.#build(context, model, options, start);
    } catch (error) {
      context.pool.destroyAll();
      throw error;
    }
  }

  static async #build(context: Context, model: Model, options: TrainerOptions, start: WeightSet): Promise<Trainer> {
    const { weights, gradients: gradientBuffers, state, batch, ...commands } = await planTraining(context, model, options, start);
    const record = (label: string, list: readonly Command[]): Promise<Program> => Program.record(context.gpu.device, context.pipelines, label, list);
    const [begin, micro, update] = await Promise.all([record('begin step', commands.begin), record('forward and backward', commands.micro), record('update', commands.update)]);
    return new Trainer(model, options, weights, gradientBuffers, context, state, batch, { begin, micro, update });
  }

  /** Steps submitted so far. */
  get step(): number {
    return this.#step;
  }

  /** Submits one optimizer step over the micro-batches of a window and returns at once. */
  submitStep(microBatches: readonly PackedBatch[]): void {
    const { options, programs } = this;
    if (microBatches.length !== options.accumulation) throw new Error(`A step has ${options.accumulation} micro-batches, ${microBatches.length} were given.`);
    this.#step += 1;
    this.state.writeNumbers(this.#step, learningRateAt(options.schedule, this.#step), options.optimizer);
    programs.begin.replay();
    for (const microBatch of microBatches) {
      this.batch.write(microBatch);
      programs.micro.replay();
    }
    programs.update.replay();
  }

  /**
   * Waits for the submitted steps and returns the records of those not returned before. Call it at least every
   * `METRICS_RING` steps; it is also what keeps the queue from growing without bound.
   */
  async readMetrics(): Promise<StepRecord[]> {
    const { gpu } = this.context;
    const [ring] = await readBack(gpu.device, [this.state.metrics]);
    gpu.assertHealthy();
    const records = decodeMetrics(ring!, this.#reported);
    this.#reported = records.at(-1)?.step ?? this.#reported;
    return records;
  }

  /** Everything the run is after the submitted steps, as pieces of a file for `restoreState`. Submit no step until they were read. */
  saveState(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    return writeCheckpoint(this.context.gpu.device, this.#carried, this.#step);
  }

  /**
   * Goes on from what a trainer of the same settings has saved, bit for bit.
   * @throws FormatError when it is of another run; this one is as it was then
   */
  async restoreState(file: Blob, fileName: string): Promise<void> {
    this.#step = await readCheckpoint(this.context.gpu.device, this.#carried, file, fileName);
    this.#reported = this.#step;
  }

  get #carried(): Carried {
    return { trained: this.weights.trained, state: this.state };
  }

  /** GPU time by kernel of the forward and backward pass and of the update (needs `timestamp-query`). */
  async profile(): Promise<Map<string, { nanoseconds: number; count: number }>> {
    return new Map([...(await this.programs.micro.profile()), ...(await this.programs.update.profile())]);
  }

  /** Frees everything, the trained weights included. */
  destroy(): void {
    this.context.pool.destroyAll();
  }
}

/** A run's buffers, and its commands before they are recorded. */
export interface TrainingPlan {
  readonly weights: WeightSet;
  readonly gradients: ParameterBuffers;
  readonly state: OptimizerState;
  readonly batch: BatchBuffers;
  /** Of the tokens of the last micro-batch [rows * length]. */
  readonly perToken: { readonly nll: Slice; readonly entropy?: Slice };
  /** Clears what a window adds up. */
  readonly begin: readonly Command[];
  readonly micro: readonly Command[];
  readonly update: readonly Command[];
}

/** Allocates everything a run holds in the pool of `context`; on a context that only counts, that is its estimate. */
export async function planTraining(context: Context, model: Model, options: PlanOptions, start: WeightSet): Promise<TrainingPlan> {
  const { pool, gpu } = context;
  const weights = await start.copy(context);
  const { trained } = weights;
  const { layout } = trained;
  const gradientBuffers = new ParameterBuffers(layout, pool, 'gradients', 'gradients');
  const state = new OptimizerState(context, layout);
  const batch = new BatchBuffers(context, options.batch);

  const decoder = decoderGraph(context, model, batch, options.batch, weights, options.loss ?? lossOf(context, options.objective ?? { kind: 'sft' }, model.weights));
  const slots = new Map(layout.parameters.map((placed) => [decoder.trainable.get(placed.name)!, gradientBuffers.slice(placed)]));
  const accumulates = options.accumulation > 1;
  const onto = accumulates ? boundSums(decoder, slots) : new Map<Tensor, Tensor>();
  const { of, same } = gradients(decoder.graph, decoder.nll, [...slots.keys()], onto, options.recompute);
  const [nll, loss] = [decoder.nll, decoder.loss].map((tensor) => same.get(tensor)!) as [Tensor, Tensor];
  if (!accumulates) for (const [parameter, gradient] of of) decoder.bindings.set(gradient, slots.get(parameter)!);
  const entropy = decoder.entropy && same.get(decoder.entropy)!;
  const { calls, slices } = compile(decoder.graph, [...of.values(), nll, loss, ...(entropy ? [entropy] : [])], { facts: gpu.facts, pool, bindings: decoder.bindings });
  const lossSum = lossSumCall(context, state, { loss: slices.get(loss)!, nll: slices.get(nll)!, weights: batch.slices.rowWeights }, options.batch.rows * options.batch.length);

  const penalty = options.penalty && penaltyOf(options.penalty, { context, weights, pretrained: model.weights, gradients: gradientBuffers, value: state.penalty });
  const scratch = pool.storage(updateScratchBytes(trained), 'other', 'norm partials');
  const cleared = [state.lossSum, ...(accumulates ? gradientBuffers.shards : [])];
  return {
    weights,
    gradients: gradientBuffers,
    state,
    batch,
    perToken: { nll: slices.get(nll)!, ...(entropy ? { entropy: slices.get(entropy)! } : {}) },
    begin: cleared.map((slice) => ({ clear: slice })),
    micro: [...calls, lossSum],
    update: [...(penalty?.calls ?? []), ...updateCalls(context, state, trained, gradientBuffers, scratch)],
  };
}

function penaltyOf({ lambda, term }: PenaltyChoice, targets: Omit<PenaltyTargets, 'lambda'>): Penalty {
  const uniform = targets.context.pool.uniform(16, 'lambda');
  targets.context.gpu.device.queue.writeBuffer(uniform.buffer, 0, new Float32Array([lambda]));
  return term({ ...targets, lambda: uniform });
}

type Programs = Readonly<Record<'begin' | 'micro' | 'update', Program>>;

/** For every parameter a source bound to its gradient buffer, for the backward pass to add onto. */
function boundSums({ graph, bindings }: DecoderGraph, slots: ReadonlyMap<Tensor, Slice>): Map<Tensor, Tensor> {
  return new Map(
    [...slots].map(([parameter, slot]) => {
      const sum = graph.source('state', `gradient of ${parameter.name}`, parameter.shape);
      bindings.set(sum, slot);
      return [parameter, sum];
    }),
  );
}

/** Steps whose metrics are kept on the GPU until they are read. */
export const METRICS_RING = RING;
