/** @file Where the loss is sensitive: the share of the squared gradient in the top block, in a random one and in the tail. */
import type { ReactElement } from 'react';
import { seriesColour } from '../../charts/series.ts';
import { fisherFinding, formatTimes, ratioOf, timesInterval } from './findings.ts';
import { comparable, type ReportOf } from './reports.ts';
import { ProbePlate } from './ProbePlate.tsx';
import { shownRun, type ShownRun } from './shown.ts';
import { fisherName, fisherTable } from './tables.ts';
import { Whisker } from './Whisker.tsx';
import { useReports } from './useReports.ts';

/** Controls are grey, the base model ink. */
const colourOf = (report: ReportOf<'fisher'>, isControl: boolean, runs: readonly ShownRun[]): string =>
  isControl ? 'var(--ink-3)' : report.request.of === 'base' ? 'var(--ink)' : seriesColour(shownRun(runs, report.request.run).method);

/** One block after the other, each with its interval; the line is chance. */
export function FisherPlate({ runs }: { readonly runs: readonly ShownRun[] }): ReactElement {
  const all = useReports();
  const reports = comparable('fisher', all, runs.map(({ id }) => id));
  const lines = reports.flatMap((report) => {
    const { top, random, tail } = report.fisher.whole;
    const blocks = [['Top block', top], ['Random block', random], ['Tail block', tail]] as const;
    const shown = blocks.flatMap(([block, share]) => (share ? [{ block, ratio: ratioOf(share) }] : []));
    return shown.map((line, index) => ({ ...line, report, heads: index === 0 ? shown.length : 0 }));
  });
  const end = Math.max(2, ...lines.map(({ ratio }) => ratio.high)) * 1.05;
  const [focus] = runs;
  const targets = [...(focus ? [{ run: focus.id, of: 'base', name: 'base model' } as const] : []), ...runs.map(({ id, name }) => ({ run: id, of: 'run', name }) as const)];
  return (
    <ProbePlate
      kind="fisher"
      targets={targets}
      reports={reports}
      findings={reports.map((report) => fisherFinding(fisherName(report, runs), report))}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => fisherTable(reports, runs)}
      height={200}
    >
      <table className="tbl probe-table">
        <thead>
          <tr>
            <th scope="col">Gradients of</th>
            <th scope="col">Block</th>
            <td />
            <th scope="col" className="n">
              Times chance
            </th>
            <th scope="col" className="n">
              95%
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ report, block, ratio, heads }) => (
            <tr key={`${report.request.run} ${report.request.of} ${block}`}>
              {heads > 0 ? (
                <th scope="row" rowSpan={heads}>
                  {fisherName(report, runs)}
                </th>
              ) : null}
              <td>{block}</td>
              <td className="probe-bar">
                <Whisker value={ratio.mean} low={ratio.low} high={ratio.high} from={0} to={end} mark={1} colour={colourOf(report, heads === 0, runs)} bar />
              </td>
              <td className="n">{formatTimes(ratio.mean)}</td>
              <td className="n">{timesInterval(ratio)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ProbePlate>
  );
}
