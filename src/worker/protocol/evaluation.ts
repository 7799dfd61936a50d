/** @file Scores on the suites: those that a run takes on its way, and those on demand. */
import type { Measure } from '../../evaluation/scorer.ts';
import type { RunId } from './run.ts';

/** Right answers of a suite. */
export interface Accuracy {
  readonly correct: number;
  readonly items: number;
  /** 95% interval, fractions. */
  readonly low: number;
  readonly high: number;
}

export interface Evaluation {
  /** 0 = the base model. */
  readonly step: number;
  /** What measuring took. */
  readonly seconds?: number;
  readonly heldOutLoss: number;
  readonly outOfDomainLoss: number;
  /** By the measure of its dataset; items without a right answer count as wrong, so look at the loss for plain text. */
  readonly inDomain: Accuracy;
  readonly outOfDomain: Accuracy;
  /** Out-of-domain accuracy by group of the suite. */
  readonly groups: readonly ({ readonly group: string } & Accuracy)[];
}

/** What an evaluation on demand is made of. */
export interface EvaluationRequest {
  readonly role: 'heldOut' | 'outOfDomain';
  readonly columns: readonly ('base' | RunId)[];
  readonly measure: Measure;
  /** Items from the start of the suite; 0 = all. */
  readonly items: number;
  /** Samples an item, for avg@k; `generation` only. */
  readonly samples: number;
  /** 0 = greedy; `generation` only. */
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
}

/** A score with its item count and 95% bootstrap interval; fractions, or a perplexity. */
export interface Score {
  readonly value: number;
  readonly items: number;
  readonly low: number;
  readonly high: number;
}

export interface EvaluationReport {
  readonly id: string;
  readonly request: EvaluationRequest;
  readonly dataset: string;
  readonly columns: readonly {
    readonly column: 'base' | RunId;
    /** Exact match, accuracy of the options, avg@k, or perplexity. */
    readonly score: Score;
    /** Accuracy with log-likelihoods divided by the options' bytes; `choice` only. */
    readonly normalised?: Score;
    /** Share of answers that ended by themselves; `generation` only. */
    readonly stopRate?: Score;
    readonly groups: readonly ({ readonly group: string } & Score)[];
  }[];
  readonly seconds: number;
}

/** One item of an evaluation, as it can be browsed. */
export interface EvaluatedItem {
  readonly row: number;
  readonly group?: string;
  readonly prompt: string;
  readonly expected: string;
  readonly answers: readonly {
    readonly column: 'base' | RunId;
    /** Right answers of the samples, as a fraction; absent for perplexity. */
    readonly score?: number;
    /** What the model wrote, one text a sample; for options the chosen one. */
    readonly given: readonly string[];
    /** What was taken from it as the answer. */
    readonly extracted: readonly (string | undefined)[];
    /** Log-likelihood of each option. */
    readonly options?: readonly { readonly text: string; readonly logLikelihood: number }[];
    readonly perplexity?: number;
  }[];
}
