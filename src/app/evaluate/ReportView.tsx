/** @file A report: the sentence that says what differs, a row for each model, and the groups. */
import { useId, type ReactElement } from 'react';
import type { EvaluationReport, Score } from '../../worker/protocol.ts';
import { Phrases } from '../charts/Phrases.tsx';
import { toCsv } from '../charts/table.ts';
import { measureInfo } from '../data/measures.ts';
import { roleName } from '../data/roles.ts';
import { absent, formatCount, formatCounted, formatInterval, formatPercent, formatTime } from '../format.ts';
import { ColumnSwatch } from '../parts/ColumnSwatch.tsx';
import { CopyButton } from '../parts/CopyButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';
import type { NamedReport } from './form.ts';
import { furtherScores, groupRows, intervalText, orderedColumns, reportDetail, reportSentence, reportTable, runsSentence, scoreText, scoreTitle } from './report.ts';
import { edit, saveItems } from './session.ts';

const withInterval = (score: Score | undefined): string => (score === undefined ? absent : `${formatPercent(score.value, score.items)} (${formatInterval(score.low, score.high, score.items)})`);

function Scores({ report, names }: NamedReport): ReactElement {
  const further = furtherScores(report);
  return (
    <div className="eval-scroll" tabIndex={0} role="group" aria-label="Scores of each model">
      <table className="tbl eval-scores">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" className="n">
              {scoreTitle(report)}
            </th>
            <th scope="col" className="n">
              95% interval
            </th>
            <th scope="col" className="n">
              Items
            </th>
            {further.map(({ title }) => (
              <th key={title} scope="col" className="n">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {orderedColumns(report).map((column) => (
            <tr key={column.column}>
              <th scope="row">
                <span className="eval-column">
                  <ColumnSwatch column={column.column} />
                  {names[column.column] ?? column.column}
                </span>
              </th>
              <td className="n">
                <b>{scoreText(report, column.score)}</b>
              </td>
              <td className="n">{intervalText(report, column.score)}</td>
              <td className="n">{formatCount(column.score.items)}</td>
              {further.map(({ title, pick }) => (
                <td key={title} className="n">
                  {withInterval(pick(column))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Groups({ report, names }: NamedReport): ReactElement | null {
  const rows = groupRows(report);
  if (rows.length === 0) return null;
  const columns = orderedColumns(report);
  return (
    <details className="eval-groups" open={rows.length <= 12}>
      <summary>By group, {formatCounted(rows.length, 'group')}</summary>
      <div className="eval-scroll" tabIndex={0} role="group" aria-label="Scores by group">
        <table className="tbl eval-scores">
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col" className="n">
                Items
              </th>
              {columns.map(({ column }) => (
                <th key={column} scope="col" className="n">
                  {names[column] ?? column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ group, scores }) => (
              <tr key={group}>
                <th scope="row">{group}</th>
                <td className="n">{formatCount(scores.find((score) => score !== undefined)?.items)}</td>
                {scores.map((score, index) => (
                  <td key={columns[index]!.column} className="n">
                    {score === undefined ? (
                      absent
                    ) : (
                      <>
                        <b>{scoreText(report, score)}</b> <span className="eval-interval">{intervalText(report, score)}</span>
                      </>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

const reportName = ({ dataset, request, columns }: EvaluationReport): string => `${roleName(request.role)}, ${formatCount(columns[0]?.score.items)} of ${dataset}, ${measureInfo(request.measure).words}`;

/** Reports that were made before, where there are any. */
function Earlier({ shown }: { readonly shown: string }): ReactElement | null {
  const reports = useLab((state) => state.evaluation.reports);
  const id = useId();
  if (reports.length < 2) return null;
  return (
    <span className="eval-earlier">
      <label htmlFor={id}>Report</label>
      <select id={id} value={shown} onChange={(event) => edit({ shown: event.target.value })}>
        {reports.map(({ report }, index) => (
          <option key={report.id} value={report.id}>
            {reports.length - index}. {reportName(report)}
          </option>
        ))}
      </select>
    </span>
  );
}

export function ReportView({ named }: { readonly named: NamedReport }): ReactElement {
  const { report } = named;
  const between = runsSentence(named);
  return (
    <section className="eval-report" aria-label="Report">
      <div role="status">
        <h3 className="eval-line">
          <Phrases phrases={reportSentence(named)} />
        </h3>
        <p className="foot">
          {reportDetail(report)} {between} 95% intervals over the items. Took {formatTime(report.seconds)}.
        </p>
      </div>
      <Scores {...named} />
      <Groups {...named} />
      <div className="eval-acts">
        <Earlier shown={report.id} />
        <CopyButton text={toCsv(reportTable(named))} label="Copy as CSV" />
        <button type="button" className="btn" title="Every item with what each model answered, as JSON lines" onClick={() => void saveItems(named)}>
          <Icon name="download" />
          Save items as .jsonl
        </button>
      </div>
    </section>
  );
}
