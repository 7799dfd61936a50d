/** @file Measurements on demand of what a run has done to the model. */
import type { MatrixDriftDetail } from '../../spectral/drift.ts';
import type { FisherAlignment } from '../../spectral/fisher.ts';
import type { Divergences } from '../../spectral/outputDrift.ts';
import type { RepresentationDrift, StateDrift } from '../../spectral/representation.ts';
import type { RestoredPart } from '../../spectral/restore.ts';
import type { DatasetRole } from './data.ts';
import type { Score } from './evaluation.ts';
import type { RunId, SuiteMeasures } from './run.ts';

/** A measurement on demand of what a run has done to the model. The blocks are those of the run's own k and layers. */
export type ProbeRequest =
  /** `of`: the weights whose gradients are taken. `tail`: the block of the smallest singular values too, which takes long for wide models. */
  | { readonly kind: 'fisher'; readonly run: RunId; readonly role: DatasetRole; readonly items: number; readonly of: 'base' | 'run'; readonly tail: boolean }
  | { readonly kind: 'representation'; readonly run: RunId; readonly role: DatasetRole; readonly items: number }
  | { readonly kind: 'output'; readonly run: RunId; readonly role: DatasetRole; readonly items: number }
  /** On both suites, each by its own measure. */
  | { readonly kind: 'restore'; readonly run: RunId; readonly items: number };

export type ProbeKind = ProbeRequest['kind'];

/** A mean over examples with its 95% interval. */
export interface Estimated {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Weights that a restore compares: the two ends, and the tuned ones with a part of the pretrained block put back. */
export type RestoredWeights = 'base' | 'tuned' | RestoredPart;

export interface RestoredScore {
  readonly score: Score;
  /** Score minus that of the tuned weights on the same items; absent for those themselves and for a perplexity. */
  readonly change?: Estimated;
}

export interface RestoreRow {
  readonly weights: RestoredWeights;
  readonly inDomain: RestoredScore;
  readonly outOfDomain: RestoredScore;
}

/** What a probe found: of the weights after `step`, on so many `examples`. `items` of a request are counted from the start of the dataset; 0 = all. */
export type ProbeReport = {
  readonly step: number;
  /** When it was made, as an ISO date. */
  readonly at: string;
  /** Names of the datasets. */
  readonly dataset: string;
  readonly examples: number;
  /** Of work, without waiting for turns. */
  readonly seconds: number;
} & (
  | { readonly request: Extract<ProbeRequest, { kind: 'fisher' }>; readonly fisher: Pick<FisherAlignment, 'matrices' | 'whole'>; readonly tokens: number }
  | { readonly request: Extract<ProbeRequest, { kind: 'representation' }>; readonly states: RepresentationDrift['states']; readonly tokens: number }
  | { readonly request: Extract<ProbeRequest, { kind: 'output' }>; readonly divergences: EstimatedDivergences; readonly tokens: number }
  /** A matrix whose k reaches its smaller side cannot be taken apart; then there are the ends and the block alone. */
  | { readonly request: Extract<ProbeRequest, { kind: 'restore' }>; readonly measures: SuiteMeasures; readonly rows: readonly RestoreRow[] }
);

/** Means over the tokens of a probe set, each with the 95% interval over its examples. */
export type EstimatedDivergences = Readonly<Record<keyof Divergences, Estimated>>;

/** What a run has measured on itself: how far states and predictions had moved from those of the base model after `step`. */
export interface FollowedDrift {
  readonly step: number;
  /** In the order of the layers, the final-normed states last; absent where they are not followed. */
  readonly states?: readonly StateDrift[];
  readonly outputs?: EstimatedDivergences;
  /** Of the probe set. */
  readonly tokens: number;
  /** Of work, without waiting for turns. */
  readonly seconds: number;
}

/** One matrix of a run as its weights are after `step`. */
export interface MatrixDetail {
  readonly step: number;
  readonly matrix: MatrixDriftDetail;
}
