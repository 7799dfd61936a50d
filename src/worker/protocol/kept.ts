/** @file Runs that outlive the page: in this browser, or recorded in a file. */
import type { DatasetSummary } from './data.ts';
import type { LabEvent } from './events.ts';
import type { ModelSummary, Precision } from './model.ts';
import type { RunSummary } from './run.ts';

/** What a person adds to a run. */
export interface RunNotes {
  readonly name?: string;
  readonly tags: readonly string[];
  readonly pinned: boolean;
}

/** Where and on what a run was made, frozen with it. */
export interface RunEnvironment {
  /** The WebGPU adapter. */
  readonly adapter: string;
  readonly browser: string;
  /** Commit of a hub model. */
  readonly modelRevision?: string;
  /** SHA-256 of each dataset's file, by its name. */
  readonly dataHashes: Readonly<Record<string, string>>;
}

/** A run that this browser keeps. */
export interface StoredRun {
  readonly summary: RunSummary;
  readonly notes: RunNotes;
  readonly events: readonly LabEvent[];
  readonly environment: RunEnvironment;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Its weights are kept, so it can be asked, evaluated, exported and continued. */
  readonly hasWeights: boolean;
  /** The step from which `resumeRun` goes on; absent for a run that has finished, or that got to no checkpoint. */
  readonly resumableFrom?: number;
}

/** Data or a model that a person opened from files, as this browser keeps it for the next visit. */
export interface KeptFile {
  readonly key: string;
  readonly kind: 'data' | 'model';
  readonly name: string;
  readonly bytes: number;
  /** Kept runs and runs of the queue that were made, or are to be made, on it. */
  readonly runs: number;
  readonly queued: number;
  /** It is part of what is open. */
  readonly open: boolean;
}

/** Singular bases of a model that this browser keeps, so that the model is not decomposed again. */
export interface KeptBases {
  readonly key: string;
  /** Of the model. */
  readonly name: string;
  readonly precision: Precision;
  /** k as a fraction of min(m, n) of each matrix. */
  readonly rankFraction: number;
  /** Number of the matrices; absent where they are all of the model's. */
  readonly matrices?: number;
  readonly bytes: number;
  /** As an ISO date. */
  readonly lastUsed: string;
}

/** A real run in a file (`public/recorded/run.json`), shown where there is no GPU. */
export interface RecordedRun {
  readonly format: 1;
  readonly recordedOn: { readonly adapter: string; readonly date: string; readonly command: string };
  readonly model: ModelSummary;
  readonly datasets: readonly DatasetSummary[];
  readonly runs: readonly { readonly summary: RunSummary; readonly events: readonly LabEvent[] }[];
}
