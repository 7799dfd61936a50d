/** @file The worker's side of the protocol: one engine, one model, its datasets and its runs. */
import type { DatasetColumns } from '../data/mapping.ts';
import type { Engine, Gpu, ModelFiles, WeightSet } from '../engine.ts';
import { createEngine, GpuUnavailableError, requestGpu } from '../engine.ts';
import { inMemory } from '../formats/folder.ts';
import type { BaseModel } from '../formats/lora.ts';
import { folderWriter } from '../storage/chosenFolder.ts';
import type { Directory } from '../storage/directory.ts';
import { ModelCache } from '../storage/modelCache.ts';
import { Scratch } from '../storage/scratch.ts';
import { Datasets } from './datasets.ts';
import { diagnose } from './diagnosis.ts';
import type { ProbeCache } from './estimate.ts';
import { estimateRun, fitRun } from './estimate.ts';
import { Evaluations } from './evaluating.ts';
import { exportName, exportRun } from './exporting.ts';
import { importRun, isRunOn } from './imported.ts';
import { Lock } from './lock.ts';
import type { ModelOrigin, OpenModel } from './opening.ts';
import { Opening } from './opening.ts';
import { Playground } from './playground.ts';
import type {
  DatasetRole, DatasetSummary, Diagnosis, Estimate, EvaluatedItem, Evaluation, EvaluationReport, EvaluationRequest, ExportOptions, ExportResult, Fit, HubInfo, HubRequest, ImportResult, LabApi, LabEvent,
  NamedFile, Opened, Precision, PreviewRow, RecordedRun, RunConfig, RunId, RunSummary, SamplingOptions, StorageReport,
} from './protocol.ts';
import type { RunMaterial } from './runs.ts';
import { Run } from './runs.ts';
import { turnWarning } from './turnWarning.ts';

/** Fetches the files that ship with the page, by path below `public/`. */
export type FetchPublic = (path: string) => Promise<Blob>;

const MODEL_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'model.safetensors'];
const DEMO: readonly (readonly [DatasetRole, string])[] = [
  ['train', 'data/demo-train.jsonl'],
  ['heldOut', 'data/demo-heldout.jsonl'],
  ['outOfDomain', 'data/ood.jsonl'],
];
/** Rows of a forward pass and sequences decoded together in an evaluation on demand. */
const EVALUATION_ROWS = 8;

/** What the session stands on besides the GPU. */
export interface SessionServices {
  readonly fetchPublic: FetchPublic;
  readonly fetch: typeof globalThis.fetch;
  /** A folder that stays between visits, by name. */
  readonly openDirectory: (name: string) => Promise<Directory>;
}

/** State of an opened lab; everything before `openBuiltIn` has none. */
interface LabState extends OpenModel {
  readonly datasets: Datasets;
  readonly playground: Playground;
  /** What a person should know of conversations and this model; found once. */
  readonly warning: Promise<string | undefined>;
}

export class Session implements LabApi {
  readonly #runs = new Map<RunId, Run>();
  readonly #lock = new Lock();
  readonly #probes: ProbeCache = new Map();
  readonly #baseEvaluations = new Map<string, Evaluation>();
  readonly #evaluations = new Evaluations();
  #events: MessagePort | undefined;
  #gpu: Gpu | undefined;
  #engine: Engine | undefined;
  #opening: Opening | undefined;
  #state: LabState | undefined;
  #active: Run | undefined;
  #exporting = new AbortController();
  #cache: Promise<ModelCache> | undefined;
  #scratch: Promise<Scratch> | undefined;
  #maxLength = 128;

  constructor(
    private readonly webgpu: GPU | undefined,
    private readonly services: SessionServices,
  ) {}

  async connect(events: MessagePort): Promise<Diagnosis> {
    this.#events = events;
    try {
      this.#gpu = await requestGpu(this.webgpu);
    } catch (error) {
      if (error instanceof GpuUnavailableError) return diagnose(error);
      throw error;
    }
    void this.#gpu.lost.then((error) => {
      this.#emit({ type: 'device', message: error.message });
    });
    this.#engine = createEngine(this.#gpu);
    this.#opening = new Opening(this.#engine, () => this.#modelCache(), (event) => this.#emit(event), this.services.fetch);
    return diagnose(this.#gpu.facts);
  }

  async openBuiltIn(): Promise<Opened> {
    if (this.#state?.origin.source === 'built-in') return this.#opened();
    return this.#replaceModel({ source: 'built-in', name: 'Built-in model', files: await this.#fetchModel() }, 'f32');
  }

  async openFiles(files: readonly NamedFile[], precision: Precision): Promise<Opened> {
    const dropped = await this.#requireOpening().recognise(files);
    const state = this.#state;
    if (state && isRunOn(dropped, state.summary.name)) return this.#importRun(dropped, state);
    if (dropped.kind === 'adapter') throw new Error(`${dropped.name} is an adapter${dropped.baseModel === undefined ? '' : ` of ${dropped.baseModel}`}. Open that model first, then drop the adapter again.`);
    return this.#replaceModel({ source: 'files', name: dropped.name, files: dropped.files }, precision);
  }

  hubInfo(request: HubRequest): Promise<HubInfo> {
    return this.#requireOpening().look(request);
  }

  async openHub(request: HubRequest, precision: Precision): Promise<Opened> {
    this.#requireIdle();
    return this.#replaceModel(await this.#requireOpening().fetchModel(request), precision);
  }

  async cancelOpening(): Promise<void> {
    this.#requireOpening().cancel();
  }

  async setPrecision(precision: Precision): Promise<Opened> {
    const { origin, summary } = this.#require();
    return summary.precision === precision ? this.#opened() : this.#replaceModel(origin, precision);
  }

  storage(): Promise<StorageReport> {
    return this.#requireOpening().storage();
  }

  removeCached(key: string): Promise<StorageReport> {
    return this.#requireOpening().remove(key);
  }

  async importFile(role: DatasetRole, file: File, skipRows: readonly number[]): Promise<ImportResult> {
    return this.#require().datasets.import(role, file, 'file', this.#maxLength, { skipRows, onProgress: this.#onImport });
  }

  async cancelImport(): Promise<void> {
    this.#require().datasets.cancelImport();
  }

  async useDemoData(): Promise<readonly DatasetSummary[]> {
    const { datasets } = this.#require();
    await this.#importDemo(datasets);
    return datasets.summaries();
  }

  async setMapping(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult> {
    this.#maxLength = maxLength;
    return this.#require().datasets.remap(role, mapping, maxLength, this.#onImport);
  }

  async preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> {
    return this.#require().datasets.preview(role, from, count, maxLength);
  }

  async estimate(config: RunConfig, probe: boolean): Promise<Estimate> {
    const idle = probe && !this.#active;
    return estimateRun(await this.#material(config), config, this.#probes, idle ? this.#lock : undefined, await this.#warnings(config));
  }

  async checkFit(config: RunConfig): Promise<Fit> {
    const material = await this.#material(config);
    return this.#lock.run(() => fitRun(material, config));
  }

  async start(config: RunConfig): Promise<RunSummary> {
    this.#requireIdle();
    const material = await this.#material(config);
    this.#requireIdle();
    const run = new Run(crypto.randomUUID(), config, material, this.#lock, (event) => this.#emit(event));
    this.#runs.set(run.id, run);
    this.#active = run;
    void run.run().then(() => {
      this.#active = undefined;
      if (!run.weights) this.#runs.delete(run.id);
    });
    return run.summary;
  }

  async pause(): Promise<void> {
    this.#requireActive().request('pause');
  }

  async resume(): Promise<void> {
    this.#requireActive().request('run');
  }

  async stepOnce(): Promise<void> {
    this.#requireActive().request('step');
  }

  async stop(keep: boolean): Promise<void> {
    this.#requireActive().request(keep ? 'keep' : 'discard');
  }

  async removeRun(id: RunId): Promise<void> {
    const run = this.#runs.get(id);
    if (!run) return;
    if (run === this.#active) throw new Error('This run is under way. Stop it first.');
    this.#runs.delete(id);
    const { weights } = run;
    run.weights = undefined;
    if (weights) await this.#lock.run(async () => run.material.lab.release(weights));
  }

  async ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, stream: MessagePort): Promise<void> {
    const { playground } = this.#require();
    return playground.ask(prompt, columns.map((column) => this.#weightsOf(column)), options, (event) => stream.postMessage(event));
  }

  async stopAsking(): Promise<void> {
    this.#require().playground.stop();
  }

  async alternatives(column: 'base' | RunId, prompt: string, answer: readonly number[]): Promise<readonly { readonly text: string; readonly probability: number }[]> {
    return this.#require().playground.alternatives(this.#weightsOf(column), prompt, answer);
  }

  async evaluate(request: EvaluationRequest): Promise<EvaluationReport> {
    const { datasets, lab } = this.#require();
    const { examples } = await datasets.suite(request.role);
    const columns = request.columns.map((column) => ({ column, weights: this.#weightsOf(column) }));
    const shape = { maxLength: this.#maxLength, template: lab.template, rows: EVALUATION_ROWS, sequences: EVALUATION_ROWS };
    return this.#evaluations.evaluate(
      request,
      { dataset: datasets.name(request.role), examples, columns, scorer: (weights, settings) => lab.scorer(weights, { ...shape, ...settings }) },
      (work) => this.#lock.run(work),
      (done, total) => this.#emit({ type: 'phase', phase: 'evaluate', done, total, unit: 'items' }),
    );
  }

  async cancelEvaluation(): Promise<void> {
    this.#evaluations.cancel();
  }

  async evaluatedItems(report: string, which: 'all' | 'failures' | 'changed', from: number, count: number): Promise<{ readonly total: number; readonly items: readonly EvaluatedItem[] }> {
    return this.#evaluations.items(report, which, from, count);
  }

  async exportRun(id: RunId, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<ExportResult> {
    const run = this.#runs.get(id);
    if (!run) throw new Error('This run is not kept any more.');
    const { datasets, origin, lab } = this.#require();
    this.#exporting = new AbortController();
    const { signal } = this.#exporting;
    const facts = {
      adapter: this.#gpu!.facts.description,
      dataHashes: Object.fromEntries(DEMO.map(([role]) => [datasets.name(role), datasets.sha256(role)])),
      base: { name: origin.name, revision: origin.revision },
      chat: lab.template !== undefined,
    };
    const writeFile = folder ? await folderWriter(folder, exportName(run, options)) : await this.#scratchWriter();
    const onProgress = (done: number, total: number): void => this.#emit({ type: 'phase', phase: 'save', done, total, unit: 'tensors' });
    return this.#lock.run(() => exportRun(this.#requireEngine(), run, options, facts, { writeFile, zip: !folder, onProgress, signal }));
  }

  async cancelExport(): Promise<void> {
    this.#exporting.abort(new Error('The export was stopped.'));
  }

  async record(): Promise<RecordedRun> {
    const { summary, datasets } = this.#require();
    return {
      format: 1,
      recordedOn: { adapter: this.#gpu!.facts.description, date: new Date().toISOString().slice(0, 10), command: 'npm start' },
      model: summary,
      datasets: datasets.summaries(),
      runs: [...this.#runs.values()].map((run) => ({ summary: run.summary, events: run.events })),
    };
  }

  async #fetchModel(): Promise<ModelFiles> {
    let bytes = 0;
    const entries: [string, Blob][] = [];
    for (const name of MODEL_FILES) {
      const blob = await this.services.fetchPublic(`model/${name}`);
      bytes += blob.size;
      entries.push([name, blob]);
      this.#emit({ type: 'phase', phase: 'weights', done: bytes, total: bytes, unit: 'bytes' });
    }
    return new Map(entries);
  }

  /** Opens a model beside the open one, reads the data as its tokens, and only then lets the old one go. */
  async #replaceModel(origin: ModelOrigin, precision: Precision): Promise<Opened> {
    this.#requireIdle();
    const before = this.#state;
    const opened = await this.#requireOpening().open(origin, precision);
    const { lab } = opened;
    try {
      this.#maxLength = Math.min(this.#maxLength, lab.model.config.maxPositionEmbeddings);
      const datasets = new Datasets(lab.tokenizer, lab.template);
      if (before) await datasets.adopt(before.datasets, this.#maxLength);
      else await this.#importDemo(datasets);
      this.#requireIdle();
      this.#state = { ...opened, datasets, playground: new Playground(lab, this.#lock), warning: this.#lock.run(() => turnWarning(lab)) };
    } catch (error) {
      lab.destroy();
      throw error;
    }
    if (before) this.#letGo(before);
    return this.#opened();
  }

  /** Forgets a model with the runs that were made on it, and frees them once nothing works on them any more. */
  #letGo({ lab, playground }: LabState): void {
    playground.stop();
    this.#evaluations.cancel();
    const weights: WeightSet[] = [];
    for (const [id, run] of this.#runs) {
      if (run.material.lab !== lab) continue;
      if (run.weights) weights.push(run.weights);
      run.weights = undefined;
      this.#runs.delete(id);
    }
    this.#baseEvaluations.clear();
    this.#probes.clear();
    void this.#lock.run(async () => {
      for (const each of weights) lab.release(each);
      lab.destroy();
    });
  }

  async #importRun(dropped: Parameters<typeof importRun>[0], { lab, origin, summary }: LabState): Promise<Opened> {
    const id = crypto.randomUUID();
    const base: BaseModel = { name: origin.name, revision: origin.revision, modelType: String(lab.folder.config['model_type']), tensors: lab.folder.weights.tensors };
    const imported = await this.#lock.run(() => importRun(dropped, id, lab, base, { ...UNKNOWN_CONFIG, maxLength: this.#maxLength }));
    const run = Run.imported(id, imported, dropped.name, await this.#material(imported.config), this.#lock, (event) => this.#emit(event));
    this.#runs.set(id, run);
    return { model: summary, datasets: this.#require().datasets.summaries(), run: run.summary, events: run.events };
  }

  #opened(): Opened {
    const { summary, datasets } = this.#require();
    return { model: summary, datasets: datasets.summaries() };
  }

  async #importDemo(datasets: Datasets): Promise<void> {
    for (const [role, path] of DEMO) {
      const blob = await this.services.fetchPublic(path);
      const file = new File([blob], path.slice(path.lastIndexOf('/') + 1));
      const result = await datasets.import(role, file, 'demo', this.#maxLength);
      if ('problem' in result) throw new Error(`The demo data is damaged. ${result.problem.what}`);
    }
  }

  async #material({ maxLength, startFrom }: RunConfig): Promise<RunMaterial> {
    const { lab, datasets, summary } = this.#require();
    this.#maxLength = maxLength;
    return {
      lab,
      train: await datasets.examples('train', maxLength),
      trainTokens: datasets.tokens('train'),
      heldOut: await datasets.suite('heldOut'),
      outOfDomain: await datasets.suite('outOfDomain'),
      heldOutTokens: datasets.tokens('heldOut'),
      outOfDomainTokens: datasets.tokens('outOfDomain'),
      modelName: summary.name,
      datasetName: datasets.name('train'),
      baseEvaluations: this.#baseEvaluations,
      evaluationKey: [datasets.sha256('heldOut'), datasets.sha256('outOfDomain'), maxLength].join(' '),
      startFrom: startFrom === undefined ? undefined : this.#weightsOf(startFrom),
      lost: this.#requireEngine().gpu.lost,
    };
  }

  /** What is to be said before a run is started with these settings. */
  async #warnings({ lora }: RunConfig): Promise<string[]> {
    const { warning, datasets } = this.#require();
    const found = lora && datasets.summary('train').rendering === 'chat' ? await warning : undefined;
    return found === undefined ? [] : [found];
  }

  #modelCache(): Promise<ModelCache> {
    return (this.#cache ??= this.services.openDirectory('models').then((directory) => new ModelCache(directory)));
  }

  /** Writes exports to disk, or keeps them in memory where the browser stores nothing. */
  async #scratchWriter(): Promise<Scratch['writeFile']> {
    this.#scratch ??= this.services.openDirectory('exports').then((directory) => Scratch.open(directory, crypto.randomUUID()));
    const scratch = await this.#scratch.catch(() => undefined);
    await scratch?.clear();
    return scratch?.writeFile ?? inMemory;
  }

  #weightsOf(column: 'base' | RunId): WeightSet {
    if (column === 'base') return this.#require().lab.model.weights;
    const weights = this.#runs.get(column)?.weights;
    if (!weights) throw new Error('This run has no weights to ask: it was discarded or has failed.');
    return weights;
  }

  #require(): LabState {
    if (!this.#state) throw new Error('No model is open yet.');
    return this.#state;
  }

  #requireOpening(): Opening {
    if (!this.#opening) throw new Error('There is no graphics device to work on.');
    return this.#opening;
  }

  #requireIdle(): void {
    if (this.#active) throw new Error('A run is under way. Stop it first.');
  }

  #requireEngine(): Engine {
    if (!this.#engine) throw new Error('There is no graphics device to work on.');
    return this.#engine;
  }

  #requireActive(): Run {
    if (!this.#active) throw new Error('No run is under way.');
    return this.#active;
  }

  readonly #onImport = (done: number, total: number, unit: 'bytes' | 'rows'): void => this.#emit({ type: 'phase', phase: 'import', done, total, unit });

  #emit(event: LabEvent): void {
    this.#events?.postMessage(event);
  }
}

/** Stands for the settings of a run that was made elsewhere. */
const UNKNOWN_CONFIG: Omit<RunConfig, 'maxLength'> = {
  method: 'sft',
  lambda: 0,
  rankFraction: 0.5,
  learningRate: 1e-3,
  schedule: 'constant',
  warmupSteps: 0,
  steps: 0,
  batchSize: 1,
  accumulation: 1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 0,
  evaluateEvery: 1,
  driftEvery: 0,
  evaluationItems: 0,
  recompute: false,
};
