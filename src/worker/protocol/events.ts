/** @file Everything that streams from the worker. */
import type { MatrixDrift } from '../../spectral/drift.ts';
import type { Evaluation } from './evaluation.ts';
import type { QueueState, RunId, RunState } from './run.ts';

export type PhaseId = 'import' | 'download' | 'read-cache' | 'verify' | 'weights' | 'trial' | 'compile' | 'decompose' | 'evaluate-base' | 'train' | 'evaluate' | 'save' | 'probe';

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

export interface Drift {
  readonly step: number;
  readonly matrices: readonly MatrixDrift[];
}

export type LabEvent =
  | { readonly type: 'phase'; readonly run?: RunId; readonly phase: PhaseId; readonly done: number; readonly total: number; readonly unit: 'bytes' | 'items' | 'steps' | 'kernels' | 'matrices' | 'tensors' | 'buffers' | 'rows' | 'parts' }
  /** `resumableFrom`: the step from which a run that failed can go on, bit for bit. */
  | { readonly type: 'state'; readonly run: RunId; readonly state: RunState; readonly message?: string; readonly resumableFrom?: number }
  | { readonly type: 'steps'; readonly run: RunId; readonly steps: readonly StepMetrics[] }
  | { readonly type: 'evaluation'; readonly run: RunId; readonly evaluation: Evaluation }
  | { readonly type: 'drift'; readonly run: RunId; readonly drift: Drift }
  /** The queue has changed; a run that it has begun is among `storedRuns` by then. */
  | { readonly type: 'queue'; readonly queue: QueueState }
  /** The device was lost or reported an error outside a request. */
  | { readonly type: 'device'; readonly message: string };
