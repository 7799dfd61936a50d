/**
 * @file The one boundary between page and engine: what the page may ask of the worker, and what the worker reports.
 *
 * Requests go through comlink (`LabApi`); everything that streams (phases, steps, evaluations, drift) goes over one
 * `MessagePort` as `LabEvent`s, so that a busy page never delays a step. All values are plain data. A recorded run
 * (`RecordedRun`) is the same events in a file, which is how the page shows a real run where there is no GPU.
 */
import type { DatasetColumns } from '../data/mapping.ts';
import type { MethodId, PenaltyId } from '../engine.ts';
import type { Measure } from '../evaluation/scorer.ts';
import type { MatrixDrift, MatrixDriftDetail } from '../spectral/drift.ts';
import type { FisherAlignment } from '../spectral/fisher.ts';
import type { Divergences } from '../spectral/outputDrift.ts';
import type { RepresentationDrift } from '../spectral/representation.ts';
import type { RestoredPart } from '../spectral/restore.ts';

export type { Measure } from '../evaluation/scorer.ts';
export type { MatrixDrift, MatrixDriftDetail } from '../spectral/drift.ts';
export type { FisherAlignment, FisherShare, MatrixFisher } from '../spectral/fisher.ts';
export type { RepresentationDrift, StateDrift } from '../spectral/representation.ts';
export type { RestoredPart } from '../spectral/restore.ts';

export type { MethodId, PenaltyId } from '../engine.ts';

export type RunId = string;

/** How the matrices of the frozen model are kept; training itself is f32. */
export type Precision = 'f32' | 'bf16' | 'f16';

/** Low-rank adapters in place of full fine-tuning. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Short names of the adapted linear layers, such as `q_proj`. */
  readonly targets: readonly string[];
  /** Scale alpha / sqrt(rank) in place of alpha / rank (arXiv 2312.03732). */
  readonly rsLora: boolean;
}

/** Everything that determines a run, frozen when it starts. Lengths in tokens, times in optimizer steps. */
export interface RunConfig {
  readonly method: MethodId;
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
  /** Where it came from: the page itself, files of the person, or a hub. */
  readonly source: 'built-in' | 'files' | 'hub';
  /** `Built-in model`, the folder's name, or `owner/name`. */
  readonly name: string;
  /** Commit of a hub model. */
  readonly revision?: string;
  readonly parameters: number;
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** Bytes of its files. */
  readonly bytes: number;
  readonly precision: Precision;
  /** Dtypes of its tensors as the files have them, such as `BF16`. */
  readonly storedAs: string;
  /** What writes conversations: the model's own template, or ChatML for want of one; `plain` where rows are not conversations. */
  readonly template: 'own' | 'chatml' | 'plain';
  /** Linear layers that LoRA can adapt, by short name, with the numbers of weights they hold in all layers. */
  readonly linears: readonly { readonly name: string; readonly count: number; readonly weights: number; readonly byDefault: boolean }[];
  /** Tensors in the files that the architecture does not use, and the like. */
  readonly warnings: readonly string[];
}

/** A file with its place in the folder that was dropped or chosen. */
export interface NamedFile {
  readonly path: string;
  readonly file: File;
}

export interface HubRequest {
  /** Address of the hub; huggingface.co by default. */
  readonly host?: string;
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** What a download would be, known before it begins. */
export interface HubInfo {
  readonly repo: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly cachedBytes: number }[];
  readonly bytes: number;
  /** Bytes of it that lie in the cache already. */
  readonly cachedBytes: number;
  readonly storage: StorageReport;
}

/** The cache of downloaded models in this browser. */
export interface StorageReport {
  readonly models: readonly { readonly key: string; readonly repo: string; readonly commit: string; readonly bytes: number; readonly complete: boolean; readonly lastUsed: string }[];
  /** Bytes this page stores, and may store, as the browser estimates. */
  readonly usage: number;
  readonly quota: number;
}

/** What opening gave: a model with its data, and a run where an adapter or an exported run was opened. */
export interface Opened {
  readonly model: ModelSummary;
  readonly datasets: readonly DatasetSummary[];
  readonly run?: RunSummary;
  /** The log of that run. */
  readonly events?: readonly LabEvent[];
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
  /** What items of it are scored by. */
  readonly measure: Measure;
  /** How rows become text: through a chat template, or as they are. */
  readonly rendering: 'chat' | 'plain';
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
  /** The options of a multiple-choice row, and the index of the right one. */
  readonly choices?: { readonly options: readonly string[]; readonly answer: number };
  /** The gold answer that generated ones are compared with. */
  readonly gold?: string;
  readonly group?: string;
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

/** `datasets`: all roles, because the rows they share have changed with this one. */
export type ImportResult = { readonly dataset: DatasetSummary; readonly datasets: readonly DatasetSummary[] } | { readonly problem: DataProblem };

export type MemoryCategory = 'weights' | 'pretrained' | 'adapter' | 'gradients' | 'moments' | 'activations' | 'logits' | 'bases' | 'other';

/** A change that makes a run smaller. */
export interface WayToFit {
  readonly change: 'recompute' | 'micro-batch' | 'lora' | 'half' | 'shorter' | 'smaller-k';
  /** What the button says, such as "Use LoRA, r 16". */
  readonly label: string;
  /** What it costs, such as "steps slower". */
  readonly cost: string;
  readonly saves: number;
  /** Bytes of the run with it. */
  readonly total: number;
  /** The configuration with the change, and the precision to open the model with. */
  readonly config: RunConfig;
  readonly precision: Precision;
}

/** What a trial allocation of a run found. */
export type Fit = { readonly fits: true } | { readonly fits: false; readonly needed: number; readonly stoppedAt: number; readonly message: string; readonly ways: readonly WayToFit[] };

/** Memory by category in bytes, in the order of the bar, and the time a run will take here. */
export interface Estimate {
  readonly bytes: readonly { readonly category: MemoryCategory; readonly bytes: number }[];
  /** Seconds for all steps and evaluations, from a three-step probe on this adapter; undefined until probed. */
  readonly seconds?: number;
  readonly tokensPerStep: number;
  readonly epochs: number;
  /** The smallest and largest k that `rankFraction` gives, and the matrices where k = min(m, n), so that RPSFT is L2-SP there. */
  readonly warnings: readonly string[];
  readonly rank: { readonly least: number; readonly most: number; readonly degenerate: readonly string[] };
}

export type PhaseId = 'import' | 'download' | 'read-cache' | 'verify' | 'weights' | 'trial' | 'compile' | 'decompose' | 'evaluate-base' | 'train' | 'evaluate' | 'save' | 'probe';

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
  /** Names of the datasets. */
  readonly dataset: string;
  readonly examples: number;
  /** Of work, without waiting for turns. */
  readonly seconds: number;
} & (
  | { readonly request: Extract<ProbeRequest, { kind: 'fisher' }>; readonly fisher: Pick<FisherAlignment, 'matrices' | 'whole'>; readonly tokens: number }
  | { readonly request: Extract<ProbeRequest, { kind: 'representation' }>; readonly states: RepresentationDrift['states']; readonly tokens: number }
  | { readonly request: Extract<ProbeRequest, { kind: 'output' }>; readonly divergences: Readonly<Record<keyof Divergences, Estimated>>; readonly tokens: number }
  /** A matrix whose k reaches its smaller side cannot be taken apart; then there are the ends and the block alone. */
  | { readonly request: Extract<ProbeRequest, { kind: 'restore' }>; readonly measures: SuiteMeasures; readonly rows: readonly RestoreRow[] }
);

/** One matrix of a run as its weights are after `step`. */
export interface MatrixDetail {
  readonly step: number;
  readonly matrix: MatrixDriftDetail;
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

export interface Drift {
  readonly step: number;
  readonly matrices: readonly MatrixDrift[];
}

export type RunState = 'preparing' | 'running' | 'paused' | 'finished' | 'stopped' | 'failed';

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
  /** Name of the files that it was read from; absent for a run that was made here. */
  readonly importedFrom?: string;
}

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
  /** The step from which `resumeRun` goes on; absent for a run that has ended, or that got to no checkpoint. */
  readonly resumableFrom?: number;
}

/** A run that is to be made; it has this id as a run too. */
export interface QueuedRun {
  readonly id: RunId;
  readonly config: RunConfig;
  readonly state: 'waiting' | 'running';
}

export interface QueueState {
  /** In the order in which they will be made. */
  readonly items: readonly QueuedRun[];
  /** Not held. */
  readonly running: boolean;
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

/** `model`: all weights, adapters merged. `peft`, `mlx`: the adapter of a LoRA run, or one extracted from a full run. */
export type ExportKind = 'model' | 'peft' | 'mlx';

export interface ExportOptions {
  readonly kind: ExportKind;
  /** How the weights are written; `model` only. */
  readonly dtype: 'F32' | 'BF16' | 'F16';
  /** Rank of the adapter that is extracted from a full run; `peft` and `mlx` only. */
  readonly rank: number;
}

export interface ExportResult {
  readonly fileName: string;
  /** The zip on disk; absent when the files went straight into a folder. */
  readonly file?: File;
  /** Share of ‖W − W0‖² that an extracted adapter holds. */
  readonly retainedEnergy?: number;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly verification: readonly VerifyItem[];
}

/**
 * The worker's side. Every method rejects with an Error whose message is a sentence for a person.
 * Runs are one at a time; the playground works between the steps of one. A device that was lost comes back by itself.
 */
export interface LabApi {
  /** Looks for an adapter; events of all kinds go to `events` from now on. Call once. */
  connect(events: MessagePort): Promise<Diagnosis>;
  /** Loads the built-in model and the demo data. */
  openBuiltIn(): Promise<Opened>;
  /** Opens a dropped model folder, a zip of one, or an adapter or exported run onto the open model. The open model stays on failure. */
  openFiles(files: readonly NamedFile[], precision: Precision): Promise<Opened>;
  /** What downloading would mean; touches the network, downloads nothing large. */
  hubInfo(request: HubRequest): Promise<HubInfo>;
  openHub(request: HubRequest, precision: Precision): Promise<Opened>;
  /** Ends what `openFiles` or `openHub` is doing; what was downloaded stays for the next time. */
  cancelOpening(): Promise<void>;
  /** Opens the open model again with its matrices kept otherwise; runs made on it are let go, so none may be kept. */
  setPrecision(precision: Precision): Promise<Opened>;
  storage(): Promise<StorageReport>;
  /** Removes one model from the cache, or all. */
  removeCached(key: string | 'all'): Promise<StorageReport>;
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
  /** Takes up a run that was interrupted, from its last checkpoint, bit for bit; the model and the data must be those it was begun on. */
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
