/**
 * @file The one boundary between page and engine: what the page may ask of the worker, and what the worker reports.
 *
 * Requests go through comlink (`LabApi`); everything that streams (phases, steps, evaluations, drift) goes over one
 * `MessagePort` as `LabEvent`s, so that a busy page never delays a step. All values are plain data. A recorded run
 * (`RecordedRun`) is the same events in a file, which is how the page shows a real run where there is no GPU.
 */
import type { DatasetColumns } from '../data/mapping.ts';
import type { SamplingOptions } from './protocol/asking.ts';
import type { DatasetRole, DatasetSummary, ImportResult, PreviewRow } from './protocol/data.ts';
import type { Estimate, Fit } from './protocol/estimate.ts';
import type { EvaluatedItem, EvaluationReport, EvaluationRequest } from './protocol/evaluation.ts';
import type { LabEvent } from './protocol/events.ts';
import type { ExportOptions, ExportResult } from './protocol/exporting.ts';
import type { KeptBases, KeptFile, RecordedRun, RunNotes, StoredRun } from './protocol/kept.ts';
import type { Diagnosis, ModelSummary, Precision } from './protocol/model.ts';
import type { HubInfo, HubRequest, NamedFile, StorageReport } from './protocol/opening.ts';
import type { MatrixDetail, ProbeReport, ProbeRequest } from './protocol/probes.ts';
import type { QueueState, RunConfig, RunId, RunSummary } from './protocol/run.ts';

export type { MethodId, PenaltyId } from '../engine.ts';
export type { Measure } from '../evaluation/scorer.ts';
export type { MatrixDrift, MatrixDriftDetail } from '../spectral/drift.ts';
export type { FisherAlignment, FisherShare, MatrixFisher } from '../spectral/fisher.ts';
export type { RepresentationDrift, StateDrift } from '../spectral/representation.ts';
export type { RestoredPart } from '../spectral/restore.ts';
export type * from './protocol/model.ts';
export type * from './protocol/opening.ts';
export type * from './protocol/data.ts';
export type * from './protocol/run.ts';
export type * from './protocol/estimate.ts';
export type * from './protocol/evaluation.ts';
export type * from './protocol/probes.ts';
export type * from './protocol/events.ts';
export type * from './protocol/kept.ts';
export type * from './protocol/asking.ts';
export type * from './protocol/exporting.ts';

/** What opening gave: a model with its data, and a run where an adapter or an exported run was opened. */
export interface Opened {
  readonly model: ModelSummary;
  readonly datasets: readonly DatasetSummary[];
  readonly run?: RunSummary;
  /** The log of that run. */
  readonly events?: readonly LabEvent[];
  /** What of the model and of the data could not be opened as it was when the page was left. */
  readonly notice?: { readonly model?: string; readonly data?: string };
}

/**
 * The worker's side. Every method rejects with an Error whose message is a sentence for a person.
 * Runs are one at a time; the playground works between the steps of one. A device that was lost comes back by itself.
 */
export interface LabApi {
  /** Looks for an adapter; events of all kinds go to `events` from now on. Call once. */
  connect(events: MessagePort): Promise<Diagnosis>;
  /** Opens what was open when the page was left, model and data; the built-in model and the demo data where nothing was. */
  reopen(): Promise<Opened>;
  /** Opens the built-in model. */
  openBuiltIn(): Promise<Opened>;
  /** Opens a dropped model folder, a zip of one, or an adapter or exported run onto the open model. The open model stays on failure. */
  openFiles(files: readonly NamedFile[], precision: Precision): Promise<Opened>;
  /** What downloading would mean; touches the network, downloads nothing large. */
  hubInfo(request: HubRequest): Promise<HubInfo>;
  openHub(request: HubRequest, precision: Precision): Promise<Opened>;
  /** Ends what `openFiles` or `openHub` is doing; what was downloaded stays for the next time. */
  cancelOpening(): Promise<void>;
  /** Opens the open model again with its matrices kept otherwise. */
  setPrecision(precision: Precision): Promise<Opened>;
  storage(): Promise<StorageReport>;
  /** Removes one model from the cache, or all. */
  removeCached(key: string | 'all'): Promise<StorageReport>;
  /** Data and models from files that this browser keeps. */
  keptFiles(): Promise<readonly KeptFile[]>;
  /** Deletes one of them, whoever needs it; what it was needed for asks for it again. */
  forgetFile(key: string): Promise<readonly KeptFile[]>;
  /** Singular bases that this browser keeps, the last used first. */
  keptBases(): Promise<readonly KeptBases[]>;
  /** Deletes one of them; a run that would have used it decomposes. */
  forgetBases(key: string): Promise<readonly KeptBases[]>;
  /** Reads a file; progress comes as `import` phases without a run, in bytes of the file and then in rows that are made tokens. */
  importFile(role: DatasetRole, file: File, skipRows: readonly number[]): Promise<ImportResult>;
  /** Ends an import, which then rejects; the data that was there stays. */
  cancelImport(): Promise<void>;
  useDemoData(): Promise<readonly DatasetSummary[]>;
  setMapping(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult>;
  /** `count` rows from row `from` on, the first being row 1. */
  preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]>;
  /** `probe` runs three steps to know the time. */
  estimate(config: RunConfig, probe: boolean): Promise<Estimate>;
  /** Allocates what the run would need and frees it again. */
  checkFit(config: RunConfig): Promise<Fit>;
  start(config: RunConfig): Promise<RunSummary>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** One optimizer step while paused. */
  stepOnce(): Promise<void>;
  /** Ends the run at the current step; `keep` evaluates and keeps the weights, else everything of the run is dropped. */
  stop(keep: boolean): Promise<void>;
  /** Takes up a run that was interrupted or stopped, from its last checkpoint, bit for bit; the model and the data must be those it was begun on. */
  resumeRun(run: RunId): Promise<RunSummary>;
  /** Hides a run and frees its weights on the device; its files stay until `purgeRemoved`, or until the page is opened the next time. */
  removeRun(run: RunId): Promise<void>;
  restoreRun(run: RunId): Promise<StoredRun>;
  purgeRemoved(): Promise<void>;
  /** Runs of the open model that this browser keeps, the newest first, the one that is under way included. */
  storedRuns(): Promise<readonly StoredRun[]>;
  annotateRun(run: RunId, notes: RunNotes): Promise<void>;
  /** Runs of the open model that are to be made. */
  queue(): Promise<QueueState>;
  enqueue(configs: readonly RunConfig[]): Promise<QueueState>;
  /** Waiting runs in a new order. */
  reorderQueue(ids: readonly RunId[]): Promise<QueueState>;
  /** Takes waiting runs out of the queue. */
  dequeue(ids: readonly RunId[]): Promise<QueueState>;
  /** Starts or holds the queue; a run that is under way is not touched by holding. */
  runQueue(on: boolean): Promise<QueueState>;
  /** Runs as one zip: logs, notes, environment, and weights where asked. */
  exportBundle(runs: readonly RunId[], withWeights: boolean): Promise<File>;
  /** Keeps the runs of a bundle beside those that are here. */
  importBundle(file: File): Promise<readonly StoredRun[]>;
  /** Streams an answer of each column (`base` or a run with kept or live weights) to `stream`; ends with a `done` each. */
  ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, stream: MessagePort): Promise<void>;
  stopAsking(): Promise<void>;
  /** The five likeliest next tokens after `tokens` of a column. */
  alternatives(column: 'base' | RunId, prompt: string, answer: readonly number[]): Promise<readonly { readonly text: string; readonly probability: number }[]>;
  /** Measures the base or runs on a suite; progress comes as `evaluate` phases without a run. */
  evaluate(request: EvaluationRequest): Promise<EvaluationReport>;
  cancelEvaluation(): Promise<void>;
  /** Items of a report; `failures`: some column is wrong, `changed`: a column is right where another is wrong. */
  evaluatedItems(report: string, which: 'all' | 'failures' | 'changed', from: number, count: number): Promise<{ readonly total: number; readonly items: readonly EvaluatedItem[] }>;
  /** Measures what a run has done to the model; progress comes as `probe` phases without a run. One at a time. */
  probe(request: ProbeRequest): Promise<ProbeReport>;
  cancelProbe(): Promise<void>;
  /** One matrix of a run with the alignment of its singular vectors. */
  matrixDetail(run: RunId, matrix: string): Promise<MatrixDetail>;
  /** Writes a run to a zip on disk, or into a folder the person chose, reads it again and compares. */
  exportRun(run: RunId, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<ExportResult>;
  cancelExport(): Promise<void>;

  /** The events of the finished runs, for the recorded run and for bug reports. */
  record(): Promise<RecordedRun>;
}
