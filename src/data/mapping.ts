/** @file Which column of a file plays which part in an example. */

/** Column names by part; a part that a shape does not have is absent. */
export interface DatasetColumns {
  /** Question or prompt; absent for plain text. */
  readonly prompt?: string;
  /** Further input that is put under the prompt (Alpaca's `input`). */
  readonly input?: string;
  /** Answer or completion, whose tokens are trained; for plain text the text itself. */
  readonly completion: string;
  /** Group of an evaluation item. */
  readonly group?: string;
}
