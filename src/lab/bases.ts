/**
 * @file The singular bases of a lab's pretrained matrices: the last ones stay on the device, since runs, drift and diagnostics ask for the same, and where
 * somebody keeps them between visits they are read before anything is decomposed.
 */
import type { Context } from '../gpu/context.ts';
import { targetLinears } from '../models/adapter.ts';
import type { Model } from '../models/model.ts';
import type { BasesFacts } from '../spectral/basesFile.ts';
import { basesBytes, readBases, streamBases, UnfitBasesError } from '../spectral/basesFile.ts';
import type { Decomposition } from '../spectral/decompose.ts';
import { decomposeAll, destroyBases, ROUTE } from '../spectral/decompose.ts';
import type { Measuring } from '../spectral/measuring.ts';
import { faultOfBases } from '../spectral/probeBases.ts';

/** Reports how many of `total` matrices are done. @param reading they are read from where they are kept, not decomposed */
export type BasesProgress = (done: number, total: number, reading?: boolean) => void;

/** Where bases come from. */
export interface BasesOrigin {
  /** They were decomposed, were read from where they are kept, or are on the device since before. */
  readonly from: 'decomposed' | 'kept' | 'device';
  /** That took. */
  readonly seconds: number;
  /** What should be known of bases that are not used, or not kept, as sentences. */
  readonly notes: readonly string[];
}

export interface LabDecomposition extends Decomposition {
  readonly origin: BasesOrigin;
}

/** Which matrices, and of what they are bases. */
export interface AskedBases extends BasesFacts {
  /** Names of the matrices; all when left out. */
  readonly names?: ReadonlySet<string> | undefined;
}

/** A file of bases that is kept. */
export interface KeptBasesFile {
  readonly file: Blob;
  /** Of the file as it was written. */
  readonly sha256: string;
  /** It is of no use: to be deleted. */
  readonly refuse: () => Promise<void>;
}

/** Keeps bases between visits. They can be made again: what goes wrong here stops nobody. */
export interface BasesKeeper {
  /** Tells the weights, as they are kept on the device, from any others. */
  readonly model: string;
  /** Bases that serve, which may be of more matrices; undefined where there are none. */
  find(asked: AskedBases): Promise<KeptBasesFile | undefined>;
  /** Writes a file of about so many bytes, or nothing of it. @throws what reading `pieces` throws */
  keep(asked: AskedBases, bytes: number, pieces: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<unknown>;
}

/** Bases with those who work in them now. */
interface HeldBases {
  readonly key: string;
  readonly value: LabDecomposition;
  users: number;
}

/** Which matrices: the linear layers of these names, or all when left out. */
type Targets = readonly string[] | undefined;

/** Of the random numbers of a decomposition. */
const SEED = 0;

/** The names of the matrices that a choice of layers stands for; undefined for all. */
export const matricesOf = ({ architecture }: Model, targets: Targets): ReadonlySet<string> | undefined => targets && new Set(targetLinears(architecture.linears, targets).map(({ module }) => `${module}.weight`));

/** Decomposes when asked to, keeps the last result, and frees what nobody works in. */
export class LabBases {
  /** Keeps them between visits, where there is one. */
  keeper: BasesKeeper | undefined;
  #last: HeldBases | undefined;
  #writing = new AbortController();

  constructor(
    private readonly context: Context,
    private readonly model: Model,
  ) {}

  /** Whether some are on the device now. */
  get some(): boolean {
    return this.#last !== undefined;
  }

  async decompose(rankFraction: number, onProgress?: BasesProgress, targets?: Targets): Promise<LabDecomposition> {
    const { asked, key } = this.#asked(rankFraction, targets);
    if (this.#last?.key === key) return { ...this.#last.value, origin: { from: 'device', seconds: 0, notes: [] } };
    this.forget();
    const held = (this.#last = await this.#make(asked, key, onProgress));
    this.#leave(held);
    return held.value;
  }

  /** As `Lab.withBases`. */
  async within<T>(rankFraction: number, targets: Targets, work: (decomposition: Decomposition) => Promise<T>, { turn = (now) => now(), onProgress }: Measuring = {}): Promise<T> {
    const { asked, key } = this.#asked(rankFraction, targets);
    const held = await turn(async (): Promise<HeldBases> => {
      const same = this.#last?.key === key ? this.#last : undefined;
      if (!same) return this.#make(asked, key, onProgress);
      same.users += 1;
      return same;
    });
    try {
      return await work(held.value);
    } finally {
      this.#leave(held);
    }
  }

  /** Lets go of those that are kept; who works in them now keeps them to the end. */
  forget(): void {
    this.#writing.abort(new Error('The bases are not needed any more.'));
    if (this.#last) this.#free(this.#last);
    this.#last = undefined;
  }

  #asked(rankFraction: number, targets: Targets): { readonly asked: AskedBases; readonly key: string } {
    const names = matricesOf(this.model, targets);
    return { asked: { model: this.keeper?.model ?? '', rankFraction, route: ROUTE, seed: SEED, names }, key: [rankFraction, ...(names ?? ['all'])].join(' ') };
  }

  /** Reads bases or decomposes, and has what was decomposed written meanwhile. Whoever asked is their first user. */
  async #make(asked: AskedBases, key: string, onProgress: BasesProgress = () => undefined): Promise<HeldBases> {
    const { context, model, keeper } = this;
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    const kept = keeper && (await this.#read(keeper, asked, onProgress));
    if (typeof kept === 'object') return { key, value: { ...kept, origin: { from: 'kept', seconds: seconds(), notes: [] } }, users: 1 };
    const value = await decomposeAll(context, model.weights, { rankFraction: asked.rankFraction, names: asked.names, seed: asked.seed }, onProgress);
    const notes = kept === undefined ? [] : [kept];
    // What would be refused when it is read is not written.
    const fault = keeper && (await this.#faultOf(value));
    if (fault !== undefined) notes.push(`These bases are not kept in this browser: ${fault}.`);
    const held: HeldBases = { key, value: { ...value, origin: { from: 'decomposed', seconds: seconds(), notes } }, users: 1 };
    if (keeper && fault === undefined) void this.#write(keeper, asked, held);
    return held;
  }

  async #faultOf({ bases }: Decomposition): Promise<string | undefined> {
    try {
      return await faultOfBases(this.context, this.model.weights, bases);
    } catch (error) {
      destroyBases(this.context, bases);
      throw error;
    }
  }

  /** Returns why bases that are kept are not used, as a sentence; undefined where none are. */
  async #read(keeper: BasesKeeper, asked: AskedBases, onProgress: BasesProgress): Promise<Decomposition | string | undefined> {
    const kept = await keeper.find(asked);
    if (!kept) return undefined;
    try {
      return await readBases(this.context, this.model.weights, kept.file, { facts: asked, sha256: kept.sha256, names: asked.names }, (done, total) => onProgress(done, total, true));
    } catch (error) {
      if (!(error instanceof UnfitBasesError)) throw error;
      await kept.refuse();
      return `The bases kept in this browser were deleted and not used: ${error.message}. The matrices were decomposed anew.`;
    }
  }

  /** Bases stay on the device while they are written, whoever lets go of them; where that is cut short or fails nothing is kept. */
  async #write(keeper: BasesKeeper, asked: AskedBases, held: HeldBases): Promise<void> {
    this.#writing.abort();
    const { signal } = (this.#writing = new AbortController());
    held.users += 1;
    const { bases } = held.value;
    await keeper.keep(asked, basesBytes(bases), streamBases(this.context, bases, asked, signal)).catch(() => undefined);
    this.#leave(held);
  }

  #leave(held: HeldBases): void {
    held.users -= 1;
    if (held !== this.#last) this.#free(held);
  }

  /** The last who works in them frees them. */
  #free({ value, users }: HeldBases): void {
    if (users === 0) destroyBases(this.context, value.bases);
  }
}
