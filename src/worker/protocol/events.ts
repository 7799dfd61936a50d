/** @file Everything that streams from the worker. */
import type { BasesOrigin } from '../../engine.ts';
import type { DecodeProgress } from '../../generation/generator.ts';
import type { MatrixDrift } from '../../spectral/drift.ts';
import type { WorstBasis } from '../../spectral/worst.ts';
import type { Evaluation } from './evaluation.ts';
import type { FollowedDrift, ProbeReport } from './probes.ts';
import type { QueueState, RunId, RunState } from './run.ts';

export type PhaseId = 'import' | 'download' | 'read-cache' | 'verify' | 'weights' | 'trial' | 'compile' | 'read-bases' | 'decompose' | 'evaluate-base' | 'evaluate-start' | 'train' | 'evaluate' | 'save' | 'probe';

export interface StepMetrics {
  /** 1-based optimizer step. */
  readonly step: number;
  /** Mean cross-entropy of the trained tokens, without the penalty; in GRPO the clipped objective, negated. NaN when the step was not finite. */
  readonly loss: number;
  /** λ times the squared norm, as added to the loss; 0 for SFT. */
  readonly penalty: number;
  /** Global gradient norm before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly trainedTokens: number;
  readonly tokensPerSecond: number;
  /** The whole update was left out because loss or norm was not finite. */
  readonly skipped: boolean;
  /** From here on of GRPO, whose trained tokens are those that were sampled. Mean reward of the answers, 0 to 1. */
  readonly reward?: number;
  /** Mean tokens of an answer. */
  readonly answerTokens?: number;
  /** Mean of the distributions that the tokens were drawn from, in nats. */
  readonly entropy?: number;
  /** Share of the groups whose rewards differ: the others teach nothing. */
  readonly mixedGroups?: number;
  /** Share of the tokens whose gradient the bounds of the ratio cut off. */
  readonly clipShare?: number;
  /** Share of the answers that ended by themselves. */
  readonly ended?: number;
}

/** A group of answers that a step of GRPO has sampled to one question: one that teaches, where the step has one. */
export interface SampledAnswers {
  readonly step: number;
  readonly question: string;
  /** The gold answer. */
  readonly expected: string;
  /** Answers sampled to this question, of which `answers` may be the first few. */
  readonly of: number;
  readonly answers: readonly {
    readonly text: string;
    readonly reward: number;
    /** By how many standard deviations of its group it is better than the mean: how strongly it is learnt, or unlearnt. */
    readonly advantage: number;
    /** By itself; otherwise the limit cut it off. */
    readonly ended: boolean;
  }[];
}

export interface Drift {
  readonly step: number;
  readonly matrices: readonly MatrixDrift[];
}

/** What is known of the singular bases that a run works in. */
export interface DecompositionSummary {
  /** That have a basis. */
  readonly matrices: number;
  readonly from: BasesOrigin['from'];
  readonly seconds: number;
  /** What should be known of bases that were not used, or are not kept, as sentences. */
  readonly notes: readonly string[];
  /** The matrix whose basis is known to hold least; absent where that was not measured. */
  readonly worst?: WorstBasis;
}

export type LabEvent =
  /** `decoding`: where tokens are decoded meanwhile, how far that is. */
  | { readonly type: 'phase'; readonly run?: RunId; readonly phase: PhaseId; readonly done: number; readonly total: number; readonly unit: 'bytes' | 'items' | 'steps' | 'kernels' | 'matrices' | 'tensors' | 'buffers' | 'rows' | 'parts'; readonly decoding?: DecodeProgress }
  /** `resumableFrom`: the step from which a run that failed or was stopped can go on, bit for bit. `seconds` it has spent on training and evaluating. */
  | { readonly type: 'state'; readonly run: RunId; readonly state: RunState; readonly message?: string; readonly resumableFrom?: number; readonly seconds?: number }
  | { readonly type: 'steps'; readonly run: RunId; readonly steps: readonly StepMetrics[] }
  | { readonly type: 'evaluation'; readonly run: RunId; readonly evaluation: Evaluation }
  /** The weights that the run starts from, where these are another run's: on all items, as step 0. */
  | { readonly type: 'start'; readonly run: RunId; readonly evaluation: Evaluation }
  /** Kept with the run at every evaluation. */
  | { readonly type: 'answers'; readonly run: RunId; readonly sampled: SampledAnswers }
  /** It has its bases; again where it was taken up. */
  | { readonly type: 'decomposed'; readonly run: RunId; readonly decomposition: DecompositionSummary }
  | { readonly type: 'drift'; readonly run: RunId; readonly drift: Drift }
  | { readonly type: 'followed'; readonly run: RunId; readonly followed: FollowedDrift }
  /** What was measured on demand; kept with the run, whenever it was asked for. */
  | { readonly type: 'report'; readonly run: RunId; readonly report: ProbeReport }
  /** The queue has changed; a run that it has begun is among `storedRuns` by then. */
  | { readonly type: 'queue'; readonly queue: QueueState }
  /** The device was lost or reported an error outside a request. */
  | { readonly type: 'device'; readonly message: string };
