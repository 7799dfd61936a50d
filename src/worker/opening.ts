/** @file Where models come from: the page itself, dropped files, and a hub with the cache of this browser. */
import { recogniseFiles, type Dropped } from '../formats/drop.ts';
import type { HubPlan, HubProgress, HubSource } from '../formats/hub.ts';
import { downloadHubModel, planHubModel } from '../formats/hub.ts';
import type { Engine, Lab, ModelFiles } from '../engine.ts';
import type { ModelCache } from '../storage/modelCache.ts';
import type { HubInfo, HubRequest, LabEvent, ModelSummary, NamedFile, PhaseId, Precision, StorageReport } from './protocol.ts';

/** A model's files with what the page calls them. */
export interface ModelOrigin {
  readonly source: ModelSummary['source'];
  readonly name: string;
  readonly revision?: string;
  readonly files: ModelFiles;
}

/** A model that is open. */
export interface OpenModel {
  readonly lab: Lab;
  readonly origin: ModelOrigin;
  readonly summary: ModelSummary;
}

type Emit = (event: LabEvent) => void;

/** Bytes between two reports of a download. */
const REPORT_BYTES = 2 ** 20;

/** Opens one model at a time; the last request can be cancelled. */
export class Opening {
  #abort = new AbortController();

  constructor(
    private readonly engine: Engine,
    private readonly cache: () => Promise<ModelCache>,
    private readonly emit: Emit,
    private readonly fetch: typeof globalThis.fetch,
  ) {}

  /** Ends what is being opened; what was downloaded stays in the cache. */
  cancel(): void {
    this.#abort.abort(new Error('Opening was stopped. What was downloaded stays, and the next try goes on from there.'));
  }

  /** @throws with the file that is missing or wrong */
  recognise(files: readonly NamedFile[]): Promise<Dropped> {
    return recogniseFiles(files.map(({ path, file }) => [path, file] as const));
  }

  /** Loads a model onto the device. @throws with the file, field or tensor that is wrong; nothing is left on the device then */
  async open(origin: ModelOrigin, precision: Precision): Promise<OpenModel> {
    const signal = this.#begin();
    const lab = await this.engine.open(origin.files, {
      precision,
      onProgress: (done, total) => {
        signal.throwIfAborted();
        this.#phase('weights', done, total, 'tensors');
      },
    });
    return { lab, origin, summary: describe(lab, origin) };
  }

  /** What a download would mean. */
  async look(request: HubRequest): Promise<HubInfo> {
    const source = await this.#source(request, this.#begin());
    const plan = await planHubModel(source);
    return { ...(await infoOf(plan, source.cache)), storage: await report(source.cache) };
  }

  /** Downloads what is missing, or reads the cache. */
  async fetchModel(request: HubRequest): Promise<ModelOrigin> {
    const source = await this.#source(request, this.#begin());
    const plan = await planHubModel(source);
    let reported = -REPORT_BYTES;
    let phase: PhaseId | undefined;
    const files = await downloadHubModel(source, plan, (progress) => {
      const now = PHASES[progress.phase];
      if (now === phase && progress.bytes - reported < REPORT_BYTES && progress.bytes < progress.total) return;
      phase = now;
      reported = progress.bytes;
      this.#phase(now, progress.bytes, progress.total, 'bytes');
    });
    return { source: 'hub', name: request.repo, revision: plan.commit, files };
  }

  /** A model that lies whole in the cache, without asking the hub; undefined where it does not. */
  async cached(repo: string, commit: string): Promise<ModelOrigin | undefined> {
    const known = await (await this.cache()).find(repo, commit);
    return known?.complete === true ? this.fetchModel({ repo, revision: known.commit }) : undefined;
  }

  async storage(): Promise<StorageReport> {
    return report(await this.cache());
  }

  /** @param key as `storage` lists it, or `all` */
  async remove(key: string): Promise<StorageReport> {
    const cache = await this.cache();
    if (key === 'all') await cache.deleteAll();
    else {
      const model = (await cache.list()).find((candidate) => keyOf(candidate) === key);
      if (model) await cache.delete(model);
    }
    return report(cache);
  }

  /** One thing at a time: whoever asks for another model no longer wants the one before. */
  #begin(): AbortSignal {
    this.cancel();
    this.#abort = new AbortController();
    return this.#abort.signal;
  }

  async #source({ host, repo, revision }: HubRequest, signal: AbortSignal): Promise<HubSource> {
    return { ...(host === undefined ? {} : { host }), repo, revision, fetch: this.fetch, cache: await this.cache(), signal };
  }

  #phase(phase: PhaseId, done: number, total: number, unit: 'bytes' | 'tensors'): void {
    this.emit({ type: 'phase', phase, done, total, unit });
  }
}

const PHASES: Readonly<Record<HubProgress['phase'], PhaseId>> = { waiting: 'download', downloading: 'download', 'reading cache': 'read-cache', verifying: 'verify' };

async function infoOf({ repo, commit, files, bytes, missingBytes }: HubPlan, cache: ModelCache): Promise<Omit<HubInfo, 'storage'>> {
  const listed = await Promise.all(
    files.map(async (file) => ({ path: file.path, bytes: file.bytes, cachedBytes: Math.min(file.bytes, (await cache.file(file))?.size ?? (await cache.part(file))?.size ?? 0) })),
  );
  return { repo, commit, files: listed, bytes, cachedBytes: bytes - missingBytes };
}

const keyOf = ({ repo, commit }: { readonly repo: string; readonly commit: string }): string => `${repo}@${commit}`;

async function report(cache: ModelCache): Promise<StorageReport> {
  const { usage, quota } = await cache.space();
  const models = (await cache.list()).map((model) => ({
    key: keyOf(model),
    repo: model.repo,
    commit: model.commit,
    bytes: model.storedBytes,
    complete: model.complete,
    lastUsed: new Date(model.lastUse).toISOString(),
  }));
  return { models, usage, quota };
}

function describe(lab: Lab, { source, name, revision, files }: ModelOrigin): ModelSummary {
  const { model, template } = lab;
  const { config, layout, architecture, unusedTensors } = model;
  const linears = new Map<string, { count: number; weights: number }>();
  for (const { module, rows, columns } of architecture.linears) {
    const short = module.slice(module.lastIndexOf('.') + 1);
    const { count, weights } = linears.get(short) ?? { count: 0, weights: 0 };
    linears.set(short, { count: count + 1, weights: weights + rows * columns });
  }
  const dtypes = new Set([...lab.folder.weights.tensors.values()].map(({ dtype }) => dtype));
  return {
    source,
    name,
    ...(revision === undefined ? {} : { revision }),
    parameters: layout.count,
    architecture: architecture.name,
    layers: config.numHiddenLayers,
    hiddenSize: config.hiddenSize,
    heads: config.numAttentionHeads,
    keyValueHeads: config.numKeyValueHeads,
    vocabulary: config.vocabSize,
    contextLength: config.maxPositionEmbeddings,
    bytes: [...files.values()].reduce((sum, { size }) => sum + size, 0),
    precision: model.precision,
    storedAs: [...dtypes].join(', '),
    template: template ? 'own' : 'plain',
    linears: [...linears].map(([short, counts]) => ({ name: short, ...counts, byDefault: architecture.defaultTargets.includes(short) })),
    warnings: unusedTensors.length > 0 ? [`${unusedTensors.length} tensors of the files belong to no part of this architecture and were left out: ${unusedTensors.slice(0, 3).join(', ')}${unusedTensors.length > 3 ? ', …' : ''}.`] : [],
  };
}
