/** @file The rows of the run table: the numbers of each group at its last step, their order, and how each stands. Pure. */
import { formatAngle, formatCount, formatLoss, formatPercentValue, formatPoints, formatTime } from '../format.ts';
import { isLive, type LabRun } from '../runs.ts';
import { comparedGroup, type ComparedGroup } from './comparison.ts';
import { countedRuns, liveRunOf, type RunGroup } from './groups.ts';
import type { SortKey } from './state.ts';
import { spreadOf, type Spread } from './statistics.ts';

export interface RunRow {
  readonly group: RunGroup;
  /** Deleted a moment ago. */
  readonly removed: boolean;
  readonly compared: ComparedGroup | undefined;
  /** Mean and range over seeds at the last step; undefined where nothing was measured. */
  readonly values: Readonly<Partial<Record<Exclude<SortKey, 'name'>, Spread>>>;
  /** "running, step 120 of 400", "2 queued", "failed: out of memory"; empty when all its runs have ended well. */
  readonly status: string;
  /** Part of the status is a failure. */
  readonly failed: boolean;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean left principal angle over all matrices at the last measurement after the base model, in degrees. */
function meanAngle({ drifts }: LabRun): number | undefined {
  const last = drifts.at(-1);
  return last === undefined || last.step === 0 || last.matrices.length === 0 ? undefined : meanOf(last.matrices.map(({ leftAngles }) => meanOf(leftAngles)));
}

/** Mean over all matrices of ‖W − W0‖ / ‖W0‖. */
function meanMoved({ drifts }: LabRun): number | undefined {
  const last = drifts.at(-1);
  return last === undefined || last.step === 0 || last.matrices.length === 0 ? undefined : meanOf(last.matrices.map(({ relativeChange }) => relativeChange));
}

const overRuns = (runs: readonly LabRun[], value: (run: LabRun) => number | undefined): Spread | undefined => {
  const known = runs.flatMap((run) => value(run) ?? []).filter(Number.isFinite);
  return known.length === 0 ? undefined : spreadOf(known);
};

const statusOf = (group: RunGroup): { readonly text: string; readonly failed: boolean } => {
  const live = liveRunOf(group);
  const failed = group.runs.filter(({ state }) => state === 'failed');
  const stopped = group.runs.filter(({ state }) => state === 'stopped');
  const waiting = group.queued.filter(({ state }) => state === 'waiting').length;
  const reason = failed.at(-1)?.message;
  const parts = [
    ...(live === undefined ? [] : [`${live.state}, step ${formatCount(live.completedSteps)} of ${formatCount(live.config.steps)}`]),
    ...(waiting === 0 ? [] : [`${waiting} queued`]),
    ...(stopped.length === 0 ? [] : [stopped.length === 1 ? `stopped at step ${formatCount(stopped[0]!.completedSteps)}` : `${stopped.length} stopped`]),
    ...(failed.length === 0 ? [] : [`${failed.length === 1 ? 'failed' : `${failed.length} failed`}${reason === undefined ? '' : `: ${reason}`}`]),
  ];
  return { text: parts.join('; '), failed: failed.length > 0 };
};

/** A row with everything that its columns show. */
export function runRow(group: RunGroup, removed = false): RunRow {
  const compared = comparedGroup(group);
  const runs = countedRuns(group);
  const { text, failed } = statusOf(group);
  const values = {
    inDomain: compared?.last.inDomain,
    outOfDomain: compared?.last.outOfDomain,
    change: compared?.last.change,
    loss: overRuns(runs, ({ evaluations }) => evaluations.at(-1)?.outOfDomainLoss),
    angle: overRuns(runs, meanAngle),
    moved: overRuns(runs, meanMoved),
    time: overRuns(runs, (run) => (isLive(run) || run.activeMs === 0 ? undefined : run.activeMs / 1000)),
  };
  return { group, removed, compared, status: text, failed, values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) };
}

/** Pinned rows first, then by a column; rows without a value last, in the order of their start. */
export function sortRows(rows: readonly RunRow[], { key, descending }: { readonly key: SortKey; readonly descending: boolean }): readonly RunRow[] {
  const compareBy = (a: RunRow, b: RunRow): number => {
    if (key === 'name') return a.group.name.localeCompare(b.group.name, 'en', { numeric: true });
    const [one, other] = [a.values[key]?.mean, b.values[key]?.mean];
    return one === undefined || other === undefined ? 0 : one - other;
  };
  const lacks = ({ values }: RunRow): number => Number(key !== 'name' && values[key] === undefined);
  return rows.toSorted((a, b) => Number(b.group.pinned) - Number(a.group.pinned) || lacks(a) - lacks(b) || (descending ? -1 : 1) * compareBy(a, b));
}

/** A column of numbers. */
export interface Column {
  readonly key: Exclude<SortKey, 'name'>;
  readonly title: string;
  readonly unit: string;
  readonly write: (value: number, row: RunRow) => string;
}

const itemsOf = (row: RunRow, suite: 'inDomain' | 'outOfDomain'): number => row.compared?.runs[0]?.evaluations.at(-1)?.[suite].items ?? Infinity;

const percentOf = (value: number): string => `${(value * 100).toFixed(1)}%`;

/** In the order of the table. */
export const runColumns: readonly Column[] = [
  { key: 'inDomain', title: 'In-domain', unit: '%, last step', write: (value, row) => formatPercentValue(value, itemsOf(row, 'inDomain')) },
  { key: 'outOfDomain', title: 'Out-of-domain', unit: '%, last step', write: (value, row) => formatPercentValue(value, itemsOf(row, 'outOfDomain')) },
  { key: 'change', title: 'Change', unit: 'points', write: (value) => formatPoints(value) },
  { key: 'loss', title: 'Loss', unit: 'out-of-domain', write: (value) => formatLoss(value) },
  { key: 'angle', title: 'Angle', unit: 'mean, left', write: (value) => formatAngle(value) },
  { key: 'moved', title: '‖ΔW‖/‖W‖', unit: 'mean', write: percentOf },
  { key: 'time', title: 'Time', unit: 'a run', write: (value) => formatTime(value) },
];
