/** @file The three datasets of the lab (train, held-out, out-of-domain): import, remapping, token counts, previews. */
import type { Dataset } from '../data/dataset.ts';
import { importDataset } from '../data/dataset.ts';
import type { Example } from '../data/examples.ts';
import type { DatasetColumns } from '../data/mapping.ts';
import { findRepeats } from '../data/overlap.ts';
import { DataProblem as DataError, formatCount } from '../data/problem.ts';
import { kindNames } from '../data/recognise.ts';
import type { DataFile } from '../data/source.ts';
import { earlierTurnsWarning, FALLBACK_TEMPLATE } from '../data/chat.ts';
import type { TokenCounts, TokeniseOptions } from '../data/tokenise.ts';
import { checkCounts, countTokens, tokeniseExample, tokeniseExamples } from '../data/tokenise.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import type { Measure } from '../evaluation/scorer.ts';
import { completionOf, measureOf } from '../evaluation/scorer.ts';
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import type { DataProblem, DatasetRole, DatasetSummary, ImportResult, PreviewRow } from './protocol.ts';
import type { UsedData, UsedDatasets } from './records.ts';
import { keyOfData, ROLES } from './records.ts';

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
  readonly measure: Measure;
}

interface ImportOptions {
  readonly skipRows?: readonly number[];
  readonly mapping?: DatasetColumns;
  /** Told of the bytes that were read of the file, then of the rows that have become tokens. */
  readonly onProgress?: (done: number, total: number, unit: 'bytes' | 'rows') => void;
}

/** Examples that decide by what a dataset is scored. */
const MEASURED_EXAMPLES = 64;

const FIRST_ROW_CHARACTERS = 100;

/** Keeps a file for the next visit; returns why it is not kept, as a sentence. */
export type KeepData = (file: DataFile, sha256: string, signal: AbortSignal) => Promise<string | undefined>;

/** What the lab trains and evaluates on. A failed import leaves the dataset of its role as it was. */
export class Datasets {
  readonly #held = new Map<DatasetRole, Held>();
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate | undefined;
  readonly #keep: KeepData | undefined;
  #abort = new AbortController();

  /**
   * @param template writes prompts with completions as conversations; without it they keep the plain form
   * @param keep for files of the person; nothing is kept without it
   */
  constructor(tokenizer: Tokenizer, template: ChatTemplate | undefined, keep?: KeepData) {
    this.#tokenizer = tokenizer;
    this.#template = template;
    this.#keep = keep;
  }

  /** Reads all files that another model's datasets were read from again, as this model's tokens. */
  async adopt(others: Datasets, maxLength: number): Promise<void> {
    for (const [role, { file, origin, skipRows, dataset }] of others.#held) {
      const result = await this.import(role, file, origin, maxLength, { skipRows, mapping: dataset.mapping });
      if ('problem' in result) throw new Error(`${file.name} cannot be used with this model. ${result.problem.what}`);
    }
  }

  /** Ends an import; the data that was there stays. */
  cancelImport(): void {
    this.#abort.abort(new Error('The import was stopped.'));
  }

  /** Imports a file for a role. Throws only what is not a problem of the data. */
  async import(role: DatasetRole, file: DataFile, origin: Held['origin'], maxLength: number, options: ImportOptions = {}): Promise<ImportResult> {
    const started = performance.now();
    const { skipRows = [], mapping, onProgress = () => {} } = options;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      const dataset = await importDataset(file, { skipRows, mapping, signal, purpose: role === 'train' ? 'training' : 'evaluation' }, ({ bytesRead, size }) => onProgress(bytesRead, size, 'bytes'));
      const refused: DataError[] = [];
      const tokenised = await tokeniseExamples(dataset.examples, this.#tokenizer, { ...this.#encoding(file, maxLength), signal, onRefused: (problem) => void refused.push(problem) }, (done) => onProgress(done, dataset.examples.length, 'rows'));
      if (refused.length > 0) return { problem: this.#cannotWrite(role, refused, dataset.examples.length) };
      const counts = countTokens(tokenised);
      const measure = measureOf(await dataset.examples.read(0, MEASURED_EXAMPLES));
      const findings = [...dataset.problems, ...(role === 'train' ? checkCounts(counts, file.name, maxLength) : [])];
      const blocking = findings.find(({ severity }) => severity === 'error');
      if (blocking) throw blocking;
      const notKept = origin === 'file' ? await this.#keep?.(file, dataset.sha256, signal) : undefined;
      const warnings = [...findings.map(({ sentence, suggestion }) => `${sentence} ${suggestion}`), ...this.#templateWarnings(role, dataset), ...(notKept === undefined ? [] : [notKept])];
      this.#held.set(role, { origin, file, skipRows, dataset, maxLength, tokenised, counts, warnings, measure, milliseconds: performance.now() - started });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { problem: { file: error.file, ...(error.row === undefined ? {} : { row: error.row }), what: error.sentence, stillHolds: this.#stillHolds(role, error.stillHolds), canSkip: error.row !== undefined } };
    }
    return this.#imported(role);
  }

  /** Reads the file of a role again with other columns. */
  remap(role: DatasetRole, mapping: DatasetColumns, maxLength: number, onProgress?: ImportOptions['onProgress']): Promise<ImportResult> {
    const { file, origin, skipRows, dataset, maxLength: before } = this.#of(role);
    if (maxLength === before && JSON.stringify(mapping) === JSON.stringify(dataset.mapping)) return Promise.resolve(this.#imported(role));
    return this.import(role, file, origin, maxLength, { mapping, skipRows, ...(onProgress ? { onProgress } : {}) });
  }

  /** Rows that the chat template cannot write: the first with its reason, and how many there are. */
  #cannotWrite(role: DatasetRole, refused: readonly DataError[], rows: number): DataProblem {
    const first = refused[0]!;
    const others = refused.length === 1 ? '' : ` ${formatCount(refused.length)} of ${formatCount(rows)} rows cannot be written by it; this is the first.`;
    return { file: first.file, row: first.row!, rows: refused.map(({ row }) => row!), what: first.sentence + others, stillHolds: this.#stillHolds(role, first.stillHolds), canSkip: refused.length < rows };
  }

  #imported(role: DatasetRole): ImportResult {
    const datasets = this.summaries();
    return { dataset: datasets.find((dataset) => dataset.role === role)!, datasets };
  }

  /** Examples of a role cut to `maxLength` tokens. */
  async examples(role: DatasetRole, maxLength: number): Promise<TokenisedList> {
    const held = this.#of(role);
    return held.maxLength === maxLength ? held.tokenised : tokeniseExamples(held.dataset.examples, this.#tokenizer, this.#encoding(held.file, maxLength));
  }

  /** The items of a role with what they are scored by. */
  async suite(role: DatasetRole): Promise<{ readonly examples: readonly Example[]; readonly measure: Measure }> {
    const { dataset, measure } = this.#of(role);
    return { examples: await dataset.examples.read(), measure };
  }

  tokens(role: DatasetRole): number {
    return this.#of(role).counts.tokens;
  }

  name(role: DatasetRole): string {
    return this.#of(role).dataset.name;
  }

  sha256(role: DatasetRole): string {
    return this.#of(role).dataset.sha256;
  }

  /** SHA-256 of the file of each role, by its name. */
  hashes(): Readonly<Record<string, string>> {
    return Object.fromEntries(ROLES.map((role) => [this.name(role), this.sha256(role)]));
  }

  /** What is loaded: equal keys give equal examples. */
  used(): UsedDatasets {
    const of = (role: DatasetRole): UsedData => {
      const { dataset, skipRows } = this.#of(role);
      return { name: dataset.name, key: keyOfData({ sha256: dataset.sha256, mapping: dataset.mapping, skipRows }) };
    };
    return { train: of('train'), heldOut: of('heldOut'), outOfDomain: of('outOfDomain') };
  }

  summaries(): DatasetSummary[] {
    const repeats = this.#repeats();
    return ROLES.filter((role) => this.#held.has(role)).map((role) => this.#summary(role, repeats));
  }

  summary(role: DatasetRole): DatasetSummary {
    return this.#summary(role, this.#repeats());
  }

  #repeats(): ReturnType<typeof findRepeats<DatasetRole>> {
    return findRepeats(new Map([...this.#held].map(([name, held]) => [name, held.dataset.fingerprints])));
  }

  #summary(role: DatasetRole, repeats: ReturnType<typeof findRepeats<DatasetRole>>): DatasetSummary {
    const { origin, dataset, counts, warnings, measure, milliseconds } = this.#of(role);
    const first = dataset.sample[0] ?? {};
    return {
      role,
      name: dataset.name,
      origin,
      shape: kindNames[dataset.kind],
      measure,
      rendering: this.#template || dataset.withMessages > 0 ? 'chat' : 'plain',
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
    const { dataset, file } = this.#of(role);
    const examples = await dataset.examples.read(Math.max(0, from - 1), from - 1 + count);
    return examples.map((example) => {
      const { ids, trained, truncated } = tokeniseExample(example, this.#tokenizer, this.#encoding(file, maxLength));
      const tokens = Array.from(ids, (id, i) => ({ id, text: this.#tokenizer.tokenText(id), trained: trained[i] === 1, special: this.#tokenizer.isSpecial(id) }));
      const { row, question, choices, answer, group } = example;
      return {
        row,
        tokens,
        truncated,
        ...(question ? { prompt: question, expected: expectedOf(example) } : {}),
        ...(choices ? { choices } : {}),
        ...(answer === undefined ? {} : { gold: answer }),
        ...(group === undefined ? {} : { group }),
      };
    });
  }

  #encoding({ name }: DataFile, maxLength: number): TokeniseOptions {
    return { maxLength, template: this.#template, file: name };
  }

  /** What a person should know of how conversations are written. */
  #templateWarnings(role: DatasetRole, { withMessages }: Dataset): string[] {
    if (role !== 'train') return [];
    const template = this.#template ?? (withMessages > 0 ? FALLBACK_TEMPLATE : undefined);
    return template ? [template.warning, earlierTurnsWarning(template)].filter((warning) => warning !== undefined) : [];
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

/** What a row is to be answered with; an evaluation row may hold nothing but the gold answer. */
const expectedOf = (example: Example): string => completionOf(example) || (example.answer ?? '');

const cellText = (cell: unknown): string => (typeof cell === 'string' ? cell : (JSON.stringify(cell) ?? ''));
