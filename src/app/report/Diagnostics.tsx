/** @file What runs have measured of the model itself, in the report: while they went on, and on demand. Nothing where nothing was measured. */
import type { ReactElement } from 'react';
import type { ProbeKind } from '../../worker/protocol.ts';
import { Phrases, type Phrase } from '../charts/Phrases.tsx';
import type { LineSeries } from '../charts/plotModel.ts';
import type { Point } from '../charts/points.ts';
import type { Axis } from '../charts/scales.ts';
import { curvesTable, type TableData } from '../charts/table.ts';
import { meanLine } from '../compare/curves.ts';
import { countedRuns, type RunGroup } from '../compare/groups.ts';
import { formatCount } from '../format.ts';
import type { LabRun } from '../runs.ts';
import { followedText, outputAxis, outputPoints, stateAxis, statePoints } from '../spectrum/followed.ts';
import { divergenceNames, fisherFinding, formatNats, outputFinding, probeInfos, restoreFindings, statesFinding } from '../spectrum/probes/findings.ts';
import { takenText } from '../spectrum/probes/probes.ts';
import { reportsOf, sideBySide, type ReportOf } from '../spectrum/probes/reports.ts';
import { shownRun, type ShownRun } from '../spectrum/probes/shown.ts';
import { fisherName, fisherTable, outputTable, restoreTable, statesTable } from '../spectrum/probes/tables.ts';
import { stepAxis } from '../train/curves.ts';
import { lineMargins } from '../train/margins.ts';
import { Figure, Rows } from './figures.tsx';
import { LineDrawing } from './LineDrawing.tsx';

interface NamedRun extends ShownRun {
  readonly run: LabRun;
}

/** Runs by the name of their group, and by their seed where it has several; those that agree in it too get a number. */
function namedRuns({ name, runs }: RunGroup): readonly NamedRun[] {
  return runs.map((run, index) => {
    const sameSeed = ({ config }: LabRun): boolean => config.seed === run.config.seed;
    const seed = runs.length > 1 ? ` seed ${run.config.seed}` : '';
    const twin = runs.filter(sameSeed).length > 1 ? ` (${runs.slice(0, index + 1).filter(sameSeed).length})` : '';
    return { id: run.id, name: `${name}${seed}${twin}`, method: run.config.method, run };
  });
}

/** A longer table is folded: Fisher has a row for every matrix. */
const mostRows = 24;

function Numbers({ data }: { readonly data: TableData }): ReactElement {
  if (data.rows.length <= mostRows) return <Rows data={data} />;
  return (
    <details>
      <summary>Table of {formatCount(data.rows.length)} rows</summary>
      <Rows data={data} />
    </details>
  );
}

interface MeasuredProps<Kind extends ProbeKind> {
  readonly kind: Kind;
  /** By question. */
  readonly found: readonly (readonly ReportOf<Kind>[])[];
  readonly findings: (reports: readonly ReportOf<Kind>[]) => readonly (readonly Phrase[])[];
  readonly table: (reports: readonly ReportOf<Kind>[]) => TableData;
}

/** All reports of one kind, those that asked the same in one table. */
function Measured<Kind extends ProbeKind>({ kind, found, findings, table }: MeasuredProps<Kind>): ReactElement | null {
  if (found.length === 0) return null;
  const { title, unit, means, meansNot } = probeInfos[kind];
  return (
    <figure>
      <figcaption>
        <b>{title}</b> <span>{unit}</span>
      </figcaption>
      {found.map((reports, place) => (
        <section key={`${place}-${kind}`}>
          {findings(reports).map((phrases, index) => (
            <p key={`${index}-${kind}`}>
              <Phrases phrases={phrases} />
            </p>
          ))}
          <Numbers data={table(reports)} />
          <p className="foot">{[...new Set(reports.map(takenText))].join('; ')}.</p>
        </section>
      ))}
      <p className="foot">
        {means} {meansNot}
      </p>
    </figure>
  );
}

interface FollowedProps {
  readonly kind: 'representation' | 'output';
  readonly unit: string;
  readonly groups: readonly RunGroup[];
  readonly runs: readonly NamedRun[];
  readonly points: (run: LabRun) => readonly Point[];
  readonly axis: (series: readonly LineSeries[]) => Axis;
  readonly write: (value: number) => string;
}

/** A line for each group, with a band over its seeds, and every run in the table. */
function Followed({ kind, unit, groups, runs, points, axis, write }: FollowedProps): ReactElement | null {
  const series = groups.flatMap((group): LineSeries[] => {
    const line = meanLine(countedRuns(group).map(points).filter(({ length }) => length > 0));
    return line.length === 0 ? [] : [{ id: group.id, name: group.name, method: group.config.method, emphasis: 'overlay', markers: true, line }];
  });
  const curves = runs.map(({ name, run }) => ({ title: name, points: points(run) })).filter((curve) => curve.points.length > 0);
  if (curves.length === 0) return null;
  const end = Math.max(1, ...series.flatMap(({ line }) => line.map(({ x }) => x)));
  const { title } = probeInfos[kind];
  return (
    <>
      {series.length === 0 ? null : (
        <Figure title={`${title} during the run`} unit={`${unit}, by step; mean and range over seeds`} label={`${title} by step of ${series.map(({ name }) => name).join(', ')}`} width={920} height={190}>
          <LineDrawing x={stepAxis(end, 6)} y={axis(series)} series={series} width={920} height={190} margins={lineMargins(series.map(({ name }) => name), false)} />
        </Figure>
      )}
      <div className="wide">
        <Numbers data={curvesTable('Step', curves, write)} />
      </div>
    </>
  );
}

/** Of these groups, whatever there is. */
export function Diagnostics({ groups }: { readonly groups: readonly RunGroup[] }): ReactElement | null {
  const runs = groups.flatMap(namedRuns).filter(({ run }) => run.reports.length > 0 || run.followed.length > 0);
  if (runs.length === 0) return null;
  const followed = runs.filter(({ run }) => run.followed.length > 0);
  const measured = runs.filter(({ run }) => run.reports.length > 0);
  const reports = reportsOf(measured.map(({ run }) => run));
  const ids = measured.map(({ id }) => id);
  const nameOf = ({ request }: ReportOf<ProbeKind>): string => shownRun(measured, request.run).name;
  return (
    <>
      <h2>Diagnostics</h2>
      <Followed kind="representation" unit="CKA of hidden states before the head to those of the base model" groups={groups} runs={followed} points={(run) => statePoints(run, 'cka')} axis={(series) => stateAxis('cka', series)} write={(value) => value.toFixed(3)} />
      <Followed kind="output" unit={`${divergenceNames.baseToTuned}, nats a token`} groups={groups} runs={followed} points={(run) => outputPoints(run)} axis={outputAxis} write={formatNats} />
      {followed.length === 0 ? null : <p className="foot">{followed.map(({ name, run }) => `${name}: ${followedText(run)}`).join(' ')} Of a single run, the band of a divergence is its 95% interval over examples.</p>}
      <Measured kind="fisher" found={sideBySide('fisher', reports, ids)} findings={(found) => found.map((report) => fisherFinding(fisherName(report, measured), report))} table={(found) => fisherTable(found, measured)} />
      <Measured kind="representation" found={sideBySide('representation', reports, ids)} findings={(found) => found.map((report) => statesFinding(nameOf(report), report))} table={(found) => statesTable(found, measured)} />
      <Measured kind="output" found={sideBySide('output', reports, ids)} findings={(found) => found.map((report) => outputFinding(nameOf(report), report))} table={(found) => outputTable(found, measured)} />
      <Measured kind="restore" found={sideBySide('restore', reports, ids)} findings={(found) => restoreFindings(found, nameOf)} table={(found) => restoreTable(found, measured)} />
    </>
  );
}
