/** @file Which column of a file plays which part in an example. */

/**
 * Column names by part; a part that a shape does not have is absent. What there is decides what a row becomes: `messages` a conversation, `choices` (or
 * `right` and `wrong`) a multiple-choice item, `generations` the first that was verified, else `prompt` and `completion`.
 */
export interface DatasetColumns {
  /** Question or prompt, as text or as messages; absent for plain text. */
  readonly prompt?: string;
  /** Further input that is put under the prompt (Alpaca's `input`). */
  readonly input?: string;
  /** Answer or completion, whose tokens are trained; for plain text the text itself. */
  readonly completion?: string;
  /** A whole conversation, its roles under `role` or `from`, its texts under `content` or `value`. */
  readonly messages?: string;
  /** What the system turn says; makes conversations of rows that hold none. */
  readonly system?: string;
  /** Options of a multiple-choice item: a list, or an object of lists `text` and `label`, or of `choices` and `labels`. */
  readonly choices?: string;
  /** The right one of two options that stand in columns of their own, and the wrong one. */
  readonly right?: string;
  readonly wrong?: string;
  /** Completions to choose from (OpenR1-Math), and the column that says of each whether it was verified. */
  readonly generations?: string;
  readonly verified?: string;
  /** The gold answer alone, or an object with `ground_truth`; for a multiple-choice item its index, letter, label or text. */
  readonly answer?: string;
  /** Group of an evaluation item. */
  readonly group?: string;
}

/** A part that a column plays. */
export type Role = keyof DatasetColumns;

/** Whether the columns hold something to learn; a question and its answer can still be asked without. */
export const isLearnable = (columns: DatasetColumns): boolean =>
  columns.completion !== undefined || columns.messages !== undefined || columns.generations !== undefined || columns.choices !== undefined ||
  (columns.right !== undefined && columns.wrong !== undefined);
