/** @file Asking weights in the playground. */
import type { DecodeProgress } from '../../generation/generator.ts';

export interface SamplingOptions {
  readonly maxNewTokens: number;
  /** 0 = greedy. */
  readonly temperature: number;
  /** 0 = no limit. */
  readonly topK: number;
  /** 1 = no limit. */
  readonly topP: number;
  readonly seed: number;
}

/** What a playground column streams. */
export type StreamEvent =
  | { readonly type: 'token'; readonly column: number; readonly id: number; readonly text: string; readonly probability: number }
  | { readonly type: 'progress'; readonly column: number; readonly progress: DecodeProgress }
  | { readonly type: 'done'; readonly column: number; readonly reason: 'end' | 'limit' | 'stopped' };
