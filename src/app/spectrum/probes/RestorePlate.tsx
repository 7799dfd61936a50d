/** @file What comes back with a part of the pretrained block: both suites for the base, the tuned and the restored weights. */
import type { ReactElement } from 'react';
import type { Measure, RestoredScore } from '../../../worker/protocol.ts';
import { seriesColour } from '../../charts/series.ts';
import { formatInterval, formatPercent, formatPoints } from '../../format.ts';
import { restoredNames, restoreFindings } from './findings.ts';
import { comparable } from './reports.ts';
import { ProbePlate } from './ProbePlate.tsx';
import { shownRun, type ShownRun } from './shown.ts';
import { restoreTable } from './tables.ts';
import { Whisker } from './Whisker.tsx';
import { useReports } from './useReports.ts';

const scoreText = (measure: Measure, { value, items }: RestoredScore['score']): string => (measure === 'perplexity' ? value.toFixed(2) : formatPercent(value, items));
const intervalText = (measure: Measure, { low, high, items }: RestoredScore['score']): string => (measure === 'perplexity' ? `${low.toFixed(2)} to ${high.toFixed(2)}` : formatInterval(low, high, items));

/** Where all items agree, resampling them shows no spread, which is no certainty. */
function changeText({ change }: RestoredScore): string {
  if (!change) return '';
  const spread = change.low === change.high ? 'all items alike' : formatInterval(change.low, change.high).replace('%', '');
  return `${formatPoints(change.mean)} (${spread})`;
}

function Cells({ measure, scored, colour, end }: { readonly measure: Measure; readonly scored: RestoredScore; readonly colour: string; readonly end: number }): ReactElement {
  const { score } = scored;
  return (
    <>
      <td className="probe-bar">
        <Whisker value={score.value} low={score.low} high={score.high} from={0} to={end} colour={colour} />
      </td>
      <td className="n">
        {scoreText(measure, score)}
        <small>{intervalText(measure, score)}</small>
      </td>
      <td className="n">{changeText(scored)}</td>
    </>
  );
}

/** A block of rows for each run; changes are against the tuned weights on the same items. */
export function RestorePlate({ runs }: { readonly runs: readonly ShownRun[] }): ReactElement {
  const all = useReports();
  const reports = comparable('restore', all, runs.map(({ id }) => id));
  const lines = reports.flatMap(({ request, rows, measures }) => rows.map((row) => ({ ...row, measures, run: shownRun(runs, request.run) })));
  const end = (suite: 'inDomain' | 'outOfDomain'): number => Math.max(1, ...lines.filter(({ measures }) => measures[suite] === 'perplexity').map((line) => line[suite].score.high));
  return (
    <ProbePlate
      kind="restore"
      targets={runs.map(({ id, name }) => ({ run: id, of: 'run', name }))}
      reports={reports}
      findings={restoreFindings(reports, ({ request }) => shownRun(runs, request.run).name)}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => restoreTable(reports, runs)}
      height={260}
    >
      <section className="probe-scroll" aria-label="Causal restore, scrolls sideways" tabIndex={0}>
        <table className="tbl probe-table">
          <thead>
            <tr>
              <th scope="col">Weights</th>
              <td />
              <th scope="col" className="n">
                Out-of-domain
              </th>
              <th scope="col" className="n">
                against tuned
              </th>
              <td />
              <th scope="col" className="n">
                In-domain
              </th>
              <th scope="col" className="n">
                against tuned
              </th>
            </tr>
          </thead>
          <tbody>
            {lines.map(({ run, weights, measures, inDomain, outOfDomain }) => {
              const colour = weights === 'base' ? 'var(--ink)' : seriesColour(run.method);
              return (
                <tr key={`${run.id} ${weights}`}>
                  <th scope="row">{reports.length > 1 ? `${run.name}: ${restoredNames[weights].toLowerCase()}` : restoredNames[weights]}</th>
                  <Cells measure={measures.outOfDomain} scored={outOfDomain} colour={colour} end={end('outOfDomain')} />
                  <Cells measure={measures.inDomain} scored={inDomain} colour={colour} end={end('inDomain')} />
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
    </ProbePlate>
  );
}
