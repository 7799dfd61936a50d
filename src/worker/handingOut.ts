/** @file Where files go that a person takes home: a folder of theirs, or a zip on disk, or one in memory where the browser stores nothing. */
import type { DecodeProgress, Engine, ModelFiles } from '../engine.ts';
import { inMemory } from '../formats/folder.ts';
import { zipFiles } from '../formats/zip.ts';
import { folderWriter } from '../storage/chosenFolder.ts';
import type { Directory } from '../storage/directory.ts';
import { Scratch } from '../storage/scratch.ts';
import type { ExportedRun } from './exporting.ts';
import { exportName, exportRun, piecesOf } from './exporting.ts';
import type { Lock } from './lock.ts';
import type { ModelOrigin } from './opening.ts';
import type { ExportOptions, ExportResult, StoredRun } from './protocol.ts';

/** A run as it is exported, and where it was made. */
export type HandedRun = ExportedRun & Pick<StoredRun, 'environment'>;

export class HandingOut {
  #exporting = new AbortController();
  #scratch: Promise<Scratch> | undefined;

  constructor(
    private readonly openDirectory: () => Promise<Directory>,
    private readonly lock: Lock,
    private readonly engine: () => Engine,
    private readonly onProgress: (done: number, total: number) => void,
    private readonly onVerifying: (progress: DecodeProgress) => void,
  ) {}

  /**
   * Writes a run and verifies what was written.
   * @param withRun holds the run with its weights while it is written
   * @throws as `exportRun`
   */
  async run(withRun: (work: (run: HandedRun) => Promise<ExportResult>) => Promise<ExportResult>, origin: ModelOrigin, options: ExportOptions, folder?: FileSystemDirectoryHandle): Promise<ExportResult> {
    this.#exporting = new AbortController();
    const { signal } = this.#exporting;
    return withRun(async (run) => {
      const { adapter, dataHashes } = run.environment;
      const facts = { adapter, dataHashes, base: { name: origin.name, revision: origin.revision }, chat: run.material.lab.template !== undefined };
      const writeFile = folder ? await folderWriter(folder, exportName(run, options)) : await this.#scratchWriter();
      return this.lock.run(() => exportRun(this.engine(), run, options, facts, { writeFile, zip: !folder, onProgress: this.onProgress, onVerifying: this.onVerifying, signal }));
    });
  }

  cancel(): void {
    this.#exporting.abort(new Error('The export was stopped.'));
  }

  /** Files as one zip. @param name of it, and of the folder in it */
  async zip(files: ModelFiles, name: string): Promise<File> {
    const writeFile = await this.#scratchWriter();
    return new File([await writeFile(`${name}.zip`, piecesOf(zipFiles(files, name)))], `${name}.zip`, { type: 'application/zip' });
  }

  async #scratchWriter(): Promise<Scratch['writeFile']> {
    this.#scratch ??= this.openDirectory().then((directory) => Scratch.open(directory, crypto.randomUUID()));
    const scratch = await this.#scratch.catch(() => undefined);
    await scratch?.clear();
    return scratch?.writeFile ?? inMemory;
  }
}
