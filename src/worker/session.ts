/** @file The worker's side of the protocol: one engine, one model, its datasets and its runs. */
import type { DatasetColumns } from '../data/mapping.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import type { Decomposition, Engine, Gpu, GpuLostError, ModelFiles, TokenisedExample, WeightSet } from '../engine.ts';
import { createEngine, GpuUnavailableError, requestGpu } from '../engine.ts';
import type { Scorer } from '../evaluation/scorer.ts';
import { inMemory } from '../formats/folder.ts';
import type { BaseModel } from '../formats/lora.ts';
import { folderWriter } from '../storage/chosenFolder.ts';
import type { Directory } from '../storage/directory.ts';
import { zipFiles } from '../formats/zip.ts';
import { ModelCache } from '../storage/modelCache.ts';
import { Scratch } from '../storage/scratch.ts';
import { Datasets } from './datasets.ts';
import { diagnose } from './diagnosis.ts';
import type { ProbeCache } from './estimate.ts';
import { estimateRun, fitRun } from './estimate.ts';
import { Evaluations } from './evaluating.ts';
import { exportName, exportRun, piecesOf } from './exporting.ts';
import { HeldWeights } from './heldWeights.ts';
import { importRun, isRunOn, UNKNOWN_CONFIG } from './imported.ts';
import { RunKeeper } from './keeper.ts';
import { KeptRuns } from './keptRuns.ts';
import { Library } from './library.ts';
import { Lock } from './lock.ts';
import { QueueMaker } from './making.ts';
import type { ModelOrigin, OpenModel } from './opening.ts';
import { Opening } from './opening.ts';
import { Playground } from './playground.ts';
import type { ProbeMaterial } from './probing.ts';
import { Probing } from './probing.ts';
import type {
  DatasetRole, DatasetSummary, Diagnosis, Estimate, EvaluatedItem, Evaluation, EvaluationReport, EvaluationRequest, ExportOptions, ExportResult, Fit, HubInfo, HubRequest, ImportResult, LabApi, LabEvent,
  MatrixDetail, NamedFile, Opened, Precision, PreviewRow, ProbeReport, ProbeRequest, QueueState, RecordedRun, RunConfig, RunId, RunNotes, RunSummary, SamplingOptions, StorageReport, StoredRun,
} from './protocol.ts';
import type { QueueItem } from './queue.ts';
import { RunQueue } from './queue.ts';
import type { RunRecord } from './records.ts';
import { differentData, modelKey, rewound } from './records.ts';
import type { RunMaterial } from './runs.ts';
import { GREEDY, Run } from './runs.ts';
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
  /** Its name and version, as runs note them. */
  readonly browser: string;
}

/** State of an opened lab; everything before `openBuiltIn` has none. */
interface LabState extends OpenModel {
  /** Tells the model from any other. */
  readonly key: string;
  readonly datasets: Datasets;
  readonly playground: Playground;
  /** Weights of its ended runs. */
  readonly weights: HeldWeights;
  /** What a person should know of conversations and this model; found once. */
  readonly warning: Promise<string | undefined>;
}

export class Session implements LabApi {
  /** Runs that were made or opened since the page was; the library has those that the disk keeps. */
  readonly #runs = new Map<RunId, Run>();
  readonly #library: Library;
  readonly #kept: KeptRuns;
  readonly #queue: RunQueue;
  readonly #queueMaker: QueueMaker;
  readonly #lock = new Lock();
  readonly #probes: ProbeCache = new Map();
  readonly #baseEvaluations = new Map<string, Evaluation>();
  readonly #evaluations = new Evaluations();
  readonly #probing = new Probing();
  #events: MessagePort | undefined;
  #gpu: Gpu | undefined;
  #engine: Engine | undefined;
  #opening: Opening | undefined;
  #state: LabState | undefined;
  #active: Run | undefined;
  /** Resolves when the latest run has ended. */
  #ended: Promise<void> = Promise.resolve();
  /** Under way or done since the device was lost; undefined while it works. */
  #recovery: Promise<void> | undefined;
  #exporting = new AbortController();
  #cache: Promise<ModelCache> | undefined;
  #scratch: Promise<Scratch> | undefined;
  #maxLength = 128;

  constructor(
    private readonly webgpu: GPU | undefined,
    private readonly services: SessionServices,
  ) {
    this.#library = new Library(() => services.openDirectory('runs'));
    this.#kept = new KeptRuns(this.#library, this.#runs);
    this.#queue = new RunQueue(this.#library, () => void this.#tellQueue());
    this.#queueMaker = new QueueMaker(this.#queue, this.#library, {
      model: () => this.#state?.key,
      idle: () => this.#ended,
      obstacle: ({ data }) => differentData(data, this.#require().datasets.used()),
      begin: (...run) => this.#begin(...run),
      isLost: () => this.#recovery !== undefined,
      fail: (run, error) => this.#emit({ type: 'state', run, state: 'failed', message: sentenceOf(error) }),
    });
  }

  async connect(events: MessagePort): Promise<Diagnosis> {
    this.#events = events;
    try {
      return diagnose((await this.#requestGpu()).facts);
    } catch (error) {
      if (error instanceof GpuUnavailableError) return diagnose(error);
      throw error;
    }
  }

  async #requestGpu(): Promise<Gpu> {
    const gpu = await requestGpu(this.webgpu);
    this.#gpu = gpu;
    this.#engine = createEngine(gpu);
    this.#opening = new Opening(this.#engine, () => this.#modelCache(), (event) => this.#emit(event), this.services.fetch);
    void gpu.lost.then((error) => this.#onLost(error));
    return gpu;
  }

  #onLost(error: GpuLostError): void {
    this.#emit({ type: 'device', message: error.message });
    // Whoever needs the device waits for it, and is told what went wrong.
    this.#recovery = this.#recover();
    this.#recovery.catch(() => undefined);
  }

  /** Gets a device again and opens the model on it; what was on the lost one comes back from the disk when it is asked for. */
  async #recover(): Promise<void> {
    const before = this.#state;
    before?.playground.stop();
    before?.weights.clear(true);
    this.#evaluations.cancel();
    this.#probing.cancel();
    await this.#ended;
    await this.#requestGpu();
    if (before) {
      const opened = await this.#requireOpening().open(before.origin, before.summary.precision);
      this.#state = this.#stateOf(opened, before.key, before.datasets);
    }
    this.#recovery = undefined;
  }

  /** Waits for a device that was lost, and tries again where that had failed. */
  async #requireDevice(): Promise<void> {
    try {
      await this.#recovery;
    } catch {
      this.#recovery = this.#recover();
      await this.#recovery;
    }
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
    return (await this.#begin(crypto.randomUUID(), config)).summary;
  }

  async resumeRun(id: RunId): Promise<RunSummary> {
    this.#requireIdle();
    const record = await this.#library.record(id);
    if (record?.stored.resumableFrom === undefined) throw new Error('This run has no checkpoint to go on from; start it again.');
    return (await this.#begin(id, record.head.summary.config, record)).summary;
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
    if (this.#active?.id === id) throw new Error('This run is under way. Stop it first.');
    await this.#kept.hide(id);
    await this.#require().weights.drop(id);
  }

  async restoreRun(id: RunId): Promise<StoredRun> {
    return (await this.#library.restore(id)).stored;
  }

  async purgeRemoved(): Promise<void> {
    await this.#library.purge();
  }

  async storedRuns(): Promise<readonly StoredRun[]> {
    return this.#kept.list(this.#require().key);
  }

  async annotateRun(id: RunId, notes: RunNotes): Promise<void> {
    await this.#kept.annotate(id, notes);
  }

  queue(): Promise<QueueState> {
    return this.#queue.state(this.#require().key);
  }

  async enqueue(configs: readonly RunConfig[]): Promise<QueueState> {
    const { key: model, datasets } = this.#require();
    const data = datasets.used();
    await this.#queue.enqueue(configs.map((config): QueueItem => ({ id: crypto.randomUUID(), config, model, data })));
    void this.#queueMaker.makeAll();
    return this.queue();
  }

  async reorderQueue(ids: readonly RunId[]): Promise<QueueState> {
    await this.#queue.reorder(ids);
    return this.queue();
  }

  async dequeue(ids: readonly RunId[]): Promise<QueueState> {
    await this.#queue.dequeue(ids);
    return this.queue();
  }

  async runQueue(on: boolean): Promise<QueueState> {
    await (on ? this.#queueMaker.start() : this.#queue.setRunning(false));
    return this.queue();
  }

  async exportBundle(ids: readonly RunId[], withWeights: boolean): Promise<File> {
    const read = (id: RunId): Promise<Blob> => this.#withWeights([id], ([set]) => inMemory('', this.#require().lab.saveWeights(set!)));
    const files = await this.#kept.bundle(ids, withWeights ? read : undefined);
    const name = `gimbal-runs-${new Date().toISOString().slice(0, 10)}`;
    const writeFile = await this.#scratchWriter();
    return new File([await writeFile(`${name}.zip`, piecesOf(zipFiles(files, name)))], `${name}.zip`, { type: 'application/zip' });
  }

  async importBundle(file: File): Promise<readonly StoredRun[]> {
    const { key, summary } = this.#require();
    return this.#kept.unbundle(file, key, summary.name);
  }

  async ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, stream: MessagePort): Promise<void> {
    const { playground } = this.#require();
    return this.#withWeights(columns, (weights) => playground.ask(prompt, weights, options, (event) => stream.postMessage(event)));
  }

  async stopAsking(): Promise<void> {
    this.#require().playground.stop();
  }

  async alternatives(column: 'base' | RunId, prompt: string, answer: readonly number[]): Promise<readonly { readonly text: string; readonly probability: number }[]> {
    const { playground } = this.#require();
    return this.#withWeights([column], ([weights]) => playground.alternatives(weights!, prompt, answer));
  }

  async evaluate(request: EvaluationRequest): Promise<EvaluationReport> {
    const { datasets, lab } = this.#require();
    const { examples } = await datasets.suite(request.role);
    const shape = { maxLength: this.#maxLength, template: lab.template, rows: EVALUATION_ROWS, sequences: EVALUATION_ROWS };
    const dataset = datasets.name(request.role);
    return this.#withWeights(request.columns, (weights) =>
      this.#evaluations.evaluate(
        request,
        { dataset, examples, columns: request.columns.map((column, i) => ({ column, weights: weights[i]! })), scorer: (set, settings) => lab.scorer(set, { ...shape, ...settings }) },
        (work) => this.#lock.run(work),
        (done, total) => this.#emit({ type: 'phase', phase: 'evaluate', done, total, unit: 'items' }),
      ),
    );
  }

  async cancelEvaluation(): Promise<void> {
    this.#evaluations.cancel();
    this.#probing.cancel();
  }

  async evaluatedItems(report: string, which: 'all' | 'failures' | 'changed', from: number, count: number): Promise<{ readonly total: number; readonly items: readonly EvaluatedItem[] }> {
    return this.#evaluations.items(report, which, from, count);
  }

  async probe(request: ProbeRequest): Promise<ProbeReport> {
    return this.#probing.measure(
      request,
      (work) => this.#probed(request, work),
      (work) => this.#lock.run(work),
      (done, total, unit) => this.#emit({ type: 'phase', phase: 'probe', done, total, unit }),
    );
  }

  async cancelProbe(): Promise<void> {
    this.#probing.cancel();
  }

  async matrixDetail(id: RunId, matrix: string): Promise<MatrixDetail> {
    const { lab } = this.#require();
    return this.#withStill(id, (weights, { config, completedSteps }) =>
      this.#withBases(config, (bases) => this.#lock.run(async () => ({ step: completedSteps, matrix: await lab.driftDetail(weights, bases, matrix) }))),
    );
  }

  async exportRun(id: RunId, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<ExportResult> {
    const { origin, lab, datasets } = this.#require();
    this.#exporting = new AbortController();
    const { signal } = this.#exporting;
    return this.#withWeights([id], async ([weights]) => {
      const run = await this.#kept.exported(id, weights, { lab, train: (maxLength) => datasets.examples('train', maxLength) });
      const { adapter, dataHashes } = run.environment;
      const facts = { adapter, dataHashes, base: { name: origin.name, revision: origin.revision }, chat: lab.template !== undefined };
      const writeFile = folder ? await folderWriter(folder, exportName(run, options)) : await this.#scratchWriter();
      const onProgress = (done: number, total: number): void => this.#emit({ type: 'phase', phase: 'save', done, total, unit: 'tensors' });
      return this.#lock.run(() => exportRun(this.#requireEngine(), run, options, facts, { writeFile, zip: !folder, onProgress, signal }));
    });
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
      const key = await modelKey(origin.files);
      this.#requireIdle();
      this.#state = this.#stateOf(opened, key, datasets);
    } catch (error) {
      lab.destroy();
      throw error;
    }
    if (before) this.#letGo(before);
    void this.#tellQueue();
    void this.#queueMaker.makeAll();
    return this.#opened();
  }

  #stateOf(opened: OpenModel, key: string, datasets: Datasets): LabState {
    const { lab } = opened;
    const weights = new HeldWeights(
      async (id) => {
        const record = await this.#library.record(id);
        if (record?.head.model !== key || !record.weights) throw new Error('This run has no weights to work with: it was discarded, has failed, or is not kept any more.');
        const { weights: file, head } = record;
        return this.#lock.run(() => lab.loadWeights(file, `weights of run ${id}`, head.summary.config.lora));
      },
      (set) => this.#lock.run(async () => lab.release(set)),
    );
    return { ...opened, key, datasets, weights, playground: new Playground(lab, this.#lock), warning: this.#lock.run(() => turnWarning(lab)) };
  }

  /** Forgets a model with the runs that were made on it, and frees them once nothing works on them any more. */
  #letGo({ lab, playground, weights }: LabState): void {
    playground.stop();
    this.#evaluations.cancel();
    this.#probing.cancel();
    weights.clear(false);
    this.#kept.clear();
    this.#baseEvaluations.clear();
    this.#probes.clear();
    void this.#lock.run(async () => lab.destroy());
  }

  async #importRun(dropped: Parameters<typeof importRun>[0], { lab, origin, summary }: LabState): Promise<Opened> {
    const id = crypto.randomUUID();
    const base: BaseModel = { name: origin.name, revision: origin.revision, modelType: String(lab.folder.config['model_type']), tensors: lab.folder.weights.tensors };
    const imported = await this.#lock.run(() => importRun(dropped, id, lab, base, { ...UNKNOWN_CONFIG, maxLength: this.#maxLength }));
    const run = Run.imported(id, imported, dropped.name, await this.#material(imported.config), this.#lock, (event) => this.#emit(event));
    this.#runs.set(id, run);
    this.#keepOnDevice(run);
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
    const { lab, datasets, summary, key } = this.#require();
    this.#maxLength = maxLength;
    return {
      lab,
      train: await datasets.examples('train', maxLength),
      trainTokens: datasets.tokens('train'),
      trainExamples: async () => (await datasets.suite('train')).examples,
      heldOut: await datasets.suite('heldOut'),
      outOfDomain: await datasets.suite('outOfDomain'),
      heldOutTokens: datasets.tokens('heldOut'),
      outOfDomainTokens: datasets.tokens('outOfDomain'),
      modelName: summary.name,
      datasetName: datasets.name('train'),
      baseEvaluations: this.#baseEvaluations,
      evaluationKey: [datasets.sha256('heldOut'), datasets.sha256('outOfDomain'), maxLength].join(' '),
      withStart: (work) => (startFrom === undefined ? work(undefined) : this.#withWeights([startFrom], ([weights]) => work(weights))),
      origin: {
        model: key,
        precision: summary.precision,
        data: datasets.used(),
        environment: {
          adapter: this.#gpu!.facts.description,
          browser: this.services.browser,
          ...(summary.revision === undefined ? {} : { modelRevision: summary.revision }),
          dataHashes: Object.fromEntries(DEMO.map(([role]) => [datasets.name(role), datasets.sha256(role)])),
        },
      },
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

  /** Starts a run, or takes it up where it was interrupted. */
  async #begin(id: RunId, config: RunConfig, record?: RunRecord): Promise<Run> {
    await this.#requireDevice();
    this.#requireIdle();
    const material = await this.#material(config);
    this.#requireIdle();
    if (record) checkSame(record, material);
    const run = new Run(id, config, material, this.#lock, (event) => this.#emit(event));
    const { checkpoint, stored, head } = record ?? {};
    if (checkpoint) run.takeUp({ ...checkpoint, startedAt: head!.summary.startedAt, events: rewound(stored!.events, checkpoint.step) });
    this.#runs.set(id, run);
    this.#active = run;
    const tell = (message: string): void => this.#emit({ type: 'state', run: id, state: run.state, message });
    this.#ended = this.#keptBy(run, checkpoint?.step, tell)
      .then(() => run.run())
      .then(() => this.#onEnd(run));
    return run;
  }

  async #keptBy(run: Run, checkpoint: number | undefined, tell: (message: string) => void): Promise<void> {
    const { id, material, summary } = run;
    try {
      const store = await this.#library.store();
      run.keeper = await (checkpoint === undefined ? RunKeeper.begin(store, id, { format: 1, ...material.origin, summary }, tell) : RunKeeper.resume(store, id, checkpoint, tell));
    } catch (error) {
      tell(`This run is not kept on disk. ${sentenceOf(error)}`);
    }
  }

  #onEnd(run: Run): void {
    this.#active = undefined;
    if (run.weights) this.#keepOnDevice(run);
    else this.#runs.delete(run.id);
    void this.#queueMaker.makeAll();
  }

  /** From now on the weights of an ended run are among those that make room for others. */
  #keepOnDevice(run: Run): void {
    this.#require().weights.put(run.id, run.weights!, run.keeper?.keeps ?? false);
    run.weights = undefined;
  }

  async #tellQueue(): Promise<void> {
    if (this.#state) this.#emit({ type: 'queue', queue: await this.queue() });
  }

  /** Runs `work` on weights that stay on the device until it has ended. */
  #withWeights<T>(columns: readonly ('base' | RunId)[], work: (weights: readonly WeightSet[]) => Promise<T>): Promise<T> {
    const { lab, weights } = this.#require();
    const own = columns.map((column) => (column === 'base' ? lab.model.weights : this.#active?.id === column ? this.#active.weights : undefined));
    return weights.use(columns.filter((_, i) => !own[i]), (held) => {
      const rest = [...held];
      return work(own.map((set) => set ?? rest.shift()!));
    });
  }

  /** Runs `work` on the weights of a run as they are now; those of a run that is under way are copied, so that they stand still. */
  async #withStill<T>(id: RunId, work: (weights: WeightSet, summary: RunSummary) => Promise<T>): Promise<T> {
    const { lab } = this.#require();
    const active = this.#active?.id === id ? this.#active : undefined;
    if (!active) {
      const summary = this.#runs.get(id)?.summary ?? (await this.#library.record(id))?.stored.summary;
      if (!summary) throw new Error('This run is not kept any more.');
      return this.#withWeights([id], ([weights]) => work(weights!, summary));
    }
    const still = await this.#lock.run(async () => {
      if (!active.weights) throw new Error('This run has no weights of its own yet. Wait for its first step.');
      return { weights: await lab.keep(active.weights), summary: active.summary };
    });
    try {
      return await work(still.weights, still.summary);
    } finally {
      await this.#lock.run(async () => lab.release(still.weights));
    }
  }

  /** Runs `work` in the bases of a run's k, which stay for the next time unless a run is under way that may need its own. */
  async #withBases<T>({ rankFraction, lora }: RunConfig, work: (bases: Decomposition) => Promise<T>, onProgress?: (done: number, total: number) => void): Promise<T> {
    const { lab } = this.#require();
    await this.#lock.run(async () => {
      if (!this.#active) await lab.decompose(rankFraction, onProgress, lora?.targets);
    });
    return lab.withBases(rankFraction, lora?.targets, work, { turn: (slice) => this.#lock.run(slice), onProgress });
  }

  async #probed(request: ProbeRequest, work: (material: ProbeMaterial) => Promise<ProbeReport>): Promise<ProbeReport> {
    const { lab, datasets } = this.#require();
    return this.#withStill(request.run, async (weights, { config, completedSteps }) => {
      const { maxLength } = config;
      const tokenised = request.kind === 'restore' ? [] : await datasets.examples(request.role, maxLength);
      const suites = { inDomain: await datasets.suite('heldOut'), outOfDomain: await datasets.suite('outOfDomain') };
      const dataset = request.kind === 'restore' ? `${datasets.name('heldOut')} and ${datasets.name('outOfDomain')}` : datasets.name(request.role);
      const scorer = (set: WeightSet): Scorer => lab.scorer(set, { ...GREEDY, maxLength, template: lab.template, rows: EVALUATION_ROWS, sequences: EVALUATION_ROWS });
      const withBases: ProbeMaterial['withBases'] = (inBases, onProgress) => this.#withBases(config, inBases, onProgress);
      return work({ lab, weights, step: completedSteps, dataset, examples: firstOf(tokenised, request.items), suites, scorer, withBases });
    });
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

/** The first of a list; all for 0. */
const firstOf = (list: TokenisedList, count: number): TokenisedExample[] =>
  Array.from({ length: count > 0 ? Math.min(count, list.length) : list.length }, (_, index) => list.at(index)!);

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @throws what differs from what a run was begun on, so that it would not go on as it was */
function checkSame({ head }: RunRecord, { origin, modelName }: RunMaterial): void {
  if (head.model !== origin.model) throw new Error(`This run was begun on ${head.summary.model}, another model than ${modelName} as it is open now. Open that one, then resume.`);
  if (head.precision !== origin.precision) throw new Error(`This run was begun on the model in ${head.precision}; it is open in ${origin.precision} now. Open it in ${head.precision}, then resume.`);
  const different = differentData(head.data, origin.data);
  if (different !== undefined) throw new Error(different);
}
