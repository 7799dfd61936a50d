/** @file A run as files to take home, and the proof that they are right. */

/** `model`: all weights, adapters merged. `peft`, `mlx`: the adapter of a LoRA run, or one extracted from a full run. */
export type ExportKind = 'model' | 'peft' | 'mlx';

export interface ExportOptions {
  readonly kind: ExportKind;
  /** How the weights are written; `model` only. */
  readonly dtype: 'F32' | 'BF16' | 'F16';
  /** Rank of the adapter that is extracted from a full run; `peft` and `mlx` only. */
  readonly rank: number;
}

export interface VerifyItem {
  readonly check: string;
  readonly passed: boolean;
  readonly detail: string;
}

export interface ExportResult {
  readonly fileName: string;
  /** The zip on disk; absent when the files went straight into a folder. */
  readonly file?: File;
  /** Share of ‖W − W0‖² that an extracted adapter holds. */
  readonly retainedEnergy?: number;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly verification: readonly VerifyItem[];
}
