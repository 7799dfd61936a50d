/** @file What a run will need before it starts, and what would make it smaller. */
import type { Precision } from './model.ts';
import type { RunConfig } from './run.ts';

export type MemoryCategory = 'weights' | 'pretrained' | 'adapter' | 'gradients' | 'moments' | 'activations' | 'logits' | 'bases' | 'other';

/** A change that makes a run smaller. */
export interface WayToFit {
  readonly change: 'recompute' | 'micro-batch' | 'lora' | 'half' | 'shorter' | 'smaller-k';
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
  /** Seconds for all steps and evaluations, from a three-step probe on this adapter; undefined until probed. */
  readonly seconds?: number;
  readonly tokensPerStep: number;
  readonly epochs: number;
  /** The smallest and largest k that `rankFraction` gives, and the matrices where k = min(m, n), so that RPSFT is L2-SP there. */
  readonly warnings: readonly string[];
  readonly rank: { readonly least: number; readonly most: number; readonly degenerate: readonly string[] };
}
