/** @file The worker's side of the protocol: one engine, one model, its datasets and its runs. */
import type { DatasetColumns } from '../data/mapping.ts';
import { GpuUnavailableError } from '../engine.ts';
import type { Dropped } from '../formats/drop.ts';
import { inMemory } from '../formats/folder.ts';
import type { BaseModel } from '../formats/lora.ts';
import { ActiveRun, sentenceOf } from './activeRun.ts';
import { builtInOrigin, importDemo } from './builtIn.ts';
import { Device } from './device.ts';
import { diagnose } from './diagnosis.ts';
import { estimateRun, fitRun, ProbeCache } from './estimate.ts';
import { HandingOut } from './handingOut.ts';
import { importRun, isRunOn, UNKNOWN_CONFIG } from './imported.ts';
import { BasesLibrary, roomFor } from './keptBases.ts';
import { KeptFiles } from './keptFiles.ts';
import { KeptRuns } from './keptRuns.ts';
import { Library } from './library.ts';
import { Lock } from './lock.ts';
import { QueueMaker } from './making.ts';
import { materialOf, warningsOf } from './material.ts';
import { Measurements } from './measuring.ts';
import type { ModelOrigin } from './opening.ts';
import type {
  DatasetRole, DatasetSummary, Diagnosis, Estimate, EvaluatedItem, Evaluation, EvaluationReport, EvaluationRequest, ExportOptions, ExportResult, Fit, HubInfo, HubRequest, ImportResult, KeptBases, KeptFile, LabApi, LabEvent,
  MatrixDetail, NamedFile, Opened, Precision, PreviewRow, ProbeReport, ProbeRequest, QueueState, RecordedRun, RunConfig, RunId, RunNotes, RunSummary, SamplingOptions, StorageReport, StoredRun,
} from './protocol.ts';
import type { QueueItem } from './queue.ts';
import { RunQueue } from './queue.ts';
import type { UsedDatasets } from './records.ts';
import { RunData } from './runData.ts';
import type { RunMaterial } from './runMaterial.ts';
import { Run } from './runs.ts';
import { RunWeights } from './runWeights.ts';
import type { SessionServices } from './services.ts';
import { Visits } from './visits.ts';
import type { Workspace } from './workspace.ts';
import { Workspaces } from './workspace.ts';

export class Session implements LabApi {
  /** Runs that were made or opened since the page was; the library has those that the disk keeps. */
  readonly #runs = new Map<RunId, Run>();
  readonly #lock = new Lock();
  readonly #library: Library;
  readonly #kept: KeptRuns;
  readonly #queue: RunQueue;
  readonly #queueMaker: QueueMaker;
  readonly #files: KeptFiles;
  readonly #bases: BasesLibrary;
  readonly #runData: RunData;
  readonly #visits: Visits;
  readonly #device: Device;
  readonly #workspaces: Workspaces;
  readonly #active: ActiveRun;
  readonly #weights: RunWeights;
  readonly #measurements: Measurements;
  readonly #handingOut: HandingOut;
  readonly #probes = new ProbeCache();
  readonly #baseEvaluations = new Map<string, Evaluation>();
  #events: MessagePort | undefined;

  constructor(
    webgpu: GPU | undefined,
    private readonly services: SessionServices,
  ) {
    const emit = (event: LabEvent): void => this.#emit(event);
    this.#bases = new BasesLibrary(services.openDirectory);
    const openDirectory = roomFor(services.openDirectory, this.#bases);
    this.#library = new Library(openDirectory);
    this.#kept = new KeptRuns(this.#library, this.#runs);
    this.#queue = new RunQueue(this.#library, () => void this.#tellQueue());
    this.#files = new KeptFiles(this.#library, () => this.#queue.items());
    this.#runData = new RunData(this.#files, services.fetchPublic);
    this.#device = new Device(webgpu, {
      found: (engine) => this.#workspaces.standOn(engine),
      lost: ({ message }) => this.#emit({ type: 'device', message }),
      recover: (find) => this.#recover(find),
    });
    this.#workspaces = new Workspaces(this.#library, this.#bases, this.#lock, { ...services, openDirectory }, { emit, mayReplace: () => this.#active.requireNone(), keep: (...file) => this.#files.keepData(...file), letGo: (before) => this.#letGo(before) });
    this.#visits = new Visits(this.#files, this.#workspaces, services.fetchPublic, emit);
    this.#active = new ActiveRun(this.#library, this.#lock, {
      ready: () => this.#device.ready(),
      material: (config, data) => this.#material(config, data),
      emit,
      begun: (run) => this.#runs.set(run.id, run),
      ended: (run) => this.#onEnd(run),
    });
    this.#weights = new RunWeights(this.#workspaces, this.#kept, this.#active, this.#lock);
    this.#measurements = new Measurements(this.#workspaces, this.#weights, this.#kept, this.#lock, emit);
    this.#handingOut = new HandingOut(
      () => openDirectory('exports'),
      this.#lock,
      () => this.#device.engine,
      (done, total) => this.#emit({ type: 'phase', phase: 'save', done, total, unit: 'tensors' }),
      (decoding) => this.#emit({ type: 'phase', phase: 'verify', done: 0, total: 1, unit: 'parts', decoding }),
    );
    this.#queueMaker = new QueueMaker(this.#queue, this.#library, {
      model: () => this.#workspaces.current?.key,
      idle: () => this.#active.idle(),
      obstacle: ({ data, config }) => this.#runData.of(data, this.#require(), config.maxLength).then(() => undefined, sentenceOf),
      begin: ({ id, config, data }, record) => this.#active.begin(id, config, record, data),
      isLost: () => this.#device.isLost,
      fail: (run, error) => this.#emit({ type: 'state', run, state: 'failed', message: sentenceOf(error) }),
    });
  }

  async connect(events: MessagePort): Promise<Diagnosis> {
    this.#events = events;
    try {
      return diagnose((await this.#device.find()).facts);
    } catch (error) {
      if (error instanceof GpuUnavailableError) return diagnose(error);
      throw error;
    }
  }

  async reopen(): Promise<Opened> {
    const notice = this.#workspaces.current ? {} : await this.#visits.reopen();
    return { ...(await this.#opened()), notice };
  }

  async openBuiltIn(): Promise<Opened> {
    if (this.#workspaces.current?.origin.source === 'built-in') return this.#workspaces.opened();
    return this.#replaceModel(await builtInOrigin(this.services.fetchPublic, (event) => this.#emit(event)), 'f32');
  }

  async openFiles(files: readonly NamedFile[], precision: Precision): Promise<Opened> {
    const dropped = await this.#workspaces.opening.recognise(files);
    const open = this.#workspaces.current;
    if (open && isRunOn(dropped, open.summary.name)) return this.#importRun(dropped, open);
    if (dropped.kind === 'adapter') throw new Error(`${dropped.name} is an adapter${dropped.baseModel === undefined ? '' : ` of ${dropped.baseModel}`}. Open that model first, then drop the adapter again.`);
    return this.#replaceModel({ source: 'files', name: dropped.name, files: dropped.files }, precision);
  }

  hubInfo(request: HubRequest): Promise<HubInfo> {
    return this.#workspaces.opening.look(request);
  }

  async openHub(request: HubRequest, precision: Precision): Promise<Opened> {
    this.#active.requireNone();
    return this.#replaceModel(await this.#workspaces.opening.fetchModel(request), precision);
  }

  async cancelOpening(): Promise<void> {
    this.#workspaces.opening.cancel();
  }

  async setPrecision(precision: Precision): Promise<Opened> {
    const { origin, summary } = this.#require();
    return summary.precision === precision ? this.#workspaces.opened() : this.#replaceModel(origin, precision);
  }

  storage(): Promise<StorageReport> {
    return this.#workspaces.opening.storage();
  }

  removeCached(key: string): Promise<StorageReport> {
    return this.#workspaces.opening.remove(key);
  }

  keptFiles(): Promise<readonly KeptFile[]> {
    return this.#files.list();
  }

  async forgetFile(key: string): Promise<readonly KeptFile[]> {
    await this.#files.forget(key);
    return this.#files.list();
  }

  keptBases(): Promise<readonly KeptBases[]> {
    return this.#bases.list();
  }

  async forgetBases(key: string): Promise<readonly KeptBases[]> {
    await this.#bases.forget(key);
    return this.#bases.list();
  }

  importFile(role: DatasetRole, file: File, skipRows: readonly number[]): Promise<ImportResult> {
    return this.#noted(this.#require().datasets.import(role, file, 'file', this.#workspaces.maxLength, { skipRows, onProgress: this.#onImport }));
  }

  async cancelImport(): Promise<void> {
    this.#require().datasets.cancelImport();
  }

  async useDemoData(): Promise<readonly DatasetSummary[]> {
    const { datasets } = this.#require();
    await this.#noted(importDemo(this.services.fetchPublic, datasets, this.#workspaces.maxLength));
    return datasets.summaries();
  }

  async setMapping(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult> {
    this.#workspaces.maxLength = maxLength;
    return this.#noted(this.#require().datasets.remap(role, mapping, maxLength, this.#onImport));
  }

  async preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> {
    return this.#require().datasets.preview(role, from, count, maxLength);
  }

  async estimate(config: RunConfig, probe: boolean): Promise<Estimate> {
    const idle = probe && !this.#active.run;
    return estimateRun(await this.#material(config), config, this.#probes, idle ? this.#lock : undefined, await warningsOf(config, this.#require()));
  }

  async checkFit(config: RunConfig): Promise<Fit> {
    const material = await this.#material(config);
    return this.#lock.run(() => fitRun(material, config));
  }

  async start(config: RunConfig): Promise<RunSummary> {
    return (await this.#active.begin(crypto.randomUUID(), config)).summary;
  }

  async resumeRun(id: RunId): Promise<RunSummary> {
    this.#active.requireNone();
    const record = await this.#library.record(id);
    if (record?.stored.resumableFrom === undefined) throw new Error('This run has no checkpoint to go on from; start it again.');
    // What a stopped run ended with gives way to what it will end with.
    await this.#require().weights.drop(id);
    return (await this.#active.begin(id, record.head.summary.config, record)).summary;
  }

  async pause(): Promise<void> {
    this.#active.require().request('pause');
  }

  async resume(): Promise<void> {
    this.#active.require().request('run');
  }

  async stepOnce(): Promise<void> {
    this.#active.require().request('step');
  }

  async stop(keep: boolean): Promise<void> {
    this.#active.require().request(keep ? 'keep' : 'discard');
  }

  async removeRun(id: RunId): Promise<void> {
    if (this.#active.of(id)) throw new Error('This run is under way. Stop it first.');
    await this.#kept.hide(id);
    await this.#require().weights.drop(id);
  }

  async restoreRun(id: RunId): Promise<StoredRun> {
    return (await this.#library.restore(id)).stored;
  }

  async purgeRemoved(): Promise<void> {
    await this.#library.purge();
    await this.#files.collect();
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
    await this.#files.collect();
    return this.queue();
  }

  async runQueue(on: boolean): Promise<QueueState> {
    await (on ? this.#queueMaker.start() : this.#queue.setRunning(false));
    return this.queue();
  }

  async exportBundle(ids: readonly RunId[], withWeights: boolean): Promise<File> {
    const read = (id: RunId): Promise<Blob> => this.#weights.use([id], ([set]) => inMemory('', this.#require().lab.saveWeights(set!)));
    const files = await this.#kept.bundle(ids, withWeights ? read : undefined);
    return this.#handingOut.zip(files, `gimbal-runs-${new Date().toISOString().slice(0, 10)}`);
  }

  async importBundle(file: File): Promise<readonly StoredRun[]> {
    const { key, summary } = this.#require();
    return this.#kept.unbundle(file, key, summary.name);
  }

  async ask(prompt: string, columns: readonly ('base' | RunId)[], options: SamplingOptions, stream: MessagePort): Promise<void> {
    const { playground } = this.#require();
    return this.#weights.use(columns, (weights) => playground.ask(prompt, weights, options, (event) => stream.postMessage(event)));
  }

  async stopAsking(): Promise<void> {
    this.#require().playground.stop();
  }

  async alternatives(column: 'base' | RunId, prompt: string, answer: readonly number[]): Promise<readonly { readonly text: string; readonly probability: number }[]> {
    const { playground } = this.#require();
    return this.#weights.use([column], ([weights]) => playground.alternatives(weights!, prompt, answer));
  }

  async evaluate(request: EvaluationRequest): Promise<EvaluationReport> {
    return this.#measurements.evaluate(request);
  }

  async cancelEvaluation(): Promise<void> {
    this.#measurements.cancel();
  }

  async evaluatedItems(report: string, which: 'all' | 'failures' | 'changed', from: number, count: number): Promise<{ readonly total: number; readonly items: readonly EvaluatedItem[] }> {
    return this.#measurements.evaluations.items(report, which, from, count);
  }

  async probe(request: ProbeRequest): Promise<ProbeReport> {
    return this.#measurements.probe(request);
  }

  async cancelProbe(): Promise<void> {
    this.#measurements.probing.cancel();
  }

  async matrixDetail(id: RunId, matrix: string): Promise<MatrixDetail> {
    return this.#measurements.matrixDetail(id, matrix);
  }

  async exportRun(id: RunId, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<ExportResult> {
    const { origin, lab, datasets } = this.#require();
    return this.#handingOut.run(
      (work) => this.#weights.use([id], async ([weights]) => work(await this.#kept.exported(id, weights, { lab, train: (maxLength) => datasets.examples('train', maxLength) }))),
      origin,
      options,
      folder,
    );
  }

  async cancelExport(): Promise<void> {
    this.#handingOut.cancel();
  }

  async record(): Promise<RecordedRun> {
    const { summary, datasets } = this.#require();
    return {
      format: 1,
      recordedOn: { adapter: this.#device.engine.gpu.facts.description, date: new Date().toISOString().slice(0, 10), command: 'npm start' },
      model: summary,
      datasets: datasets.summaries(),
      runs: [...this.#runs.values()].map((run) => ({ summary: run.summary, events: run.events })),
    };
  }

  async #replaceModel(origin: ModelOrigin, precision: Precision): Promise<Opened> {
    const refusal = origin.source === 'files' ? await this.#files.refusalOfModel(origin.name, origin.files) : undefined;
    await this.#workspaces.replace(origin, precision);
    if (origin.source === 'files' && refusal === undefined) void this.#files.keepModel(this.#require().key, origin.name, origin.files).catch(() => undefined);
    const opened = await this.#opened();
    return refusal === undefined ? opened : { ...opened, notice: { model: refusal } };
  }

  /** Another model is open. */
  async #opened(): Promise<Opened> {
    void this.#tellQueue();
    void this.#queueMaker.makeAll();
    await this.#visits.note();
    return this.#workspaces.opened();
  }

  /** Notes for the next visit what a change of the data has led to. */
  async #noted<T>(change: Promise<T>): Promise<T> {
    const result = await change;
    await this.#visits.note();
    return result;
  }

  /** Forgets a model with the runs that were made on it, and frees them once nothing works on them any more. */
  #letGo({ lab, playground, weights }: Workspace): void {
    playground.stop();
    this.#measurements.cancel();
    weights.clear(false);
    this.#kept.clear();
    this.#baseEvaluations.clear();
    this.#probes.clear();
    void this.#lock.run(async () => lab.destroy());
  }

  /** Gets a device again and opens the model on it; what was on the lost one comes back from the disk when it is asked for. */
  async #recover(find: () => Promise<unknown>): Promise<void> {
    const before = this.#workspaces.current;
    before?.playground.stop();
    before?.weights.clear(true);
    this.#measurements.cancel();
    await this.#active.idle();
    await find();
    if (before) await this.#workspaces.reopen(before);
  }

  async #importRun(dropped: Dropped, { lab, origin, summary }: Workspace): Promise<Opened> {
    const id = crypto.randomUUID();
    const base: BaseModel = { name: origin.name, revision: origin.revision, modelType: String(lab.folder.config['model_type']), tensors: lab.folder.weights.tensors };
    const imported = await this.#lock.run(() => importRun(dropped, id, lab, base, { ...UNKNOWN_CONFIG, maxLength: this.#workspaces.maxLength }));
    const run = Run.imported(id, imported, dropped.name, await this.#material(imported.config), this.#lock, (event) => this.#emit(event));
    const refusal = await this.#lock.run(() => this.#kept.keepOpened(run, lab.saveWeights(imported.weights)));
    if (refusal !== undefined) run.events.push({ type: 'state', run: id, state: run.state, message: refusal });
    this.#runs.set(id, run);
    this.#weights.hold(run, refusal === undefined);
    return { model: summary, datasets: this.#require().datasets.summaries(), run: run.summary, events: run.events };
  }

  /** @param data what the run is made on, where that may be other than what is loaded */
  async #material(config: RunConfig, data?: UsedDatasets): Promise<RunMaterial> {
    const { startFrom, maxLength } = config;
    const open = this.#require();
    if (!data) this.#workspaces.maxLength = maxLength;
    return materialOf(config, data ? { ...open, datasets: await this.#runData.of(data, open, maxLength) } : open, {
      engine: () => this.#device.engine,
      browser: this.services.browser,
      baseEvaluations: this.#baseEvaluations,
      withStart: (work) => (startFrom === undefined ? work(undefined) : this.#weights.use([startFrom], ([weights]) => work(weights))),
    });
  }

  #onEnd(run: Run): void {
    if (run.weights) this.#weights.hold(run);
    else this.#runs.delete(run.id);
    void this.#queueMaker.makeAll();
  }

  async #tellQueue(): Promise<void> {
    if (this.#workspaces.current) this.#emit({ type: 'queue', queue: await this.queue() });
  }

  #require(): Workspace {
    return this.#workspaces.require();
  }

  readonly #onImport = (done: number, total: number, unit: 'bytes' | 'rows'): void => this.#emit({ type: 'phase', phase: 'import', done, total, unit });

  #emit(event: LabEvent): void {
    this.#events?.postMessage(event);
  }
}
