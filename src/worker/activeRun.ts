/** @file The one run that is under way: begun or taken up where it was interrupted, kept on disk, and ended. */
import { RunKeeper } from './keeper.ts';
import type { Library } from './library.ts';
import type { Lock } from './lock.ts';
import type { LabEvent, RunConfig, RunId } from './protocol.ts';
import type { RunRecord, UsedDatasets } from './records.ts';
import { differentData, rewound } from './records.ts';
import type { RunMaterial } from './runMaterial.ts';
import { Run } from './runs.ts';

/** What a run is begun with. */
export interface RunGround {
  /** Waits for a device that was lost. */
  ready(): Promise<void>;
  /** @param data what it is to be made on; what is loaded where it is left out. @throws where that is neither loaded nor kept */
  material(config: RunConfig, data?: UsedDatasets): Promise<RunMaterial>;
  emit(event: LabEvent): void;
  /** It is there from now on. */
  begun(run: Run): void;
  /** It is not under way any more. */
  ended(run: Run): void;
}

export class ActiveRun {
  #run: Run | undefined;
  /** Resolves when the latest run has ended. */
  #ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly library: Library,
    private readonly lock: Lock,
    private readonly ground: RunGround,
  ) {}

  /** Undefined while none is under way. */
  get run(): Run | undefined {
    return this.#run;
  }

  /** Resolves when no run is under way. */
  idle(): Promise<void> {
    return this.#ended;
  }

  /** The run, where it is that one. */
  of(id: RunId): Run | undefined {
    return this.#run?.id === id ? this.#run : undefined;
  }

  /** @throws while none is under way */
  require(): Run {
    if (!this.#run) throw new Error('No run is under way.');
    return this.#run;
  }

  /** @throws while one is under way */
  requireNone(): void {
    if (this.#run) throw new Error('A run is under way. Stop it first.');
  }

  /** Starts a run, or takes it up where it was interrupted. @throws what differs from what it was begun on; nothing has begun then */
  async begin(id: RunId, config: RunConfig, record?: RunRecord, data: UsedDatasets | undefined = record?.head.data): Promise<Run> {
    const { ground, lock } = this;
    await ground.ready();
    this.requireNone();
    const material = await ground.material(config, data);
    this.requireNone();
    if (record) checkSame(record, material);
    const run = new Run(id, config, material, lock, (event) => ground.emit(event));
    const { checkpoint, stored, head } = record ?? {};
    if (checkpoint) run.takeUp({ ...checkpoint, startedAt: head!.summary.startedAt, seconds: stored!.summary.seconds ?? 0, events: rewound(stored!.events, checkpoint.step) });
    ground.begun(run);
    this.#run = run;
    this.#ended = this.#keep(run, checkpoint?.step)
      .then(() => run.run())
      .then(() => {
        this.#run = undefined;
        ground.ended(run);
      });
    return run;
  }

  /** Has the run kept on disk, or tells why it is not. */
  async #keep(run: Run, checkpoint: number | undefined): Promise<void> {
    const { id, material, summary } = run;
    const tell = (message: string): void => this.ground.emit({ type: 'state', run: id, state: run.state, message });
    try {
      const store = await this.library.store();
      run.keeper = await (checkpoint === undefined ? RunKeeper.begin(store, id, { format: 1, ...material.origin, summary }, tell) : RunKeeper.resume(store, id, checkpoint, tell));
    } catch (error) {
      tell(`This run is not kept on disk. ${sentenceOf(error)}`);
    }
  }
}

export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @throws what differs from what a run was begun on, so that it would not go on as it was */
function checkSame({ head }: RunRecord, { origin, modelName }: RunMaterial): void {
  if (head.model !== origin.model) throw new Error(`This run was begun on ${head.summary.model}, another model than ${modelName} as it is open now. Open that one, then resume.`);
  if (head.precision !== origin.precision) throw new Error(`This run was begun on the model in ${head.precision}; it is open in ${origin.precision} now. Open it in ${head.precision}, then resume.`);
  const different = differentData(head.data, origin.data);
  if (different !== undefined) throw new Error(different);
}
