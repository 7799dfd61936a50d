/**
 * @file The settings of a run, and what they say of its size.
 */
import type { ObjectiveSettings } from '../methods/objectives.ts';
import type { MethodChoice } from '../methods/registry.ts';
import { partsOf } from '../methods/registry.ts';
import type { BatchShape } from '../models/decoder.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import type { GrpoSettings } from '../training/grpo.ts';
import type { RunSize } from '../training/memory.ts';
import type { AdamW } from '../training/optimizer.ts';
import type { Schedule } from '../training/schedule.ts';

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

/** What decides how much memory a run takes. @param batch rows and tokens a row of a micro-batch */
export const runSize = (settings: FineTuneSettings, batch: BatchShape, precision: FloatType): RunSize => {
  const { rankFraction, lora, accumulation, recompute = false, throughScale } = settings;
  return { ...partsOf(settings), throughScale, rankFraction, lora, accumulation, recompute, batch, precision };
};
