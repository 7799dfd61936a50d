/** @file The numbers of measurements that stand side by side, as tables, and whose they are. Pure functions, for the plates and the report. */
import type { Estimated, FisherShare } from '../../../worker/protocol.ts';
import { curvesTable, type Cell, type TableData } from '../../charts/table.ts';
import { stateMeasures } from '../followed.ts';
import { matrixLabel } from '../mapCells.ts';
import { divergenceNames, formatNats, formatTimes, ratioOf, restoredNames } from './findings.ts';
import type { ReportOf } from './reports.ts';
import { shownRun, type ShownRun } from './shown.ts';

/** Whose gradients a report took; the blocks of the base model are those of the run in focus if nothing else is said. */
export function fisherName({ request }: ReportOf<'fisher'>, runs: readonly ShownRun[]): string {
  const { name } = shownRun(runs, request.run);
  if (request.of === 'run') return name;
  return request.run === runs[0]?.id ? 'Base model' : `Base model, blocks of ${name}`;
}

/** All matrices together, then each. */
export function fisherTable(reports: readonly ReportOf<'fisher'>[], runs: readonly ShownRun[]): TableData {
  const ratio = (share: FisherShare | undefined): number | null => share?.ratio ?? null;
  return {
    columns: [{ title: 'Matrix' }, ...['Top', 'Low', 'High', 'Random', 'Tail'].map((title) => ({ title, format: formatTimes })), { title: 'Chance', format: (share: number) => `${(share * 100).toFixed(2)}%` }],
    rows: reports.flatMap((report) => {
      const name = fisherName(report, runs);
      const line = (label: string, { top, random, tail, chance }: Pick<ReportOf<'fisher'>['fisher']['whole'], 'top' | 'random' | 'tail' | 'chance'>): readonly Cell[] => {
        const { mean, low, high } = ratioOf(top);
        return [`${name}: ${label}`, mean, low, high, ratio(random), ratio(tail), chance];
      };
      return [line('all matrices', report.fisher.whole), ...report.fisher.matrices.map((matrix) => line(matrixLabel(matrix), matrix))];
    }),
  };
}

/** A row each layer, and one for the states that the head reads. */
export function statesTable(reports: readonly ReportOf<'representation'>[], runs: readonly ShownRun[]): TableData {
  const layers = Math.max(1, ...reports.map(({ states }) => states.length - 1));
  const curves = reports.flatMap(({ request, states }) =>
    stateMeasures.map(({ value, label }) => ({
      title: `${shownRun(runs, request.run).name}, ${label}`,
      points: states.map((state) => ({ x: state.layer ?? layers, y: state[value] })),
    })),
  );
  return curvesTable(`Layer (${layers}: before the head)`, curves, (value) => value.toFixed(3));
}

export interface OutputLine {
  readonly title: string;
  readonly run: ShownRun;
  readonly value: Estimated;
}

/** Each divergence, of one run after the other. */
export const outputLines = (reports: readonly ReportOf<'output'>[], runs: readonly ShownRun[]): readonly OutputLine[] =>
  (['baseToTuned', 'tunedToBase', 'jensenShannon'] as const).flatMap((key) => reports.map(({ request, divergences }) => ({ title: divergenceNames[key], run: shownRun(runs, request.run), value: divergences[key] })));

export const outputTable = (reports: readonly ReportOf<'output'>[], runs: readonly ShownRun[]): TableData => ({
  columns: [{ title: 'Run and divergence' }, ...['Nats a token', 'Low', 'High'].map((title) => ({ title, format: formatNats }))],
  rows: outputLines(reports, runs).map(({ title, run, value }) => [`${run.name}, ${title}`, value.mean, value.low, value.high]),
});

/** Shares of right answers, or perplexities; changes are against the tuned weights on the same items. */
export const restoreTable = (reports: readonly ReportOf<'restore'>[], runs: readonly ShownRun[]): TableData => ({
  columns: ['Weights', 'Out-of-domain', 'Low', 'High', 'Against tuned', 'In-domain', 'Low, in-domain', 'High, in-domain', 'Against tuned, in-domain'].map((title) => ({ title, format: (value: number) => value.toFixed(3) })),
  rows: reports.flatMap(({ request, rows }) =>
    rows.map(({ weights, outOfDomain: out, inDomain: own }) => [
      `${shownRun(runs, request.run).name}: ${restoredNames[weights]}`, out.score.value, out.score.low, out.score.high, out.change?.mean ?? null, own.score.value, own.score.low, own.score.high, own.change?.mean ?? null,
    ]),
  ),
});
