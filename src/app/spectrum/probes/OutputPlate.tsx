/** @file How far predictions have moved: divergences of the next token both ways and in the middle, with intervals over examples. */
import type { ReactElement } from 'react';
import { seriesColour } from '../../charts/series.ts';
import { Swatch } from '../../charts/Swatch.tsx';
import { formatNats, natsInterval, outputFinding } from './findings.ts';
import { comparable } from './reports.ts';
import { ProbePlate } from './ProbePlate.tsx';
import { shownRun, type ShownRun } from './shown.ts';
import { outputLines, outputTable } from './tables.ts';
import { Whisker } from './Whisker.tsx';
import { useReports } from './useReports.ts';

/** A row for each run and divergence, all on one scale. */
export function OutputPlate({ runs }: { readonly runs: readonly ShownRun[] }): ReactElement {
  const all = useReports();
  const reports = comparable('output', all, runs.map(({ id }) => id));
  const lines = outputLines(reports, runs);
  const end = Math.max(1e-9, ...lines.map(({ value }) => value.high)) * 1.05;
  return (
    <ProbePlate
      kind="output"
      targets={runs.map(({ id, name }) => ({ run: id, of: 'run', name }))}
      reports={reports}
      findings={reports.map((report) => outputFinding(shownRun(runs, report.request.run).name, report))}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => outputTable(reports, runs)}
      height={200}
    >
      <table className="tbl probe-table">
        <thead>
          <tr>
            <th scope="col">Divergence</th>
            <th scope="col">Run</th>
            <td />
            <th scope="col" className="n">
              Nats a token
            </th>
            <th scope="col" className="n">
              95%
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ title, run, value }) => (
            <tr key={`${run.id} ${title}`}>
              <th scope="row">{title}</th>
              <td>
                <Swatch method={run.method} /> {run.name}
              </td>
              <td className="probe-bar">
                <Whisker value={value.mean} low={value.low} high={value.high} from={0} to={end} colour={seriesColour(run.method)} bar />
              </td>
              <td className="n">{formatNats(value.mean)}</td>
              <td className="n">{natsInterval(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ProbePlate>
  );
}
