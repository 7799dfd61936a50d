/** @file The table of all runs, a row a setting: what each reached, how it stands, and what can be done with it. */
import { Fragment, useMemo, type ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { seriesColour, seriesDash } from '../charts/series.ts';
import { Swatch } from '../charts/Swatch.tsx';
import type { TableData } from '../charts/table.ts';
import { formatLoss, formatPercentValue, formatPoints } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { selectRunById, showRun, useLab } from '../store.ts';
import type { ComparedGroup } from './comparison.ts';
import { bestOfEachMethod, drawOnly } from './drawing.ts';
import type { RunGroup } from './groups.ts';
import { hoverRow } from './highlight.ts';
import { RunDetails } from './RunDetails.tsx';
import { runColumns, type Column, type RunRow } from './rows.ts';
import { sortBy, toggleOpened, useCompare, type SortKey } from './state.ts';
import type { Spread } from './statistics.ts';
import { undoDelete } from './stored.ts';

/** The path of a group in the plane of gain and forgetting, from the base model at the top left. */
function Spark({ compared: { path, group } }: { readonly compared: ComparedGroup }): ReactElement {
  const points = path.map(({ gain, change }) => `${(Math.max(0, gain.mean) * 56).toFixed(1)} ${(Math.min(1, Math.max(0, -change.mean)) * 16).toFixed(1)}`);
  return (
    <svg className="spark" viewBox="0 0 56 16" width="56" height="16" aria-hidden="true">
      <path d="M0 0V16M0 0H56" fill="none" stroke="var(--rule)" />
      <path d={`M${points.join('L')}`} fill="none" stroke={seriesColour(group.config.method)} strokeDasharray={seriesDash(group.config.method)} strokeWidth="1.5" />
    </svg>
  );
}

function Value({ spread, row, column }: { readonly spread: Spread | undefined; readonly row: RunRow; readonly column: Column }): ReactElement {
  if (spread === undefined) return <td className="n na">–</td>;
  const ranged = (column.key === 'inDomain' || column.key === 'outOfDomain') && spread.count > 1;
  const { compared } = row;
  const interval = compared && (column.key === 'inDomain' ? compared.gain : column.key === 'change' || column.key === 'outOfDomain' ? compared.change : undefined);
  return (
    <td className="n" title={interval && `change ${formatPoints(interval.value)} points, 95% interval ${formatPoints(interval.low)} to ${formatPoints(interval.high)}`}>
      {column.write(spread.mean, row)}
      {ranged ? <small>{`${column.write(spread.low, row)}–${column.write(spread.high, row)}`}</small> : null}
    </td>
  );
}

function Head({ columns }: { readonly columns: readonly Column[] }): ReactElement {
  const { key: sorted, descending } = useCompare((state) => state.sort);
  const sortOf = (key: SortKey): 'ascending' | 'descending' | undefined => (key === sorted ? (descending ? 'descending' : 'ascending') : undefined);
  const button = (key: SortKey, title: string, unit: string): ReactElement => (
    <button type="button" className="sort" onClick={() => sortBy(key)}>
      {title}
      {sorted === key ? <span aria-hidden="true"> {descending ? '▼' : '▲'}</span> : null}
      <small>{unit}</small>
    </button>
  );
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="vh">Drawn</span>
        </th>
        <th scope="col" aria-sort={sortOf('name')}>
          {button('name', 'Run', 'named by what differs')}
        </th>
        <th scope="col" className="n">
          Seeds
        </th>
        <th scope="col">Path</th>
        {columns.map(({ key, title, unit }) => (
          <th key={key} scope="col" className="n" aria-sort={sortOf(key)}>
            {button(key, title, unit)}
          </th>
        ))}
        <th scope="col">
          <span className="vh">More</span>
        </th>
      </tr>
    </thead>
  );
}

function BaseRow({ compared, columns }: { readonly compared: ComparedGroup; readonly columns: readonly Column[] }): ReactElement | null {
  const base = compared.runs[0]?.evaluations.find(({ step }) => step === 0);
  if (base === undefined) return null;
  const text: Readonly<Partial<Record<SortKey, string>>> = {
    inDomain: formatPercentValue(base.inDomain.correct / base.inDomain.items, base.inDomain.items), outOfDomain: formatPercentValue(base.outOfDomain.correct / base.outOfDomain.items, base.outOfDomain.items),
    loss: formatLoss(base.outOfDomainLoss),
  };
  return (
    <tr className="baserow">
      <td />
      <th scope="row">Base model</th>
      <td />
      <td />
      {columns.map(({ key }) => (
        <td key={key} className="n">
          {text[key] ?? ''}
        </td>
      ))}
      <td />
    </tr>
  );
}

/** Follows the store itself: the table is drawn a moment later than a click, and a box may not wait for it. */
function DrawBox({ group }: { readonly group: RunGroup }): ReactElement {
  const ids = group.runs.map(({ id }) => id);
  const drawn = useLab((state) => ids.length === 0 || state.runs.some(({ id, visible }) => visible && ids.includes(id)));
  return (
    <input
      type="checkbox"
      checked={drawn}
      disabled={ids.length === 0}
      aria-label={`Draw ${group.name}`}
      title="Draw in the figures"
      onChange={(event) => {
        for (const id of ids) showRun(id, event.target.checked);
      }}
    />
  );
}

function Row({ row, columns, selected, opened }: { readonly row: RunRow; readonly columns: readonly Column[]; readonly selected: boolean; readonly opened: boolean }): ReactElement {
  const { group, compared, values, status, failed } = row;
  const seeds = compared?.runs.length ?? 0;
  return (
    <tr {...hoverRow(group.id)} data-selected={selected} data-hidden={!group.visible}>
      <td className="pin">
        <DrawBox group={group} />
      </td>
      <th scope="row">
        <button type="button" className="row-name" aria-pressed={selected} disabled={group.runs.length === 0} title="Draw strongest" onClick={() => selectRunById((compared?.runs ?? group.runs).at(-1)?.id ?? '')}>
          <Swatch method={group.config.method} />
          <span>{group.name}</span>
        </button>
        {group.pinned ? <span className="run-tag">pinned</span> : null}
        {group.tags.map((tag) => (
          <span key={tag} className="run-tag">
            {tag}
          </span>
        ))}
        {status === '' ? null : <span className={failed ? 'run-status bad' : 'run-status'}>{status}</span>}
      </th>
      <td className="n">{seeds === 0 ? '' : seeds}</td>
      <td>{compared === undefined ? null : <Spark compared={compared} />}</td>
      {columns.map((column) => (
        <Value key={column.key} spread={values[column.key]} row={row} column={column} />
      ))}
      <td className="more-c">
        <button type="button" className="ib" aria-expanded={opened} aria-label={`More of ${group.name}`} title="Settings, environment, hashes, name and tags" onClick={() => toggleOpened(group.id)}>
          <Icon name="chevron" className="chev" />
        </button>
      </td>
    </tr>
  );
}

/** The numbers behind the table. */
export const runsTable = (rows: readonly RunRow[]): TableData => ({
  columns: [{ title: 'Run' }, { title: 'Seeds' }, ...runColumns.flatMap(({ title, unit }) => [{ title: `${title}, ${unit}` }, { title: 'low' }, { title: 'high' }])],
  rows: rows.map(({ group, compared, values }) => [group.name, compared?.runs.length ?? 0, ...runColumns.flatMap(({ key }) => [values[key]?.mean ?? null, values[key]?.low ?? null, values[key]?.high ?? null])]),
});

interface RunsPlateProps {
  readonly rows: readonly RunRow[];
  readonly selected: string | undefined;
  /** What all runs share. */
  readonly shared: string;
}

/** Ticks many rows at once, where a method has several settings. */
function DrawButtons({ groups }: { readonly groups: readonly RunGroup[] }): ReactElement | null {
  const kept = useLab((state) => state.kept);
  const best = useMemo(() => bestOfEachMethod(groups, kept), [groups, kept]);
  if (best.length === 0 || best.length === groups.length) return null;
  return (
    <span className="compare-draw">
      Draw
      <button type="button" className="btn" onClick={() => drawOnly(groups)}>
        All
      </button>
      <button type="button" className="btn" title="The setting that keeps most where in-domain reaches half of the best gain, or gains most where none does; those with several seeds first; and what is pinned" onClick={() => drawOnly(best)}>
        Best of each method
      </button>
    </span>
  );
}

export function RunsPlate({ rows, selected, shared }: RunsPlateProps): ReactElement {
  const opened = useCompare((state) => state.opened);
  const columns = runColumns.filter(({ key }) => key !== 'time' || rows.some(({ values }) => values.time !== undefined));
  const groups = useMemo(() => rows.filter(({ removed }) => !removed).map(({ group }) => group), [rows]);
  const measured = rows.find(({ compared }) => compared !== undefined)?.compared;
  return (
    <Plate title="Runs" controls={<DrawButtons groups={groups} />} legend={[]} table={() => runsTable(rows)} span={12} height={320} foot={`${shared} Ranges over seeds.`.trim()}>
      <div className="compare-scroll" role="region" aria-label="Runs" tabIndex={0}>
        <table className="tbl runs">
          <Head columns={columns} />
          <tbody>
            {measured === undefined ? null : <BaseRow compared={measured} columns={columns} />}
            {rows.map((row) =>
              row.removed ? (
                <tr key={row.group.id} className="removed">
                  <td />
                  <th scope="row" colSpan={columns.length + 3}>
                    {row.group.name} deleted.{' '}
                    <button type="button" className="btn" onClick={() => void undoDelete(row.group.id)}>
                      Undo
                    </button>
                  </th>
                  <td />
                </tr>
              ) : (
                <Fragment key={row.group.id}>
                  <Row row={row} columns={columns} selected={row.group.id === selected} opened={opened === row.group.id} />
                  {opened === row.group.id ? (
                    <tr className="run-details-row">
                      <td colSpan={columns.length + 5}>
                        <RunDetails key={row.group.id} group={row.group} />
                      </td>
                    </tr>
                  ) : null}
                </Fragment>
              ),
            )}
          </tbody>
        </table>
      </div>
    </Plate>
  );
}
