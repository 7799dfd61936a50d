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
export const LEVELS = [0.5, 0.8] as const;

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
  readonly isBestRate: boolean;
}

/** All lines; of SFT's learning rates the best is the one that keeps most at the higher level that all its seeds reach. */
export function linesOf({ runs }: Results): Line[] {
  const pick = (method: PlannedRun['method'], learningRate?: number): RunResult[] => runs.filter((run) => run.method === method && (learningRate === undefined || run.learningRate === learningRate));
  const sft = SFT_RATES.map((rate) => ({ label: `SFT, lr ${rate}`, method: 'sft' as const, runs: pick('sft', rate) })).filter((line) => line.runs.length > 0);
  const score = (line: (typeof sft)[number]): number => {
    const level = LEVELS.findLastIndex((at) => line.runs.every((run) => outOfDomainAt(run, at) !== undefined));
    return level < 0 ? -1 : level + mean(line.runs.map((run) => outOfDomainAt(run, LEVELS[level]!)!));
  };
  const best = sft.toSorted((a, b) => score(b) - score(a))[0];
  const lambda = (method: 'rpsft' | 'l2sp'): string => `lr ${pick(method)[0]?.learningRate}, λ ${pick(method)[0]?.lambda}`;
  return [
    { label: `RPSFT, ${lambda('rpsft')}, k 50%`, method: 'rpsft' as const, runs: pick('rpsft'), isBestRate: true },
    ...sft.map((line) => ({ ...line, isBestRate: line === best })),
    { label: `L2-SP, ${lambda('l2sp')}`, method: 'l2sp' as const, runs: pick('l2sp'), isBestRate: true },
  ].filter((line) => line.runs.length > 0);
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
