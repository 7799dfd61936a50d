/** @file The three datasets of the lab (train, held-out, out-of-domain): import, remapping, token counts, previews. */
import type { Dataset } from '../data/dataset.ts';
import { importDataset } from '../data/dataset.ts';
import type { Example } from '../data/examples.ts';
import type { DatasetColumns } from '../data/mapping.ts';
import { findRepeats } from '../data/overlap.ts';
import { DataProblem as DataError, formatCount } from '../data/problem.ts';
import { kindNames } from '../data/recognise.ts';
import type { DataFile } from '../data/source.ts';
import type { TokenCounts } from '../data/tokenise.ts';
import { checkCounts, countTokens, tokeniseExample, tokeniseExamples } from '../data/tokenise.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import type { DatasetRole, DatasetSummary, ImportResult, PreviewRow } from './protocol.ts';

interface Held {
  readonly origin: 'demo' | 'file';
  readonly file: DataFile;
  readonly skipRows: readonly number[];
  readonly dataset: Dataset;
  readonly maxLength: number;
  readonly tokenised: TokenisedList;
  readonly counts: TokenCounts;
  readonly warnings: readonly string[];
  readonly milliseconds: number;
}

const ROLES: readonly DatasetRole[] = ['train', 'heldOut', 'outOfDomain'];
const FIRST_ROW_CHARACTERS = 100;

/** What the lab trains and evaluates on. A failed import leaves the dataset of its role as it was. */
export class Datasets {
  readonly #held = new Map<DatasetRole, Held>();
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Imports a file for a role. Throws only what is not a problem of the data. */
  async import(role: DatasetRole, file: DataFile, origin: Held['origin'], maxLength: number, options: { readonly skipRows?: readonly number[]; readonly mapping?: DatasetColumns } = {}): Promise<ImportResult> {
    const started = performance.now();
    const { skipRows = [], mapping } = options;
    try {
      const dataset = await importDataset(file, { skipRows, mapping });
      const tokenised = await tokeniseExamples(dataset.examples, this.#tokenizer, { maxLength });
      const counts = countTokens(tokenised);
      const findings = [...dataset.problems, ...checkCounts(counts, file.name, maxLength)];
      const blocking = findings.find(({ severity }) => severity === 'error');
      if (blocking) throw blocking;
      this.#held.set(role, { origin, file, skipRows, dataset, maxLength, tokenised, counts, warnings: findings.map(({ sentence, suggestion }) => `${sentence} ${suggestion}`), milliseconds: performance.now() - started });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { problem: { file: error.file, ...(error.row === undefined ? {} : { row: error.row }), what: error.sentence, stillHolds: this.#stillHolds(role, error.stillHolds), canSkip: error.row !== undefined } };
    }
    return { dataset: this.summary(role) };
  }

  /** Reads the file of a role again with other columns. */
  remap(role: DatasetRole, mapping: DatasetColumns, maxLength: number): Promise<ImportResult> {
    const { file, origin, skipRows } = this.#of(role);
    return this.import(role, file, origin, maxLength, { mapping, skipRows });
  }

  /** Examples of a role cut to `maxLength` tokens. */
  async examples(role: DatasetRole, maxLength: number): Promise<TokenisedList> {
    const held = this.#of(role);
    return held.maxLength === maxLength ? held.tokenised : tokeniseExamples(held.dataset.examples, this.#tokenizer, { maxLength });
  }

  /** The examples of a role as they were read, for evaluations. */
  items(role: DatasetRole): Promise<readonly Example[]> {
    return this.#of(role).dataset.examples.read();
  }

  name(role: DatasetRole): string {
    return this.#of(role).dataset.name;
  }

  sha256(role: DatasetRole): string {
    return this.#of(role).dataset.sha256;
  }

  summaries(): DatasetSummary[] {
    return ROLES.filter((role) => this.#held.has(role)).map((role) => this.summary(role));
  }

  summary(role: DatasetRole): DatasetSummary {
    const { origin, dataset, counts, warnings, milliseconds } = this.#of(role);
    const repeats = findRepeats(new Map([...this.#held].map(([name, held]) => [name, held.dataset.fingerprints])));
    const first = dataset.sample[0] ?? {};
    return {
      role,
      name: dataset.name,
      origin,
      shape: kindNames[dataset.kind],
      columns: dataset.columns,
      mapping: dataset.mapping,
      firstRow: Object.fromEntries(dataset.columns.map((column) => [column, cellText(first[column]).slice(0, FIRST_ROW_CHARACTERS)])),
      rows: counts.rows,
      tokens: counts.tokens,
      trainedTokens: counts.trainedTokens,
      truncatedRows: counts.truncated,
      longest: counts.longest,
      ...repeats.get(role)!,
      lengths: counts.histogram,
      warnings,
      milliseconds,
    };
  }

  async preview(role: DatasetRole, from: number, count: number, maxLength: number): Promise<PreviewRow[]> {
    const examples = await this.#of(role).dataset.examples.read(Math.max(0, from - 1), from - 1 + count);
    return examples.map((example) => {
      const { ids, trained, truncated } = tokeniseExample(example, this.#tokenizer, { maxLength });
      const tokens = Array.from(ids, (id, i) => ({ id, text: this.#tokenizer.tokenText(id), trained: trained[i] === 1, special: this.#tokenizer.isSpecial(id) }));
      const expected = example.segments.filter((segment) => segment.trained).map(({ text }) => text);
      return { row: example.row, tokens, truncated, ...(example.question ? { prompt: example.question, expected: expected.join('') } : {}) };
    });
  }

  #of(role: DatasetRole): Held {
    const held = this.#held.get(role);
    if (!held) throw new Error('No data is loaded for this part yet.');
    return held;
  }

  #stillHolds(role: DatasetRole, sentence: string): string {
    const held = this.#held.get(role);
    const kept = held ? (held.origin === 'demo' ? 'The demo data is still loaded.' : `${held.dataset.name}, ${formatCount(held.dataset.examples.length)} rows, is still loaded.`) : '';
    return [sentence, kept].filter(Boolean).join(' ');
  }
}

const cellText = (cell: unknown): string => (typeof cell === 'string' ? cell : (JSON.stringify(cell) ?? ''));
