/**
 * @file The singular bases of a lab's pretrained matrices: the last ones are kept, since runs, drift and diagnostics ask for the same.
 */
import type { Context } from '../gpu/context.ts';
import { targetLinears } from '../models/adapter.ts';
import type { Model } from '../models/model.ts';
import type { Decomposition } from '../spectral/decompose.ts';
import { decomposeAll, destroyBases } from '../spectral/decompose.ts';
import type { Measuring } from '../spectral/measuring.ts';
import type { Progress } from '../spectral/workspace.ts';

/** Bases with those who work in them now. */
interface HeldBases {
  readonly key: string;
  readonly value: Decomposition;
  users: number;
}

/** Which matrices: the linear layers of these names, or all when left out. */
type Targets = readonly string[] | undefined;

/** The names of the matrices that a choice of layers stands for; undefined for all. */
export const matricesOf = ({ architecture }: Model, targets: Targets): ReadonlySet<string> | undefined => targets && new Set(targetLinears(architecture.linears, targets).map(({ module }) => `${module}.weight`));

/** Decomposes when asked to, keeps the last result, and frees what nobody works in. */
export class KeptBases {
  #last: HeldBases | undefined;

  constructor(
    private readonly context: Context,
    private readonly model: Model,
  ) {}

  /** Whether some are on the device now. */
  get some(): boolean {
    return this.#last !== undefined;
  }

  async decompose(rankFraction: number, onProgress?: Progress, targets?: Targets): Promise<Decomposition> {
    const { names, key } = this.#asked(rankFraction, targets);
    if (this.#last?.key === key) return this.#last.value;
    this.forget();
    const value = await decomposeAll(this.context, this.model.weights, { rankFraction, names }, onProgress);
    this.#last = { key, value, users: 0 };
    return value;
  }

  /** As `Lab.withBases`. */
  async within<T>(rankFraction: number, targets: Targets, work: (decomposition: Decomposition) => Promise<T>, { turn = (now) => now(), onProgress }: Measuring = {}): Promise<T> {
    const { names, key } = this.#asked(rankFraction, targets);
    const held = await turn(async (): Promise<HeldBases> => {
      const same = this.#last?.key === key ? this.#last : undefined;
      const bases = same ?? { key, value: await decomposeAll(this.context, this.model.weights, { rankFraction, names }, onProgress), users: 0 };
      bases.users += 1;
      return bases;
    });
    try {
      return await work(held.value);
    } finally {
      held.users -= 1;
      if (held !== this.#last) this.#free(held);
    }
  }

  /** Lets go of those that are kept; who works in them now keeps them to the end. */
  forget(): void {
    if (this.#last) this.#free(this.#last);
    this.#last = undefined;
  }

  #asked(rankFraction: number, targets: Targets): { readonly names: ReadonlySet<string> | undefined; readonly key: string } {
    const names = matricesOf(this.model, targets);
    return { names, key: [rankFraction, ...(names ?? ['all'])].join(' ') };
  }

  /** The last who works in them frees them. */
  #free({ value, users }: HeldBases): void {
    if (users === 0) destroyBases(this.context, value.bases);
  }
}
