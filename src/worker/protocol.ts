/**
 * @file The one boundary between page and engine: what the page may ask of the worker, and what the worker reports.
 *
 * Requests go through comlink (`LabApi`); everything that streams (phases, steps, evaluations, drift) goes over one
 * `MessagePort` as `LabEvent`s, so that a busy page never delays a step. All values are plain data. A recorded run
 * (`RecordedRun`) is the same events in a file, which is how the page shows a real run where there is no GPU.
 */
import type { DatasetColumns } from '../data/mapping.ts';
import type { MethodId } from '../engine.ts';
import type { MatrixDrift } from '../spectral/drift.ts';

export type { MethodId } from '../engine.ts';
export type { MatrixDrift } from '../spectral/drift.ts';

export type RunId = string;

/** Everything that determines a run, frozen when it starts. Lengths in tokens, times in optimizer steps. */
export interface RunConfig {
  readonly method: MethodId;
  /** Penalty weight λ. */
  readonly lambda: number;
  /** k as a fraction of min(m, n) of each matrix. */
  readonly rankFraction: number;
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
  /** Items of each suite that a live evaluation uses (the last one uses all). */
  readonly evaluationItems: number;
}

/** What the worker found out about WebGPU; `problem` is a sentence for a person, `undefined` when a run can start. */
export interface Diagnosis {
  readonly problem?: { readonly code: 'no-webgpu' | 'no-adapter' | 'no-device' | 'limits-too-small'; readonly message: string };
  readonly adapter?: { readonly name: string; readonly software: boolean; readonly features: readonly string[]; readonly limits: Readonly<Record<string, number>> };
  /** Everything as text, for "Copy diagnostics". */
  readonly report: string;
}

export interface ModelSummary {
  readonly name: string;
  readonly parameters: number;
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly bytes: number;
}

export type DatasetRole = 'train' | 'heldOut' | 'outOfDomain';

/** What the page shows of a dataset. */
export interface DatasetSummary {
  readonly role: DatasetRole;
  readonly name: string;
  /** `demo` or a file the person dropped. */
  readonly origin: 'demo' | 'file';
  /** Recognised shape in words, such as "GSM8K" or "prompt and completion". */
  readonly shape: string;
  readonly columns: readonly string[];
  readonly mapping: DatasetColumns;
  /** What each column holds in the first row, cut to about 100 characters, so that a mapping can be chosen by what it maps. */
  readonly firstRow?: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly tokens: number;
  readonly trainedTokens: number;
  readonly truncatedRows: number;
  readonly longest: number;
  readonly duplicates: number;
  /** Rows whose question also stands in the dataset of another role. */
  readonly overlap: Readonly<Partial<Record<DatasetRole, number>>>;
  /** Counts of rows by length: `counts[i]` rows have lengths in [i * width, (i + 1) * width). */
  readonly lengths: { readonly width: number; readonly counts: readonly number[] };
  readonly warnings: readonly string[];
  readonly milliseconds: number;
}

/** One row as the model sees it. Rows are counted from 1 here and in problems, as a person counts them. */
export interface PreviewRow {
  readonly row: number;
  readonly tokens: readonly { readonly text: string; readonly id: number; readonly trained: boolean; readonly special: boolean }[];
  readonly truncated: boolean;
  /** What the playground would be given and what the file answers, without template; absent where the shape has no prompt. */
  readonly prompt?: string;
  readonly expected?: string;
}

/** A file or a row could not be used; worded as the page shows it. The dataset that was loaded before is kept. */
export interface DataProblem {
  readonly file: string;
  readonly row?: number;
  /** What is wrong and where, e.g. "Row 1,873: the line ends inside a string, at character 288." */
  readonly what: string;
  /** What still holds, e.g. "Rows 1 to 1,872 read well. The demo data is still loaded." */
  readonly stillHolds: string;
  /** The row could be left out. */
  readonly canSkip: boolean;
}

export type ImportResult = { readonly dataset: DatasetSummary } | { readonly problem: DataProblem };

/** Memory by category in bytes, in the order of the bar, and the time a run will take here. */
export interface Estimate {
  readonly bytes: readonly { readonly category: 'weights' | 'pretrained' | 'gradients' | 'moments' | 'activations' | 'logits' | 'bases'; readonly bytes: number }[];
  /** Seconds for all steps and evaluations, from a three-step probe on this adapter; undefined until probed. */
  readonly seconds?: number;
  readonly tokensPerStep: number;
  readonly epochs: number;
  /** The smallest and largest k that `rankFraction` gives, and the matrices where k = min(m, n), so that RPSFT is L2-SP there. */
  readonly rank: { readonly least: number; readonly most: number; readonly degenerate: readonly string[] };
}

export type PhaseId = 'weights' | 'compile' | 'decompose' | 'evaluate-base' | 'train' | 'evaluate' | 'save';

export interface StepMetrics {
  /** 1-based optimizer step. */
  readonly step: number;
  /** Mean cross-entropy of the trained tokens, without the penalty; NaN when the step was not finite. */
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
}

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
  readonly heldOutLoss: number;
  readonly inDomain: Accuracy;
  readonly outOfDomain: Accuracy;
  /** Out-of-domain accuracy by group of the suite. */
  readonly groups: readonly ({ readonly group: string } & Accuracy)[];
}

export interface Drift {
  readonly step: number;
  readonly matrices: readonly MatrixDrift[];
}

export type RunState = 'preparing' | 'running' | 'paused' | 'finished' | 'stopped' | 'failed';

export type LabEvent =
  | { readonly type: 'phase'; readonly run?: RunId; readonly phase: PhaseId; readonly done: number; readonly total: number; readonly unit: 'bytes' | 'items' | 'steps' | 'kernels' | 'matrices' }
  | { readonly type: 'state'; readonly run: RunId; readonly state: RunState; readonly message?: string }
  | { readonly type: 'steps'; readonly run: RunId; readonly steps: readonly StepMetrics[] }
  | { readonly type: 'evaluation'; readonly run: RunId; readonly evaluation: Evaluation }
  | { readonly type: 'drift'; readonly run: RunId; readonly drift: Drift }
  /** The device was lost or reported an error outside a request. */
  | { readonly type: 'device'; readonly message: string };

/** A run as the page lists it. */
export interface RunSummary {
  readonly id: RunId;
  readonly config: RunConfig;
  readonly state: RunState;
  readonly model: string;
  readonly dataset: string;
  readonly startedAt: string;
  readonly completedSteps: number;
}

/** A real run in a file (`public/recorded/run.json`), shown where there is no GPU. */
export interface RecordedRun {
  readonly format: 1;
  readonly recordedOn: { readonly adapter: string; readonly date: string; readonly command: string };
  readonly model: ModelSummary;
  readonly datasets: readonly DatasetSummary[];
  readonly runs: readonly { readonly summary: RunSummary; readonly events: readonly LabEvent[] }[];
}

export interface SamplingOptions {
  readonly maxNewTokens: number;
  /** 0 = greedy. */
  readonly temperature: number;
  /** 0 = no limit. */
  readonly topK: number;
  /** 1 = no limit. */
  readonly topP: number;
  readonly seed: number;
}

/** What a playground column streams. */
export type StreamEvent =
  | { readonly type: 'token'; readonly column: number; readonly id: number; readonly text: string; readonly probability: number }
  | { readonly type: 'done'; readonly column: number; readonly reason: 'end' | 'limit' | 'stopped' };

export interface VerifyItem {
  readonly check: string;
  readonly passed: boolean;
  readonly detail: string;
}

export interface ExportResult {
  readonly fileName: string;
  /** A zip of the Hugging Face folder with metrics.jsonl and run.json beside it. */
  readonly blob: Blob;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly verification: readonly VerifyItem[];
}

/**
 * The worker's side. Every method rejects with an Error whose message is a sentence for a person.
 * Runs are one at a time; the playground works between the steps of one.
 */
export interface LabApi {
  /** Looks for an adapter; events of all kinds go to `events` from now on. Call once. */
  connect(events: MessagePort): Promise<Diagnosis>;
  /** Loads the built-in model and the demo data. */
  openBuiltIn(): Promise<{ readonly model: ModelSummary; readonly datasets: readonly DatasetSummary[] }>;
  importFile(role: DatasetRole, file: File, skipRows: readonly number[]): Promise<ImportResult>;
  useDemoData(): Promise<readonly DatasetSummary[]>;
  setMapping(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult>;
  /** `count` rows from row `from` on, the first being row 1. */
  preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]>;
  /** `probe` runs three steps to know the time. */
  estimate(config: RunConfig, probe: boolean): Promise<Estimate>;
  start(config: RunConfig): Promise<RunSummary>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** One optimizer step while paused. */
  stepOnce(): Promise<void>;
  /** Ends the run at the current step; `keep` evaluates and keeps the weights, else everything of the run is dropped. */
  stop(keep: boolean): Promise<void>;
  removeRun(run: RunId): Promise<void>;
  /** Streams an answer of each column (`base` or a run with kept or live weights) to `stream`; ends with a `done` each. */
  ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, stream: MessagePort): Promise<void>;
  stopAsking(): Promise<void>;
  /** The five likeliest next tokens after `tokens` of a column. */
  alternatives(column: 'base' | RunId, prompt: string, answer: readonly number[]): Promise<readonly { readonly text: string; readonly probability: number }[]>;
  exportRun(run: RunId): Promise<ExportResult>;
  /** The events of the finished runs, for the recorded run and for bug reports. */
  record(): Promise<RecordedRun>;
}
