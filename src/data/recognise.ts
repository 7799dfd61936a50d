/**
 * @file Which column plays which part. A new shape of data is one more line in SHAPES; the user can change every choice.
 */
import type { DatasetColumns } from './mapping.ts';
import type { Row } from './parse.ts';

/** The columns a user chooses, and the one that holds the gold answer alone, where there is one. */
export interface ColumnMapping extends DatasetColumns {
  readonly answer?: string;
}

/** A part that a column plays. */
export type Role = keyof ColumnMapping;

export type DatasetKind = 'prompt-completion' | 'alpaca' | 'gsm8k' | 'math' | 'question-answer' | 'text' | 'custom';

/** For the page. */
export const kindNames: Readonly<Record<DatasetKind, string>> = {
  'prompt-completion': 'prompt and completion',
  alpaca: 'Alpaca',
  gsm8k: 'GSM8K',
  math: 'MATH',
  'question-answer': 'question and answer',
  text: 'text',
  custom: 'other columns',
};

interface Shape {
  readonly kind: Exclude<DatasetKind, 'custom'>;
  /** Accepted names of each needed column, in lower case, the first that exists wins. */
  readonly needs: { readonly [role in Role]?: readonly string[] };
  readonly takes?: { readonly [role in Role]?: readonly string[] };
  /** A mark that every sampled completion must carry. */
  readonly mark?: RegExp;
}

const GROUPS = ['group', 'type', 'subject', 'category', 'topic'];

/** First match wins. */
const SHAPES: readonly Shape[] = [
  { kind: 'prompt-completion', needs: { prompt: ['prompt'], completion: ['completion', 'response'] }, takes: { answer: ['answer'], group: GROUPS } },
  { kind: 'alpaca', needs: { prompt: ['instruction'], completion: ['output', 'response'] }, takes: { input: ['input'], answer: ['answer'], group: GROUPS } },
  { kind: 'gsm8k', needs: { prompt: ['question'], completion: ['answer'] }, takes: { group: GROUPS }, mark: /####/u },
  { kind: 'math', needs: { prompt: ['problem'], completion: ['solution'] }, takes: { answer: ['answer'], group: GROUPS } },
  {
    kind: 'question-answer',
    needs: { prompt: ['question', 'problem', 'query', 'input'], completion: ['solution', 'response', 'answer', 'target', 'output', 'best answer'] },
    takes: { group: GROUPS },
  },
  { kind: 'text', needs: { completion: ['text', 'content', 'story'] }, takes: { group: GROUPS } },
];

export interface Recognised {
  readonly kind: DatasetKind;
  readonly mapping: ColumnMapping;
}

/** @param sample the first rows of the file. @returns undefined where no shape fits. */
export function recognise(sample: readonly Row[]): Recognised | undefined {
  for (const { kind, needs, takes = {}, mark } of SHAPES) {
    const needed = mapRoles(needs, sample);
    const { completion } = needed;
    if (completion === undefined || Object.keys(needed).length < Object.keys(needs).length) continue;
    const isMarked = mark === undefined || sample.every((row) => mark.test(String(row[completion])));
    if (isMarked) return { kind, mapping: { ...mapRoles(takes, sample), ...needed, completion } };
  }
  return undefined;
}

/**
 * A start for the user where no shape fits: of the two columns with the longest texts the first is the prompt, the other the completion; a lone one is
 * plain text. @returns undefined where nothing is text, or where a column holds lists or objects: guessing beside a conversation would hide it.
 */
export function guessMapping(sample: readonly Row[]): ColumnMapping | undefined {
  const columns = columnsOf(sample);
  const isStructured = (value: unknown): boolean => typeof value === 'object' && value !== null;
  if (columns.some((column) => sample.some((row) => isStructured(row[column])))) return undefined;
  const length = (column: string): number => sample.reduce((sum, row) => sum + (typeof row[column] === 'string' ? row[column].length : 0), 0);
  const longest = columns.filter((column) => length(column) > 0).sort((a, b) => length(b) - length(a)).slice(0, 2);
  const [first, second] = longest.sort((a, b) => columns.indexOf(a) - columns.indexOf(b));
  if (first === undefined) return undefined;
  return second === undefined ? { completion: first } : { prompt: first, completion: second };
}

/** Columns of the sample in their order of appearance. */
export const columnsOf = (sample: readonly Row[]): string[] => [...new Set(sample.flatMap((row) => Object.keys(row)))];

/** A cell that can be shown to a model as text. */
export const isTextual = (value: unknown): value is string | number | bigint | boolean => ['string', 'number', 'bigint', 'boolean'].includes(typeof value);

function mapRoles(wanted: Shape['needs'], sample: readonly Row[]): { [role in Role]?: string } {
  const columns = columnsOf(sample).filter((column) => sample.some((row) => isTextual(row[column])) && sample.every((row) => row[column] == null || isTextual(row[column])));
  const mapping: { [role in Role]?: string } = {};
  for (const [role, names] of Object.entries(wanted) as [Role, readonly string[]][]) {
    const name = names.find((candidate) => columns.some((column) => column.toLowerCase() === candidate));
    const column = columns.find((candidate) => candidate.toLowerCase() === name);
    if (column !== undefined) mapping[role] = column;
  }
  return mapping;
}
