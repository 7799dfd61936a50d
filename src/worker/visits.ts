/** @file From one visit to the next: notes what is open, and opens it again. What cannot be opened again is named, and the built-in model or the demo data take its place. */
import { builtInOrigin, fetchDemo, importDemo } from './builtIn.ts';
import type { Datasets } from './datasets.ts';
import type { KeptFiles, ModelSource, Selection } from './keptFiles.ts';
import type { ModelOrigin } from './opening.ts';
import type { DatasetRole, LabEvent, Opened, Precision } from './protocol.ts';
import type { UsedData } from './records.ts';
import { contentsOf, ROLES } from './records.ts';
import type { FetchPublic } from './services.ts';
import type { Workspaces } from './workspace.ts';

/** Visits that may try in vain: a model that is too large for the tab must not close it for ever. */
const TRIES = 2;

export class Visits {
  constructor(
    private readonly files: KeptFiles,
    private readonly workspaces: Workspaces,
    private readonly fetchPublic: FetchPublic,
    private readonly emit: (event: LabEvent) => void,
  ) {}

  /** Notes what is open now. */
  async note(): Promise<void> {
    const { origin, summary, key, datasets } = this.workspaces.require();
    const used = datasets.used();
    const origins = new Map(datasets.summaries().map((each) => [each.role, each.origin]));
    const data = Object.fromEntries(ROLES.map((role) => [role, { ...used[role], origin: origins.get(role)! }])) as Selection['data'];
    await this.files.select({ model: sourceOf(origin, key), precision: summary.precision, data, maxLength: this.workspaces.maxLength });
  }

  /** Opens what was open when the page was left, or the built-in model with the demo data. */
  async reopen(): Promise<NonNullable<Opened['notice']>> {
    const { selection, tries } = await this.files.selection();
    if (!selection) {
      await this.#openBuiltIn();
      return {};
    }
    await this.files.beginTry();
    this.workspaces.maxLength = selection.maxLength;
    const missing: string[] = [];
    const fill = (datasets: Datasets, maxLength: number): Promise<void> => this.#fill(datasets, selection.data, maxLength, missing);
    const model = tries >= TRIES ? `The page was left ${tries} times while ${nameOf(selection.model)} was being opened again, so it was not tried once more.` : await this.#open(selection, fill);
    if (model !== undefined) await this.#openBuiltIn(fill);
    return { ...(model === undefined ? {} : { model }), ...(missing.length === 0 ? {} : { data: sentenceOn(missing) }) };
  }

  /** Returns why the model could not be opened. */
  async #open({ model, precision }: Selection, fill: Fill): Promise<string | undefined> {
    if (model.source === 'built-in') {
      await this.#openBuiltIn(fill, precision);
      return undefined;
    }
    try {
      const origin = await this.#origin(model);
      if (origin) {
        await this.workspaces.replace(origin, precision, fill);
        return undefined;
      }
    } catch (error) {
      return `${model.name} was open when the page was left, and could not be opened again. ${error instanceof Error ? error.message : String(error)}`;
    }
    const how = model.source === 'hub' ? 'is not in the cache of downloads any more: open it from the Hub again' : 'is not kept in this browser: drop it again';
    return `${model.name} was open when the page was left, and ${how}. Its runs and its queue are kept.`;
  }

  async #origin(model: Exclude<ModelSource, { source: 'built-in' }>): Promise<ModelOrigin | undefined> {
    if (model.source === 'hub') return this.workspaces.opening.cached(model.name, model.revision);
    const files = await this.files.model(model.key);
    return files && { source: 'files', name: model.name, files };
  }

  async #openBuiltIn(fill?: Fill, precision: Precision = 'f32'): Promise<void> {
    await this.workspaces.replace(await builtInOrigin(this.fetchPublic, this.emit), precision, fill);
  }

  /** Reads the data that was loaded; what is not there any more becomes the demo data of its role, and its name is added to `missing`. */
  async #fill(datasets: Datasets, data: Selection['data'], maxLength: number, missing: string[]): Promise<void> {
    missing.length = 0;
    for (const role of ROLES) {
      const { origin, ...used } = data[role];
      if (await this.#isRead(datasets, role, used, origin, maxLength)) continue;
      if (origin === 'file') missing.push(used.name);
      await importDemo(this.fetchPublic, datasets, maxLength, [role]);
    }
  }

  async #isRead(datasets: Datasets, role: DatasetRole, used: UsedData, origin: 'demo' | 'file', maxLength: number): Promise<boolean> {
    const { sha256, mapping, skipRows } = contentsOf(used);
    const file = origin === 'demo' ? await fetchDemo(this.fetchPublic, role) : await this.files.data(sha256);
    if (!file) return false;
    const onProgress = (done: number, total: number, unit: 'bytes' | 'rows'): void => this.emit({ type: 'phase', phase: 'import', done, total, unit });
    return !('problem' in (await datasets.import(role, new File([file], used.name), origin, maxLength, { mapping, skipRows, onProgress })));
  }
}

/** Puts data into new datasets, with rows of at most `maxLength` tokens. */
type Fill = (datasets: Datasets, maxLength: number) => Promise<void>;

const nameOf = (model: ModelSource): string => (model.source === 'built-in' ? 'the built-in model' : model.name);

/** The address of a hub is not noted: what is opened again comes from the cache. */
function sourceOf({ source, name, revision }: ModelOrigin, key: string): ModelSource {
  if (source === 'built-in') return { source };
  return source === 'files' ? { source, key, name } : { source, name, revision: revision! };
}

function sentenceOn(names: readonly string[]): string {
  const [is, it] = names.length === 1 ? ['was loaded when the page was left, and is', 'it'] : ['were loaded when the page was left, and are', 'them'];
  return `${new Intl.ListFormat('en-GB').format(names)} ${is} not kept in this browser: drop ${it} again. The demo data is in ${names.length === 1 ? 'its' : 'their'} place.`;
}
