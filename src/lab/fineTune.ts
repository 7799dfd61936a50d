/**
 * @file A run of fine-tuning: batches in the order its seed gives, one optimizer step at a time.
 */
import type { BatchPlan } from '../data/batches.ts';
import type { BatchShape, PackedBatch } from '../models/decoder.ts';
import type { WeightSet } from '../models/weights.ts';
import type { StepRecord } from '../training/optimizer.ts';
import { learningRateAt } from '../training/schedule.ts';
import type { Trainer } from '../training/trainer.ts';
import type { FineTuneSettings } from './settings.ts';

/** A prepared run; `Lab.fineTune` makes one. */
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
