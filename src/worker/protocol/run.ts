/** @file A run: what determines it, how far it is, and those that are to be made. */
import type { MethodId, PenaltyId } from '../../engine.ts';
import type { Measure } from '../../evaluation/scorer.ts';

export type RunId = string;

/** Low-rank adapters in place of full fine-tuning. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Short names of the adapted linear layers, such as `q_proj`. */
  readonly targets: readonly string[];
  /** Scale alpha / sqrt(rank) in place of alpha / rank (arXiv 2312.03732). */
  readonly rsLora: boolean;
}

/** GRPO (arXiv 2402.03300): what is sampled and how far a step may go. */
export interface ReinforceConfig {
  /** Questions a step. */
  readonly prompts: number;
  /** Answers sampled for each, a group that is compared within itself. */
  readonly samples: number;
  readonly maxNewTokens: number;
  /** Answers decoded together, at most as many as a step has. */
  readonly sequences: number;
  /** Updates on the answers of a step. */
  readonly updates: number;
  /** The ratio counts from 1 - clipLow to 1 + clipHigh. */
  readonly clipLow: number;
  readonly clipHigh: number;
}

/** Drift of states and predictions on the first out-of-domain examples, measured while a run goes on. At least one of the two is on. */
export interface FollowConfig {
  /** Optimizer steps between two measurements; the last step always has one. */
  readonly every: number;
  readonly states: boolean;
  readonly outputs: boolean;
}

/** Everything that determines a run, frozen when it starts. Lengths in tokens, times in optimizer steps. */
export interface RunConfig {
  readonly method: MethodId;
  /**
   * GRPO on the questions of the training data that have a gold answer, in place of supervised fine-tuning. `method` then names what the weights it
   * starts from were trained with, and neither its objective nor its penalty has a part in the run; `accumulation` splits the answers of a step.
   */
  readonly reinforce?: ReinforceConfig;
  /** Absent for full fine-tuning. */
  readonly lora?: LoraConfig;
  /** Computes activations of a layer again in the backward pass, to hold those of one layer only. */
  readonly recompute: boolean;
  /** A run whose weights this one starts from; the pretrained reference stays the open model. */
  readonly startFrom?: RunId;
  /** Beside DFT, IW-SFT or KL-SFT; absent where the objective stands alone or the method has its own. */
  readonly penalty?: PenaltyId;
  /** Penalty weight λ; 0 where nothing is penalised. */
  readonly lambda: number;
  /** k as a fraction of min(m, n) of each matrix. */
  readonly rankFraction: number;
  /** Sharpness τ of IW-SFT. */
  readonly tau: number;
  /** Differentiates through the factors of IW-SFT, as released with RPSFT. */
  readonly throughScale: boolean;
  /** Weight β of the divergence of KL-SFT. */
  readonly beta: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'linear' | 'cosine';
  readonly warmupSteps: number;
  readonly steps: number;
  /** Examples an optimizer step. */
  readonly batchSize: number;
  /** Micro-batches an optimizer step; divides `batchSize`. */
  readonly accumulation: number;
  readonly maxLength: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; 0 = no clipping. */
  readonly clipNorm: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly driftEvery: number;
  /** Absent where nothing beside the suites and the matrices is measured. */
  readonly follow?: FollowConfig;
  /** Items of each suite that a live evaluation uses (the last one uses all). */
  readonly evaluationItems: number;
}

export type RunState = 'preparing' | 'running' | 'paused' | 'finished' | 'stopped' | 'failed';

/** What each suite is measured by during a run. */
export interface SuiteMeasures {
  readonly inDomain: Measure;
  readonly outOfDomain: Measure;
}

/** A run as the page lists it. */
export interface RunSummary {
  readonly id: RunId;
  readonly config: RunConfig;
  readonly state: RunState;
  readonly model: string;
  readonly dataset: string;
  readonly startedAt: string;
  readonly completedSteps: number;
  /** What its evaluations measured each suite by; absent in files from before this was noted, which knew `exact` only. */
  readonly measures?: SuiteMeasures;
  /** Spent on training and evaluating; absent in files from before this was noted. */
  readonly seconds?: number;
  /** Name of the files that it was read from; absent for a run that was made here. */
  readonly importedFrom?: string;
}

/** A run that is to be made; it has this id as a run too. */
export interface QueuedRun {
  readonly id: RunId;
  readonly config: RunConfig;
  /** Name of the training data it was asked for on. */
  readonly dataset: string;
  readonly state: 'waiting' | 'running';
}

export interface QueueState {
  /** In the order in which they will be made. */
  readonly items: readonly QueuedRun[];
  /** Not held. */
  readonly running: boolean;
  /** Why it is held, where nobody asked for that. */
  readonly why?: string;
}
