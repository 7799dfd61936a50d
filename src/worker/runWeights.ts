/** @file The weights of runs for as long as some work takes: those of ended runs, of the one under way, or of that one standing still. */
import type { Decomposition, WeightSet } from '../engine.ts';
import type { ActiveRun } from './activeRun.ts';
import type { KeptRuns } from './keptRuns.ts';
import type { Lock } from './lock.ts';
import type { RunConfig, RunId, RunSummary } from './protocol.ts';
import type { Run } from './runs.ts';
import type { Workspaces } from './workspace.ts';

export class RunWeights {
  constructor(
    private readonly workspaces: Workspaces,
    private readonly kept: KeptRuns,
    private readonly active: ActiveRun,
    private readonly lock: Lock,
  ) {}

  /** From now on the weights of an ended run are among those that make room for others, where the disk has them too. */
  hold(run: Run, onDisk = run.keeper?.keeps ?? false): void {
    this.workspaces.require().weights.put(run.id, run.weights!, onDisk);
    run.weights = undefined;
  }

  /** Runs `work` on weights that stay on the device until it has ended. */
  use<T>(columns: readonly ('base' | RunId)[], work: (weights: readonly WeightSet[]) => Promise<T>): Promise<T> {
    const { lab, weights } = this.workspaces.require();
    const own = columns.map((column) => (column === 'base' ? lab.model.weights : this.active.of(column)?.weights));
    return weights.use(columns.filter((_, i) => !own[i]), (held) => {
      const rest = [...held];
      return work(own.map((set) => set ?? rest.shift()!));
    });
  }

  /** Runs `work` on the weights of a run as they are now; those of a run that is under way are copied, so that they stand still. */
  async useStill<T>(id: RunId, work: (weights: WeightSet, summary: RunSummary) => Promise<T>): Promise<T> {
    const { lab } = this.workspaces.require();
    const active = this.active.of(id);
    if (!active) {
      const summary = await this.kept.summary(id);
      return this.use([id], ([weights]) => work(weights!, summary));
    }
    const still = await this.lock.run(async () => {
      if (!active.weights) throw new Error('This run has no weights of its own yet. Wait for its first step.');
      return { weights: await lab.keep(active.weights), summary: active.summary };
    });
    try {
      return await work(still.weights, still.summary);
    } finally {
      await this.lock.run(async () => lab.release(still.weights));
    }
  }

  /** Runs `work` in the bases of a run's k, which stay for the next time unless a run is under way that may need its own. */
  async useBases<T>({ rankFraction, lora }: RunConfig, work: (bases: Decomposition) => Promise<T>, onProgress?: (done: number, total: number) => void): Promise<T> {
    const { lab } = this.workspaces.require();
    await this.lock.run(async () => {
      if (!this.active.run) await lab.decompose(rankFraction, onProgress, lora?.targets);
    });
    return lab.withBases(rankFraction, lora?.targets, work, { turn: (slice) => this.lock.run(slice), onProgress });
  }
}
