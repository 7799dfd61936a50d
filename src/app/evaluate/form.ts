/** @file What an evaluation on demand is asked for, and how it stands. Pure functions, with tests. */
import type { DatasetSummary, EvaluationReport, EvaluationRequest, Measure, RunId } from '../../worker/protocol.ts';
import { measureProblem } from '../data/measures.ts';
import { formatCount } from '../format.ts';
import type { LabRun, PhaseProgress } from '../runs.ts';

export type Suite = EvaluationRequest['role'];

/** The base model or a run. */
export type Column = 'base' | RunId;

/** The form as it was filled in. */
export interface EvaluationForm {
  readonly role: Suite;
  /** Runs to measure beside the base model; undefined = the latest ones that have weights. */
  readonly runs: readonly RunId[] | undefined;
  /** Undefined = what fits the suite. */
  readonly measure: Measure | undefined;
  readonly allItems: boolean;
  /** From the start of the suite, where not all. */
  readonly items: number;
  readonly samples: number;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
}

/** A report, with the names that its columns had when it was made. */
export interface NamedReport {
  readonly report: EvaluationReport;
  readonly names: Readonly<Record<Column, string>>;
}

export type Which = 'all' | 'failures' | 'changed';

export interface EvaluationState {
  readonly form: EvaluationForm;
  /** Undefined when none goes on. */
  readonly going: { readonly progress: PhaseProgress | undefined; readonly cancelling: boolean } | undefined;
  /** The latest first. */
  readonly reports: readonly NamedReport[];
  /** Id of the report that is shown. */
  readonly shown: string | undefined;
  readonly which: Which;
  readonly problem: string | undefined;
  /** What became of an evaluation that was cancelled. */
  readonly notice: string | undefined;
}

export const initialEvaluation: EvaluationState = {
  form: { role: 'heldOut', runs: undefined, measure: undefined, allItems: false, items: 100, samples: 1, temperature: 0, maxNewTokens: 256, seed: 1 },
  going: undefined, reports: [], shown: undefined, which: 'all', problem: undefined, notice: undefined,
};

export interface FormNumber {
  readonly key: 'items' | 'samples' | 'temperature' | 'maxNewTokens' | 'seed';
  readonly label: string;
  readonly help: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
}

export const itemsField: FormNumber = { key: 'items', label: 'Items', help: 'From the start of the suite', least: 1, most: 1_000_000, whole: true };

/** How answers are generated. */
export const generationFields: readonly FormNumber[] = [
  { key: 'samples', label: 'Samples an item', help: 'The score is the share of right ones (avg@k)', least: 1, most: 64, whole: true },
  { key: 'temperature', label: 'Temperature', help: '0 takes the likeliest token each time', least: 0, most: 5, whole: false },
  { key: 'maxNewTokens', label: 'Tokens', help: 'An answer stops here at the latest', least: 1, most: 4096, whole: true },
  { key: 'seed', label: 'Seed', help: 'Same seed, same answers', least: 0, most: 2_147_483_647, whole: true },
];

const isWithin = (value: number, { least, most, whole }: FormNumber): boolean => value >= least && value <= most && (!whole || Number.isInteger(value));

/** Runs whose weights can be measured: everything but recorded, failed and unborn ones. */
export const measurable = (runs: readonly LabRun[]): readonly LabRun[] => runs.filter(({ recorded, state }) => !recorded && state !== 'failed' && state !== 'preparing');

/** More columns than this are measured only where they were ticked. */
const usualRuns = 3;

/** Runs to measure, in the order of the list. */
export function chosenRuns({ runs: chosen }: Pick<EvaluationForm, 'runs'>, runs: readonly LabRun[]): readonly LabRun[] {
  const there = measurable(runs);
  return chosen === undefined ? there.slice(-usualRuns) : there.filter(({ id }) => chosen.includes(id));
}

/** What is measured by: what was chosen if that fits the suite, else what does. */
export const chosenMeasure = ({ measure }: Pick<EvaluationForm, 'measure'>, dataset: DatasetSummary): Measure =>
  measure !== undefined && measureProblem(measure, dataset) === undefined ? measure : dataset.measure;

/** Items that will be measured. */
export const itemCount = ({ allItems, items }: EvaluationForm, { rows }: Pick<DatasetSummary, 'rows'>): number => (allItems ? rows : Math.min(items, rows));

/** The request of a form; or, as a sentence, why there can be none. */
export function requestOf(form: EvaluationForm, dataset: DatasetSummary | undefined, runs: readonly LabRun[]): EvaluationRequest | string {
  if (dataset === undefined || dataset.rows === 0) return 'There is no data in this part to measure.';
  const measure = chosenMeasure(form, dataset);
  const misfit = measureProblem(measure, dataset);
  if (misfit !== undefined) return misfit;
  const fields = [...(form.allItems ? [] : [itemsField]), ...(measure === 'generation' ? generationFields : [])];
  const wrong = fields.find((field) => !isWithin(form[field.key], field));
  if (wrong !== undefined) return `${wrong.label} has to be between ${formatCount(wrong.least)} and ${wrong.most.toLocaleString('en-US')}.`;
  if (measure === 'generation' && form.samples > 1 && form.temperature === 0) return 'At temperature 0 all samples of an item are the same. Raise the temperature, or take one sample.';
  return {
    role: form.role,
    columns: ['base', ...chosenRuns(form, runs).map(({ id }) => id)],
    measure,
    items: form.allItems || form.items >= dataset.rows ? 0 : form.items,
    samples: measure === 'generation' ? form.samples : 1,
    temperature: measure === 'generation' ? form.temperature : 0,
    maxNewTokens: form.maxNewTokens,
    seed: form.seed,
  };
}
