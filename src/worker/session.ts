/** @file The worker's side of the protocol: one engine, one model, its datasets and its runs. */
import type { DatasetColumns } from '../data/mapping.ts';
import type { Engine, Gpu, Lab, ModelFiles } from '../engine.ts';
import { createEngine, GpuUnavailableError, requestGpu } from '../engine.ts';
import { Datasets } from './datasets.ts';
import { diagnose } from './diagnosis.ts';
import type { ProbeCache } from './estimate.ts';
import { estimateRun } from './estimate.ts';
import { inMemory } from '../formats/folder.ts';
import { exportRun } from './exporting.ts';
import { Lock } from './lock.ts';
import { Playground } from './playground.ts';
import type { DatasetRole, DatasetSummary, Diagnosis, Estimate, Evaluation, ExportOptions, ExportResult, ImportResult, LabApi, LabEvent, ModelSummary, PreviewRow, RecordedRun, RunConfig, RunId, RunSummary, SamplingOptions } from './protocol.ts';
import type { RunMaterial } from './runs.ts';
import { Run } from './runs.ts';

/** Fetches the files that ship with the page, by path below `public/`. */
export type FetchPublic = (path: string) => Promise<Blob>;

const MODEL_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'model.safetensors'];
const DEMO: readonly (readonly [DatasetRole, string])[] = [
  ['train', 'data/demo-train.jsonl'],
  ['heldOut', 'data/demo-heldout.jsonl'],
  ['outOfDomain', 'data/ood.jsonl'],
];
const MODEL_NAME = 'Built-in model';

/** State of an opened lab; everything before `openBuiltIn` has none. */
interface Opened {
  readonly lab: Lab;
  readonly datasets: Datasets;
  readonly playground: Playground;
  readonly summary: ModelSummary;
}

export class Session implements LabApi {
  readonly #runs = new Map<RunId, Run>();
  readonly #lock = new Lock();
  readonly #probes: ProbeCache = new Map();
  readonly #baseEvaluations = new Map<string, Evaluation>();
  #events: MessagePort | undefined;
  #gpu: Gpu | undefined;
  #engine: Engine | undefined;
  #opened: Opened | undefined;
  #active: Run | undefined;
  #maxLength = 128;

  constructor(
    private readonly webgpu: GPU | undefined,
    private readonly fetchPublic: FetchPublic,
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
    return diagnose(this.#gpu.facts);
  }

  async openBuiltIn(): Promise<{ readonly model: ModelSummary; readonly datasets: readonly DatasetSummary[] }> {
    if (!this.#opened) {
      const files = await this.#fetchModel();
      const lab = await this.#requireEngine().open(files);
      const summary = describe(lab, [...files.values()].reduce((sum, { size }) => sum + size, 0));
      this.#opened = { lab, datasets: new Datasets(lab.tokenizer), playground: new Playground(lab, this.#lock), summary };
      await this.useDemoData();
    }
    const { summary, datasets } = this.#opened;
    return { model: summary, datasets: datasets.summaries() };
  }

  async importFile(role: DatasetRole, file: File, skipRows: readonly number[]): Promise<ImportResult> {
    return this.#require().datasets.import(role, file, 'file', this.#maxLength, { skipRows });
  }

  async useDemoData(): Promise<readonly DatasetSummary[]> {
    const { datasets } = this.#require();
    for (const [role, path] of DEMO) {
      const blob = await this.fetchPublic(path);
      const file = new File([blob], path.slice(path.lastIndexOf('/') + 1));
      const result = await datasets.import(role, file, 'demo', this.#maxLength);
      if ('problem' in result) throw new Error(`The demo data is damaged. ${result.problem.what}`);
    }
    return datasets.summaries();
  }

  async setMapping(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult> {
    this.#maxLength = maxLength;
    return this.#require().datasets.remap(role, mapping, maxLength);
  }

  async preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> {
    return this.#require().datasets.preview(role, from, count, maxLength);
  }

  async estimate(config: RunConfig, probe: boolean): Promise<Estimate> {
    const idle = probe && !this.#active;
    return estimateRun(this.#material(config), config, this.#probes, idle ? this.#lock : undefined);
  }

  async start(config: RunConfig): Promise<RunSummary> {
    if (this.#active) throw new Error('A run is under way. Stop it before starting another.');
    const run = new Run(crypto.randomUUID(), config, this.#material(config), this.#lock, (event) => this.#emit(event));
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

  async exportRun(id: RunId, options: ExportOptions): Promise<ExportResult> {
    const run = this.#runs.get(id);
    if (!run) throw new Error('This run is not kept any more.');
    const { datasets, summary } = this.#require();
    const facts = {
      adapter: this.#gpu!.facts.description,
      dataHashes: Object.fromEntries(DEMO.map(([role]) => [datasets.name(role), datasets.sha256(role)])),
      base: { name: summary.name, revision: summary.revision },
      chat: datasets.summary('train').rendering === 'chat',
    };
    return this.#lock.run(() => exportRun(this.#requireEngine(), run, options, facts, { writeFile: inMemory, zip: true }));
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
      const blob = await this.fetchPublic(`model/${name}`);
      bytes += blob.size;
      entries.push([name, blob]);
      this.#emit({ type: 'phase', phase: 'weights', done: bytes, total: bytes, unit: 'bytes' });
    }
    return new Map(entries);
  }

  #material({ maxLength }: RunConfig): RunMaterial {
    const { lab, datasets, summary } = this.#require();
    return {
      lab,
      train: datasets.examples('train', maxLength),
      heldOut: datasets.examples('heldOut', maxLength),
      outOfDomain: datasets.examples('outOfDomain', maxLength),
      groups: datasets.groups('outOfDomain'),
      modelName: summary.name,
      datasetName: datasets.name('train'),
      baseEvaluations: this.#baseEvaluations,
      evaluationKey: [datasets.sha256('heldOut'), datasets.sha256('outOfDomain'), maxLength].join(' '),
      lost: this.#requireEngine().gpu.lost,
    };
  }

  #weightsOf(column: 'base' | RunId) {
    if (column === 'base') return this.#require().lab.model.weights;
    const weights = this.#runs.get(column)?.weights;
    if (!weights) throw new Error('This run has no weights to ask: it was discarded or has failed.');
    return weights;
  }

  #require(): Opened {
    if (!this.#opened) throw new Error('No model is open yet.');
    return this.#opened;
  }

  #requireEngine(): Engine {
    if (!this.#engine) throw new Error('There is no graphics device to work on.');
    return this.#engine;
  }

  #requireActive(): Run {
    if (!this.#active) throw new Error('No run is under way.');
    return this.#active;
  }

  #emit(event: LabEvent): void {
    this.#events?.postMessage(event);
  }
}

function describe({ model }: Lab, bytes: number): ModelSummary {
  const { config, layout } = model;
  return {
    name: MODEL_NAME,
    parameters: layout.count,
    architecture: 'Llama',
    layers: config.numHiddenLayers,
    hiddenSize: config.hiddenSize,
    heads: config.numAttentionHeads,
    keyValueHeads: config.numKeyValueHeads,
    vocabulary: config.vocabSize,
    contextLength: config.maxPositionEmbeddings,
    bytes,
  };
}
