/** @file Out-of-domain accuracy by group: a bar for now, a tick for the base model, the groups that lost most first. */
import { useMemo, type ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { seriesColour } from '../charts/series.ts';
import type { TableData } from '../charts/table.ts';
import { formatCount, formatInterval, formatPercent, formatPercentValue } from '../format.ts';
import { isAccuracy } from '../results.ts';
import type { LabRun } from '../runs.ts';
import type { FigureSet } from './figureSet.ts';
import { groupChanges, type GroupChange } from './groups.ts';

/** As many as fit beside the small figures; the table has all. */
const mostShown = 10;

const percent = (fraction: number): string => `${(fraction * 100).toFixed(1)}%`;
const share = ({ correct, items }: { readonly correct: number; readonly items: number }): number => correct / items;

function Group({ group, before, after, colour }: GroupChange & { readonly colour: string }): ReactElement {
  const interval = formatInterval(after.low, after.high, after.items);
  const now = `${formatPercent(share(after), after.items)} of ${formatCount(after.items)} items, 95% interval ${interval}`;
  const spoken = `${group}: ${now}, base model ${formatPercent(share(before), before.items)}`;
  return (
    <li className="group" title={spoken}>
      <span className="group-name">{group}</span>
      <span className="group-items">{formatCount(after.items)}</span>
      <svg width="100%" height="16" role="img" aria-label={spoken}>
        <line x1="0" x2="100%" y1="12.5" y2="12.5" stroke="var(--grid)" />
        <rect x="0" y="4" width={percent(share(after))} height="8" fill={colour} />
        <line x1={percent(after.low)} x2={percent(after.high)} y1="8" y2="8" stroke="var(--ink)" />
        <line x1={percent(share(before))} x2={percent(share(before))} y1="1" y2="15" stroke="var(--ink)" strokeWidth="1.5" />
      </svg>
      <span className="group-value">{formatPercentValue(share(after), after.items)}</span>
    </li>
  );
}

function tableOf(runs: readonly { readonly run: LabRun; readonly name: string }[]): TableData {
  const changes = runs.map(({ run }) => new Map(groupChanges(run).map((change) => [change.group, change])));
  const groups = [...(changes[0]?.values() ?? [])];
  return {
    columns: [
      { title: 'Group' },
      { title: 'Items' },
      { title: 'Base, %', format: formatPercentValue },
      ...runs.map(({ name }) => ({ title: `${name}, %`, format: formatPercentValue })),
    ],
    rows: groups.map(({ group, before, after }) => [
      group,
      after.items,
      share(before),
      ...changes.map((change) => {
        const found = change.get(group);
        return found ? share(found.after) : null;
      }),
    ]),
  };
}

/** Why there are no bars. */
function emptyText({ drawn, waiting }: FigureSet, accuracy: boolean): string {
  const evaluated = drawn.at(-1)?.run.evaluations.some(({ step }) => step > 0) ?? false;
  if (!accuracy) return 'This suite is plain text, measured by its loss. Evaluate shows the perplexity of each of its groups.';
  return evaluated ? 'The items of this suite have no groups. Map a column as the group to see them apart.' : waiting;
}

/** The current run only: with small groups, two runs in one row would invite comparing noise. The table has all runs. */
export function GroupsPlate({ figures }: { readonly figures: FigureSet }): ReactElement {
  const current = figures.drawn.at(-1);
  const changes = useMemo(() => (current ? groupChanges(current.run) : []), [current]);
  const shown = changes.slice(0, mostShown);
  const accuracy = isAccuracy(figures.measures.outOfDomain);
  const unit =
    changes.length === 0 || !accuracy
      ? ''
      : changes.length > shown.length
        ? `% correct, items; the ${shown.length} of ${changes.length} that lost most`
        : '% correct, items';
  return (
    <Plate
      title="Out-of-domain by group"
      {...(unit === '' ? {} : { unit })}
      span={6}
      height={120}
      legend={figures.legend.slice(0, 1)}
      {...(accuracy && changes.length > 0 ? { table: () => tableOf([...figures.drawn].reverse()) } : {})}
    >
      {current && accuracy && changes.length > 0 ? (
        <ul className="groups-list">
          {shown.map((change) => (
            <Group key={change.group} {...change} colour={seriesColour(current.run.config.method)} />
          ))}
        </ul>
      ) : (
        <p className="groups-empty">{emptyText(figures, accuracy)}</p>
      )}
    </Plate>
  );
}
