/** @file What a run will need before it starts, and what would make it smaller. */
import type { Precision } from './model.ts';
import type { RunConfig } from './run.ts';

export type MemoryCategory = 'weights' | 'pretrained' | 'adapter' | 'gradients' | 'moments' | 'activations' | 'logits' | 'bases' | 'cache' | 'other';

/** A change that makes a run smaller. */
export interface WayToFit {
  readonly change: 'unfollowed' | 'recompute' | 'micro-batch' | 'fewer-together' | 'lora' | 'half' | 'shorter' | 'smaller-k';
  /** What the button says, such as "Use LoRA, r 16". */
  readonly label: string;
  /** What it costs, such as "steps slower". */
  readonly cost: string;
  readonly saves: number;
  /** Bytes of the run with it. */
  readonly total: number;
  /** The configuration with the change, and the precision to open the model with. */
  readonly config: RunConfig;
  readonly precision: Precision;
}

/** What a trial allocation of a run found. */
export type Fit = { readonly fits: true } | { readonly fits: false; readonly needed: number; readonly stoppedAt: number; readonly message: string; readonly ways: readonly WayToFit[] };

/** Memory by category in bytes, in the order of the bar, and the time a run will take here. */
export interface Estimate {
  readonly bytes: readonly { readonly category: MemoryCategory; readonly bytes: number }[];
  /** Bytes held at most while matrices are decomposed, where that is more than the run itself takes afterwards. */
  readonly decomposing?: number;
  /** Why a run with these settings cannot learn from this data at all; the rest is empty then. */
  readonly obstacle?: string;
  /** Seconds for all steps and evaluations, from a probe on this adapter: three steps, of GRPO a part of one; undefined until probed. */
  readonly seconds?: number;
  /** What following states and predictions takes of `seconds`; absent where nothing is followed. */
  readonly follow?: { readonly measurements: number; readonly seconds?: number };
  readonly tokensPerStep: number;
  readonly epochs: number;
  /** The smallest and largest k that `rankFraction` gives, and the matrices where k = min(m, n), so that RPSFT is L2-SP there. */
  readonly warnings: readonly string[];
  readonly rank: { readonly least: number; readonly most: number; readonly degenerate: readonly string[] };
}
