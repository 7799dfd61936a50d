/** @file The data that runs are made on: what is loaded, or, for a run that was asked for on other data, what is kept of that. */
import type { Lab } from '../engine.ts';
import { Sha256 } from '../formats/sha256.ts';
import { fetchDemo } from './builtIn.ts';
import { Datasets } from './datasets.ts';
import type { KeptFiles } from './keptFiles.ts';
import type { DatasetRole } from './protocol.ts';
import type { UsedData, UsedDatasets } from './records.ts';
import { contentsOf, differentData, ROLES } from './records.ts';
import type { FetchPublic } from './services.ts';

/** What data is read for, and what is loaded. */
interface Ground {
  readonly lab: Lab;
  readonly datasets: Datasets;
}

export class RunData {
  /** What was read last beside what is loaded: runs of a queue share it. */
  #other: Ground | undefined;

  constructor(
    private readonly files: KeptFiles,
    private readonly fetchPublic: FetchPublic,
  ) {}

  /**
   * The datasets that a run is made on.
   * @throws the sentence which of them is neither loaded nor kept
   */
  async of(used: UsedDatasets, { lab, datasets }: Ground, maxLength: number): Promise<Datasets> {
    const different = differentData(used, datasets.used());
    if (different === undefined) return datasets;
    if (this.#other?.lab === lab && differentData(used, this.#other.datasets.used()) === undefined) return this.#other.datasets;
    const other = new Datasets(lab.tokenizer, lab.template);
    for (const role of ROLES) if (!(await this.#read(other, role, used[role], maxLength))) throw new Error(different);
    this.#other = { lab, datasets: other };
    return other;
  }

  /** False where the file of a role is not there any more. */
  async #read(into: Datasets, role: DatasetRole, used: UsedData, maxLength: number): Promise<boolean> {
    const { sha256, mapping, skipRows } = contentsOf(used);
    const file = await this.#file(role, sha256);
    if (!file) return false;
    const result = await into.import(role, new File([file], used.name), 'file', maxLength, { mapping, skipRows });
    return !('problem' in result);
  }

  async #file(role: DatasetRole, sha256: string): Promise<Blob | undefined> {
    const kept = await this.files.data(sha256);
    if (kept) return kept;
    const demo = await fetchDemo(this.fetchPublic, role);
    return new Sha256().update(new Uint8Array(await demo.arrayBuffer())).hex() === sha256 ? demo : undefined;
  }
}
