/** @file Datasets as the page shows them, and what is wrong with one. */
import type { DatasetColumns } from '../../data/mapping.ts';
import type { Measure } from '../../evaluation/scorer.ts';

export type DatasetRole = 'train' | 'heldOut' | 'outOfDomain';

/** What the page shows of a dataset. */
export interface DatasetSummary {
  readonly role: DatasetRole;
  readonly name: string;
  /** `demo` or a file the person dropped. */
  readonly origin: 'demo' | 'file';
  /** Recognised shape in words, such as "GSM8K" or "prompt and completion". */
  readonly shape: string;
  /** What items of it are scored by. */
  readonly measure: Measure;
  /** How rows become text: through a chat template, or as they are. */
  readonly rendering: 'chat' | 'plain';
  readonly columns: readonly string[];
  readonly mapping: DatasetColumns;
  /** What each column holds in the first row, cut to about 100 characters, so that a mapping can be chosen by what it maps. */
  readonly firstRow?: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly tokens: number;
  readonly trainedTokens: number;
  readonly truncatedRows: number;
  readonly longest: number;
  readonly duplicates: number;
  /** Rows whose question also stands in the dataset of another role. */
  readonly overlap: Readonly<Partial<Record<DatasetRole, number>>>;
  /** Counts of rows by length: `counts[i]` rows have lengths in [i * width, (i + 1) * width). */
  readonly lengths: { readonly width: number; readonly counts: readonly number[] };
  readonly warnings: readonly string[];
  readonly milliseconds: number;
}

/** One row as the model sees it. Rows are counted from 1 here and in problems, as a person counts them. */
export interface PreviewRow {
  readonly row: number;
  readonly tokens: readonly { readonly text: string; readonly id: number; readonly trained: boolean; readonly special: boolean }[];
  readonly truncated: boolean;
  /** What the playground would be given and what the file answers, without template; absent where the shape has no prompt. */
  readonly prompt?: string;
  readonly expected?: string;
  /** The options of a multiple-choice row, and the index of the right one. */
  readonly choices?: { readonly options: readonly string[]; readonly answer: number };
  /** The gold answer that generated ones are compared with. */
  readonly gold?: string;
  readonly group?: string;
}

/** A file or a row could not be used; worded as the page shows it. The dataset that was loaded before is kept. */
export interface DataProblem {
  readonly file: string;
  readonly row?: number;
  /** All rows with the problem, where they are known; `row` is the first. */
  readonly rows?: readonly number[];
  /** What is wrong and where, e.g. "Row 1,873: the line ends inside a string, at character 288." */
  readonly what: string;
  /** What still holds, e.g. "Rows 1 to 1,872 read well. The demo data is still loaded." */
  readonly stillHolds: string;
  /** The row, or all of `rows`, could be left out. */
  readonly canSkip: boolean;
}

/** `datasets`: all roles, because the rows they share have changed with this one. */
export type ImportResult = { readonly dataset: DatasetSummary; readonly datasets: readonly DatasetSummary[] } | { readonly problem: DataProblem };
