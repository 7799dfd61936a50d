/** @file The runs of the open model, wherever they are: on disk, or, where the disk does not have them, with the page alone. */
import type { WeightSet } from '../engine.ts';
import type { BundledRun } from './bundle.ts';
import { bundleFiles, readBundle } from './bundle.ts';
import type { ExportedRun } from './exporting.ts';
import type { Library } from './library.ts';
import type { ProbeReport, RunId, RunNotes, RunSummary, StoredRun } from './protocol.ts';
import { NO_NOTES, reportEvent } from './records.ts';
import type { Run } from './runs.ts';

export class KeptRuns {
  readonly #notes = new Map<RunId, RunNotes>();

  /** @param made runs that were made or opened since the page was */
  constructor(
    private readonly library: Library,
    private readonly made: Map<RunId, Run>,
  ) {}

  /** Runs of a model, the newest first. */
  async list(model: string): Promise<StoredRun[]> {
    const records = (await this.library.records(model)).filter(({ removed }) => !removed);
    const onDisk = new Set(records.map(({ stored }) => stored.summary.id));
    const others = [...this.made.values()].filter(({ id }) => !onDisk.has(id)).toReversed();
    return [...others.map((run) => this.#ofPage(run)), ...records.map(({ stored }) => this.#asItIsNow(stored))];
  }

  /** @throws when the run is not there any more */
  async summary(id: RunId): Promise<RunSummary> {
    const summary = this.made.get(id)?.summary ?? (await this.library.record(id))?.stored.summary;
    if (!summary) throw new Error(GONE);
    return summary;
  }

  /** @throws when the run is not there any more, or the disk is full */
  async annotate(id: RunId, notes: RunNotes): Promise<void> {
    if (await this.library.record(id)) await this.library.annotate(id, notes);
    else if (this.made.has(id)) this.#notes.set(id, notes);
    else throw new Error(GONE);
  }

  /** Keeps what was measured on a run with its log. @throws when the disk is full; the page alone has it then */
  async report(id: RunId, report: ProbeReport): Promise<void> {
    const event = reportEvent(id, report);
    this.made.get(id)?.events.push(event);
    if (await this.library.record(id)) await this.library.log(id, event);
  }

  /** Hides a run; one that the disk does not have is gone. */
  async hide(id: RunId): Promise<void> {
    if (await this.library.record(id)) await this.library.hide(id);
    this.made.delete(id);
  }

  /** Keeps a run that was opened from files. Returns why it is not kept, as a sentence. */
  async keepOpened({ summary, events, material: { origin } }: Run, weights: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<string | undefined> {
    try {
      await this.library.keep({ format: 1, ...origin, summary }, events, weights);
      return undefined;
    } catch (error) {
      return `This run is not kept on disk: it is gone when the page is left. ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Forgets what only the page has. */
  clear(): void {
    this.made.clear();
    this.#notes.clear();
  }

  /** A run as an export needs it, whatever it was made on put aside, and where it was made. */
  async exported(id: RunId, weights: WeightSet | undefined, { lab, train }: { readonly lab: ExportedRun['material']['lab']; readonly train: (maxLength: number) => Promise<ExportedRun['material']['train']> }): Promise<ExportedRun & Pick<StoredRun, 'environment'>> {
    const { summary, events, environment } = await this.#stored(id);
    const { config, startedAt, completedSteps, dataset } = summary;
    const own = this.made.get(id)?.material.train;
    return { config, startedAt, completedSteps, summary, events: [...events], weights, environment, material: { lab, train: own ?? (await train(config.maxLength)), datasetName: dataset } };
  }

  /** @param read weights of a run that are on the device only; left out where no weights are to be in the bundle */
  async bundle(ids: readonly RunId[], read?: (id: RunId) => Promise<Blob>): Promise<ReturnType<typeof bundleFiles>> {
    const runs: BundledRun[] = [];
    for (const id of ids) {
      const record = await this.library.record(id);
      const stored = await this.#stored(id);
      const run = this.made.get(id);
      const weights = read && stored.hasWeights ? (record?.weights ?? (await read(id))) : undefined;
      runs.push({ head: record?.head ?? { format: 1, ...run!.material.origin, summary: stored.summary }, stored, weights });
    }
    return bundleFiles(runs);
  }

  /** @param modelName of the open model, whose key is `model` */
  async unbundle(file: File, model: string, modelName: string): Promise<StoredRun[]> {
    const runs = await readBundle(file, file.name);
    const other = runs.find(({ head }) => head.model !== model);
    if (other) throw new Error(`${file.name} holds runs of ${other.head.summary.model}, and not of ${modelName} as it is open now. Open that model, then import them again. Nothing was imported.`);
    const ids = await this.library.add(runs);
    const records = await Promise.all(ids.map((id) => this.library.record(id)));
    return records.map((record) => record!.stored);
  }

  async #stored(id: RunId): Promise<StoredRun> {
    const record = await this.library.record(id);
    const run = this.made.get(id);
    if (record) return this.#asItIsNow(record.stored);
    if (run) return this.#ofPage(run);
    throw new Error(GONE);
  }

  #ofPage(run: Run): StoredRun {
    const { summary, events, material, id, hasEnded } = run;
    return { summary, events: [...events], notes: this.#notes.get(id) ?? NO_NOTES, environment: material.origin.environment, bytes: 0, hasWeights: hasEnded };
  }

  /** The journal of a run that was made here is as far as the disk is, which may be behind. */
  #asItIsNow(stored: StoredRun): StoredRun {
    const run = this.made.get(stored.summary.id);
    if (!run || run.state === 'failed') return stored;
    const { resumableFrom, ...rest } = stored;
    return { ...rest, ...(run.state !== 'stopped' || resumableFrom === undefined ? {} : { resumableFrom }), summary: run.summary, events: [...run.events], hasWeights: run.hasEnded };
  }
}

const GONE = 'This run is not kept any more.';
