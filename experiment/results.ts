/** @file The results file of the experiment, and what is computed from it. */
import type { PlannedRun } from './plan.ts';
import { SFT_RATES } from './plan.ts';

/** Right answers after a number of steps; 0 = the base model. */
export interface Point {
  readonly step: number;
  readonly heldOutLoss: number;
  readonly inDomain: number;
  readonly outOfDomain: number;
}

export interface RunResult extends PlannedRun {
  readonly name: string;
  readonly inDomainItems: number;
  readonly outOfDomainItems: number;
  readonly points: readonly Point[];
  /** Means over matrices after the last step; angle in degrees. */
  readonly drift: { readonly angle: number; readonly alignment: number; readonly blockShare: number; readonly relativeChange: number };
  readonly trainingSeconds: number;
  readonly seconds: number;
}

export interface Results {
  /** SHA-256 of model.safetensors. */
  readonly model: string;
  readonly adapter: string;
  readonly date: string;
  readonly runs: readonly RunResult[];
}

/** In-domain levels at which methods are compared. */
export const LEVELS = [0.5, 0.7] as const;

/**
 * Out-of-domain accuracy where a run first reaches an in-domain level, interpolated between the two evaluations around
 * that point; undefined when it never gets there.
 */
export function outOfDomainAt({ points, inDomainItems, outOfDomainItems }: RunResult, level: number): number | undefined {
  const after = points.findIndex(({ inDomain }) => inDomain / inDomainItems >= level);
  if (after < 0) return undefined;
  const high = points[after]!;
  const low = points[after - 1] ?? high;
  const span = high.inDomain - low.inDomain;
  const part = span === 0 ? 0 : (level * inDomainItems - low.inDomain) / span;
  return (low.outOfDomain + part * (high.outOfDomain - low.outOfDomain)) / outOfDomainItems;
}

/** One line of figure and table: the seeds of one setting. */
export interface Line {
  readonly label: string;
  readonly method: PlannedRun['method'];
  readonly runs: readonly RunResult[];
}

/** The lines of figure and table, in their order. */
export function linesOf({ runs }: Results): Line[] {
  const pick = (method: PlannedRun['method'], learningRate?: number): RunResult[] => runs.filter((run) => run.method === method && (learningRate === undefined || run.learningRate === learningRate));
  const setting = (method: 'rpsft' | 'l2sp'): string => `lr ${pick(method)[0]?.learningRate}, λ ${pick(method)[0]?.lambda}`;
  const lines: Line[] = [
    { label: `RPSFT, ${setting('rpsft')}, k 50%`, method: 'rpsft', runs: pick('rpsft') },
    ...SFT_RATES.map((rate): Line => ({ label: `SFT, lr ${rate}`, method: 'sft', runs: pick('sft', rate) })),
    { label: `L2-SP, ${setting('l2sp')}`, method: 'l2sp', runs: pick('l2sp') },
  ];
  return lines.filter((line) => line.runs.length > 0);
}

/** Out-of-domain accuracy of a line's seeds at a level; only of those that reach it. */
export const valuesAt = ({ runs }: Line, level: number): number[] => runs.map((run) => outOfDomainAt(run, level)).filter((value) => value !== undefined);

/** SFT's line that keeps most at a level which all its seeds reach. */
export function bestSft(lines: readonly Line[], level: number): Line | undefined {
  return lines
    .filter((line) => line.method === 'sft' && valuesAt(line, level).length === line.runs.length)
    .toSorted((a, b) => mean(valuesAt(b, level)) - mean(valuesAt(a, level)))[0];
}

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and range over runs, as percent: "78.1 (77.0–79.5)"; says how many runs have a value when not all do. */
export function spread(values: readonly (number | undefined)[]): string {
  const present = values.filter((value) => value !== undefined);
  if (present.length === 0) return 'not reached';
  const percent = (value: number): string => (100 * value).toFixed(1);
  const range = present.length > 1 ? ` (${percent(Math.min(...present))}–${percent(Math.max(...present))})` : '';
  return `${percent(mean(present))}${range}${present.length < values.length ? `, ${present.length} of ${values.length} seeds` : ''}`;
}
