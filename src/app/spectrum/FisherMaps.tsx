/** @file The Fisher share of each matrix, of the base model and of the runs that were measured, on one scale. */
import type { ReactElement } from 'react';
import { layersOf, matrixLabel } from './mapCells.ts';
import { MapPlate } from './MapPlate.tsx';
import { fisherEnd, fisherRows } from './probes/fisherCells.ts';
import { formatTimes, ratioOf, timesInterval } from './probes/findings.ts';
import { fisherName } from './probes/tables.ts';
import type { ReportOf } from './probes/reports.ts';
import { shownRun, type ShownRun } from './probes/shown.ts';

interface FisherMapsProps {
  readonly reports: readonly ReportOf<'fisher'>[];
  readonly runs: readonly ShownRun[];
  readonly selected: string | undefined;
  readonly onSelect: (key: string) => void;
}

export function FisherMaps({ reports, runs, selected, onSelect }: FisherMapsProps): ReactElement {
  const end = fisherEnd(reports.flatMap(({ fisher }) => fisher.matrices));
  const span = reports.length === 1 ? 12 : reports.length === 2 ? 6 : 4;
  return (
    <div className="figure-grid spectrum-maps">
      {reports.map((report) => {
        const { matrices } = report.fisher;
        const { request } = report;
        return (
          <MapPlate
            key={`${request.run} ${request.of}`}
            title={fisherName(report, runs)}
            {...(request.of === 'run' ? { method: shownRun(runs, request.run).method } : {})}
            metric="Fisher share"
            unit="top block ÷ chance"
            ramp="seq"
            from="1×"
            to={formatTimes(end)}
            layers={layersOf({ matrices })}
            rows={fisherRows(matrices, end)}
            values={() => ({
              columns: [{ title: 'Matrix' }, { title: 'Times chance', format: formatTimes }, { title: '95%' }],
              rows: matrices.map((matrix) => [matrixLabel(matrix), matrix.top.ratio, timesInterval(ratioOf(matrix.top))]),
            })}
            span={span}
            selected={selected}
            onSelect={onSelect}
          />
        );
      })}
    </div>
  );
}
