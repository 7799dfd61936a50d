/** @file What a run is made on: the model, the data and what it is measured by, as they were when it began. */
import type { Example } from '../data/examples.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import type { GpuLostError, Lab, WeightSet } from '../engine.ts';
import type { Evaluation } from './protocol.ts';
import type { RunOrigin } from './records.ts';
import type { Suite } from './suites.ts';

/** What a run is made on, frozen with it. */
export interface RunMaterial {
  readonly lab: Lab;
  readonly train: TokenisedList;
  readonly trainTokens: number;
  /** The rows of the training data before they became tokens. */
  readonly trainExamples: () => Promise<readonly Example[]>;
  readonly heldOut: Suite;
  readonly outOfDomain: Suite;
  /** Out-of-domain examples as tokens, of whose first states and predictions are followed. */
  readonly followed: () => Promise<TokenisedList>;
  /** Tokens of all items of each, for the time a run will take. */
  readonly heldOutTokens: number;
  readonly outOfDomainTokens: number;
  readonly modelName: string;
  readonly datasetName: string;
  /** Evaluations on all items of the base model and of what runs ended with, by what they were made on; runs on the same data share them. */
  readonly baseEvaluations: Map<string, Evaluation>;
  /** Names the held-out and out-of-domain data and the length they were cut to. */
  readonly evaluationKey: string;
  /** Holds the weights that the run starts from while `work` copies them; undefined where it starts from the model. */
  readonly withStart: <T>(work: (startFrom: WeightSet | undefined) => Promise<T>) => Promise<T>;
  readonly origin: RunOrigin;
  /** Resolves when the device is lost. */
  readonly lost: Promise<GpuLostError>;
}
