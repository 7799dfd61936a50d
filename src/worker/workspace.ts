/** @file The open model with all that stands on it: its data, the weights of its ended runs, the playground. */
import type { Engine } from '../engine.ts';
import { ModelCache } from '../storage/modelCache.ts';
import { importDemo } from './builtIn.ts';
import type { KeepData } from './datasets.ts';
import { Datasets } from './datasets.ts';
import { NO_DEVICE } from './device.ts';
import { HeldWeights } from './heldWeights.ts';
import type { BasesLibrary } from './keptBases.ts';
import type { Library } from './library.ts';
import type { Lock } from './lock.ts';
import type { ModelOrigin, OpenModel } from './opening.ts';
import { Opening } from './opening.ts';
import { Playground } from './playground.ts';
import type { LabEvent, Opened, Precision } from './protocol.ts';
import { modelKey } from './records.ts';
import type { SessionServices } from './services.ts';
import { turnWarning } from './turnWarning.ts';

export interface Workspace extends OpenModel {
  /** Tells the model from any other. */
  readonly key: string;
  readonly datasets: Datasets;
  readonly playground: Playground;
  /** Weights of its ended runs. */
  readonly weights: HeldWeights;
  /** What a person should know of conversations and this model; found once. */
  readonly warning: Promise<string | undefined>;
}

/** Whoever works in the workspace. */
export interface WorkspaceUser {
  emit(event: LabEvent): void;
  /** @throws while the open model has to stay */
  mayReplace(): void;
  /** Keeps a file of data between visits; returns why it is not kept. */
  readonly keep: KeepData;
  /** Another model has taken the place of this one, which is to be freed once nothing works on it any more. */
  letGo(before: Workspace): void;
}

/** One workspace at a time; the next takes its place only when it is complete. */
export class Workspaces {
  #opening: Opening | undefined;
  #current: Workspace | undefined;
  #cache: Promise<ModelCache> | undefined;
  /** Tokens that rows are cut to, as was asked last. */
  maxLength = 128;

  constructor(
    private readonly library: Library,
    private readonly bases: BasesLibrary,
    private readonly lock: Lock,
    private readonly services: SessionServices,
    private readonly user: WorkspaceUser,
  ) {}

  /** Models are opened on this device from now on. */
  standOn(engine: Engine): void {
    this.#opening = new Opening(engine, () => this.#modelCache(), (event) => this.user.emit(event), this.services.fetch);
  }

  /** @throws before there is a device */
  get opening(): Opening {
    if (!this.#opening) throw new Error(NO_DEVICE);
    return this.#opening;
  }

  /** Undefined before a model is open. */
  get current(): Workspace | undefined {
    return this.#current;
  }

  /** @throws before a model is open */
  require(): Workspace {
    if (!this.#current) throw new Error('No model is open yet.');
    return this.#current;
  }

  opened(): Opened {
    const { summary, datasets } = this.require();
    return { model: summary, datasets: datasets.summaries() };
  }

  /**
   * Opens a model beside the open one, reads the data as its tokens, and only then lets the old one go.
   * @param fill puts data in where no model was open before; else that is the demo data
   */
  async replace(origin: ModelOrigin, precision: Precision, fill?: (datasets: Datasets, maxLength: number) => Promise<void>): Promise<void> {
    this.user.mayReplace();
    const before = this.#current;
    const opened = await this.opening.open(origin, precision);
    const { lab } = opened;
    try {
      this.maxLength = Math.min(this.maxLength, lab.model.config.maxPositionEmbeddings);
      const datasets = new Datasets(lab.tokenizer, lab.template, this.user.keep);
      if (before) await datasets.adopt(before.datasets, this.maxLength);
      else if (fill) await fill(datasets, this.maxLength);
      else await importDemo(this.services.fetchPublic, datasets, this.maxLength);
      const key = await modelKey(origin.files);
      this.user.mayReplace();
      this.#current = this.#on(opened, key, datasets);
    } catch (error) {
      lab.destroy();
      throw error;
    }
    if (before) this.user.letGo(before);
  }

  /** Opens the model of a workspace whose device was lost on another one. */
  async reopen({ origin, summary, key, datasets }: Workspace): Promise<void> {
    this.#current = this.#on(await this.opening.open(origin, summary.precision), key, datasets);
  }

  #on(opened: OpenModel, key: string, datasets: Datasets): Workspace {
    const { lab, summary } = opened;
    lab.keepBases(this.bases.keeperOf({ name: summary.name, precision: summary.precision, key }));
    const weights = new HeldWeights(
      async (id) => {
        const record = await this.library.record(id);
        if (record?.head.model !== key || !record.weights) throw new Error('This run has no weights to work with: it was discarded, has failed, or is not kept any more.');
        const { weights: file, head } = record;
        return this.lock.run(() => lab.loadWeights(file, `weights of run ${id}`, head.summary.config.lora));
      },
      (set) => this.lock.run(async () => lab.release(set)),
    );
    return { ...opened, key, datasets, weights, playground: new Playground(lab, this.lock), warning: this.lock.run(() => turnWarning(lab)) };
  }
  #modelCache(): Promise<ModelCache> {
    return (this.#cache ??= this.services.openDirectory('models').then((directory) => new ModelCache(directory)));
  }
}
