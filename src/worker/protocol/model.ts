/** @file What the page knows of the device and of a model. */

/** How the matrices of the frozen model are kept; training itself is f32. */
export type Precision = 'f32' | 'bf16' | 'f16';

/** What the worker found out about WebGPU; `problem` is a sentence for a person, `undefined` when a run can start. */
export interface Diagnosis {
  readonly problem?: { readonly code: 'no-webgpu' | 'no-adapter' | 'no-device' | 'limits-too-small'; readonly message: string };
  readonly adapter?: { readonly name: string; readonly software: boolean; readonly features: readonly string[]; readonly limits: Readonly<Record<string, number>> };
  /** Everything as text, for "Copy diagnostics". */
  readonly report: string;
}

export interface ModelSummary {
  /** Where it came from: the page itself, files of the person, or a hub. */
  readonly source: 'built-in' | 'files' | 'hub';
  /** `Built-in model`, the folder's name, or `owner/name`. */
  readonly name: string;
  /** Commit of a hub model. */
  readonly revision?: string;
  readonly parameters: number;
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** Bytes of its files. */
  readonly bytes: number;
  readonly precision: Precision;
  /** Dtypes of its tensors as the files have them, such as `BF16`. */
  readonly storedAs: string;
  /** What writes conversations: the model's own template, or ChatML for want of one; `plain` where rows are not conversations. */
  readonly template: 'own' | 'chatml' | 'plain';
  /** Linear layers that LoRA can adapt, by short name, with the numbers of weights they hold in all layers. */
  readonly linears: readonly { readonly name: string; readonly count: number; readonly weights: number; readonly byDefault: boolean }[];
  /** Tensors in the files that the architecture does not use, and the like. */
  readonly warnings: readonly string[];
}
