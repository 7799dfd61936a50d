/** @file The body of the report: the finding, the figures as drawings, the tables, what was measured of the model itself, and every run with its settings, environment and hashes. No state, no links, no styles in attributes. */
import type { ReactElement } from 'react';
import { lineMargins } from '../train/margins.ts';
import { plainText } from '../charts/Phrases.tsx';
import type { LineSeries } from '../charts/plotModel.ts';
import type { Axis } from '../charts/scales.ts';
import { Swatch } from '../charts/Swatch.tsx';
import { compare } from '../compare/comparison.ts';
import { accuracySeries, lossSeries, type DrawnGroup } from '../compare/curves.ts';
import { comparisonFinding } from '../compare/findings.ts';
import { countedRuns, type KeptRuns, type RunGroup } from '../compare/groups.ts';
import { keptRows, seedText } from '../compare/keptRows.ts';
import { runColumns, runRow } from '../compare/rows.ts';
import { ScatterDrawing } from '../compare/ScatterDrawing.tsx';
import { scatterModel } from '../compare/scatterModel.ts';
import { settingsTable, sharedSentence } from '../compare/settings.ts';
import type { Frame } from '../compare/state.ts';
import { formatCount, formatDay, formatPercent, formatPercentValue, formatShare } from '../format.ts';
import { configRows } from '../run/configRows.ts';
import { isUnknown } from '../runs.ts';
import { inDomainAxis, outOfDomainAxis, powerTick, stepAxis, valueAxis } from '../train/curves.ts';
import { Diagnostics } from './Diagnostics.tsx';
import { Figure, Table } from './figures.tsx';
import { LineDrawing } from './LineDrawing.tsx';

/** What a report is of. */
export interface ReportData {
  readonly groups: readonly RunGroup[];
  readonly kept: KeptRuns;
  /** The group that is drawn strongest. */
  readonly selected: string | undefined;
  readonly frame: Frame;
  /** The group that the table of equal gain is read against. */
  readonly reference: string | undefined;
  readonly model: string | undefined;
  readonly date: Date;
}

const isSeries = (series: LineSeries | undefined): series is LineSeries => series !== undefined;

function Curves({ drawn }: { readonly drawn: readonly DrawnGroup[] }): ReactElement {
  const x = stepAxis(Math.max(1, ...drawn.map(({ group }) => group.config.steps)), 6);
  const accuracies = (['inDomain', 'outOfDomain'] as const).map((suite) => ({ suite, series: drawn.map((one) => accuracySeries(one, suite)).filter(isSeries) }));
  const losses = drawn.map((one) => lossSeries(one, 0.9, 'log')).filter(isSeries);
  const axisOf = (suite: 'inDomain' | 'outOfDomain', series: readonly LineSeries[]): Axis =>
    suite === 'inDomain' ? inDomainAxis : outOfDomainAxis(Math.min(1, ...series.flatMap(({ line }) => line.flatMap(({ y, low }) => (y === null ? [] : [low ?? y])))));
  const draw = (series: readonly LineSeries[], y: Axis, height: number): ReactElement => <LineDrawing x={x} y={y} series={series} width={920} height={height} margins={lineMargins(series.map(({ name }) => name), false)} />;
  return (
    <>
      {accuracies.map(({ suite, series }) =>
        series.length === 0 ? null : (
          <Figure key={suite} title={suite === 'inDomain' ? 'In-domain accuracy' : 'Out-of-domain accuracy'} unit="%, by step; mean and range over seeds" label={`Accuracy by step of ${series.map(({ name }) => name).join(', ')}`} width={920} height={216}>
            {draw(series, axisOf(suite, series), 216)}
          </Figure>
        ),
      )}
      {losses.length === 0 ? null : (
        <Figure title="Training loss" unit="nats a token, by step, logarithmic, smoothed by 0.9; mean and range over seeds" label={`Training loss by step of ${losses.map(({ name }) => name).join(', ')}`} width={920} height={190}>
          {draw(losses, valueAxis(losses, 'log', 5, powerTick), 190)}
        </Figure>
      )}
    </>
  );
}

function Facts({ rows }: { readonly rows: readonly (readonly [name: string, value: string])[] }): ReactElement {
  return (
    <dl>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A group with all that is needed to make its runs again, and each run's end. */
function Group({ group, kept }: { readonly group: RunGroup; readonly kept: KeptRuns }): ReactElement {
  const [first] = group.runs;
  const facts = first && kept[first.id]?.environment;
  return (
    <section>
      <h3>
        <Swatch method={group.config.method} /> {group.name}
      </h3>
      {group.tags.length === 0 ? null : <p className="foot">Tags: {group.tags.join(', ')}</p>}
      <Facts
        rows={[
          ...(first === undefined ? [] : [['Model', first.model], ['Data', first.dataset]] as const),
          ...(first !== undefined && isUnknown(first) ? [] : configRows(group.config).filter(([name]) => name !== 'Seed')),
          ...(facts === undefined ? [] : [['Adapter', facts.adapter], ['Browser', facts.browser], ...(facts.modelRevision === undefined ? [] : [['Model at', facts.modelRevision] as const]), ...Object.entries(facts.dataHashes).map(([name, hash]) => [`SHA-256 of ${name}`, hash] as const)] as const),
        ]}
      />
      <ul>
        {group.runs.map(({ id, config, state, startedAt, completedSteps, evaluations, message }) => {
          const last = evaluations.at(-1);
          const result = last === undefined || last.step === 0 ? '' : `, in-domain ${formatPercent(last.inDomain.correct / last.inDomain.items, last.inDomain.items)}, out-of-domain ${formatPercent(last.outOfDomain.correct / last.outOfDomain.items, last.outOfDomain.items)}`;
          return (
            <li key={id}>
              Seed {config.seed}, {formatDay(startedAt)}: {state} at step {formatCount(completedSteps)}
              {result}
              {message === undefined ? '' : `. ${message}`}
            </li>
          );
        })}
      </ul>
      <details>
        <summary>Configuration as JSON</summary>
        <pre>{JSON.stringify(group.runs.map(({ config }) => config), undefined, 1)}</pre>
      </details>
    </section>
  );
}

export function Report({ groups, kept, selected, frame, reference, model, date }: ReportData): ReactElement {
  const comparison = compare(groups, kept);
  const finding = comparisonFinding(comparison);
  const settings = settingsTable(groups, kept);
  const measured = groups.filter((group) => group.visible && countedRuns(group).length > 0);
  const drawn = measured.map((group): DrawnGroup => ({ group, emphasis: group.id === selected ? 'current' : 'overlay' }));
  const equal = keptRows(comparison, reference);
  const rows = groups.map((group) => runRow(group));
  const marks = { up: '▲ ', down: '▼ ' } as const;
  const items = (place: number): number | undefined => equal.rows[place]?.one.runs[0]?.evaluations.at(-1)?.outOfDomain.items;
  return (
    <main>
      <p className="foot">
        Gimbal, {formatDay(date.toISOString())}
        {model === undefined ? '' : `, ${model}`}
      </p>
      <h1>{plainText(finding.line)}</h1>
      <p>{finding.detail}</p>
      {comparison.groups.length === 0 ? null : (
        <Figure title="Gain against forgetting" unit="points; up and to the right is better" label={`In-domain gain against out-of-domain change of ${comparison.groups.map(({ group }) => group.name).join(', ')}`} width={920} height={430} foot="Each marker is a checkpoint, the mean over seeds; pale markers are where each seed ends. Crosses: 95% of the items at the last step.">
          <ScatterDrawing model={scatterModel(comparison, frame, selected)} width={920} height={430} margins={{ top: 18, right: 140, bottom: 22, left: 34 }} />
        </Figure>
      )}
      {equal.rows.length === 0 ? null : (
        <Table
          title="Kept at equal gain"
          unit="out-of-domain accuracy in %, where in-domain first reaches a level; interpolated between checkpoints"
          methods={equal.rows.map(({ one }) => one.group.config.method)}
          data={{
            columns: [{ title: 'Run' }, ...comparison.levels.map(({ inDomain, share }) => ({ title: `${formatPercent(inDomain, 0)}, ${formatShare(share)} of best` }))],
            rows: equal.rows.map(({ one, kept: own, marks: marked }, place) => [
              one.group.name,
              ...own.map((at, index) => (at.value === undefined ? 'not reached' : `${marked[index] === undefined ? '' : marks[marked[index]]}${formatPercentValue(at.value.mean, items(place))} (${seedText(at, items(place))})`)),
            ]),
          }}
          foot={`▲ ▼ mark ranges over seeds that are apart from those of ${equal.reference?.group.name ?? ''}. Single runs, and settings of which some seeds never get there, are not marked. ${equal.absent}`}
        />
      )}
      <Curves drawn={drawn} />
      <Table
        title="Runs"
        unit="at the last step; range over seeds"
        methods={rows.map(({ group }) => group.config.method)}
        data={{
          columns: [{ title: 'Run' }, { title: 'Seeds' }, ...runColumns.map(({ title, unit }) => ({ title: `${title}, ${unit}` })), { title: 'State' }],
          rows: rows.map((row) => [
            row.group.name,
            String(row.compared?.runs.length ?? 0),
            ...runColumns.map(({ key, write }) => {
              const spread = row.values[key];
              if (spread === undefined) return null;
              return spread.count > 1 ? `${write(spread.mean, row)} (${write(spread.low, row)} to ${write(spread.high, row)})` : write(spread.mean, row);
            }),
            row.status,
          ]),
        }}
        foot={sharedSentence(settings)}
      />
      {settings.columns.length === 0 || groups.length < 2 ? null : (
        <Table
          title="What differs"
          unit="settings that are not the same in all runs"
          methods={groups.map(({ config }) => config.method)}
          data={{ columns: ['Run', ...settings.columns].map((title) => ({ title })), rows: groups.map(({ name }, index) => [name, ...settings.rows[index]!.map((value) => value ?? null)]) }}
        />
      )}
      <Diagnostics groups={groups.filter(({ visible }) => visible)} />
      <h2>Every run</h2>
      {groups.filter(({ runs }) => runs.length > 0).map((group) => (
        <Group key={group.id} group={group} kept={kept} />
      ))}
    </main>
  );
}
