/** @file What each run gained and lost, on one scale with its 95% interval. Doubles as the legend of the view. */
import type { ReactElement } from 'react';
import { formatPoints } from '../format.ts';
import type { LegendEntry } from './names.ts';
import { fraction } from './scales.ts';
import { markerPath, seriesColour } from './series.ts';
import { Swatch } from './Swatch.tsx';
import './balance.css';

/** A difference of two accuracies, as fractions, with its 95% interval. */
export interface Change {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface BalanceRow extends LegendEntry {
  readonly id: string;
  /** Undefined for a suite without right answers, whose loss is no number of points. */
  readonly inDomain: Change | undefined;
  readonly outOfDomain: Change | undefined;
}

/** Ends of the scale that all rows share: round, and around zero. */
export function balanceDomain(rows: readonly BalanceRow[]): readonly [number, number] {
  const all = rows.flatMap(({ inDomain, outOfDomain }) => [inDomain, outOfDomain].filter((change) => change !== undefined));
  const least = Math.min(0, ...all.map(({ low }) => low));
  const most = Math.max(0, ...all.map(({ high }) => high));
  return [Math.min(-0.1, Math.floor(least * 10) / 10), Math.max(0.1, Math.ceil(most * 10) / 10)];
}

interface BarProps extends BalanceRow {
  readonly domain: readonly [number, number];
}

function Bar({ method, inDomain, outOfDomain, domain }: BarProps): ReactElement {
  const at = (value: number): string => `${(fraction({ kind: 'linear', domain }, value) * 100).toFixed(2)}%`;
  const colour = seriesColour(method);
  const sameSide = inDomain !== undefined && outOfDomain !== undefined && inDomain.value * outOfDomain.value > 0;
  const parts = [
    { key: 'out', change: outOfDomain, y: sameSide ? 6 : 10 },
    { key: 'in', change: inDomain, y: sameSide ? 14 : 10 },
  ].flatMap(({ change, ...part }) => (change === undefined ? [] : [{ ...part, change }]));
  return (
    <svg className="figure-balance-bar" height="20" width="100%" aria-hidden="true">
      <line x1={at(0)} x2={at(0)} y1="0" y2="20" stroke="var(--ink-3)" />
      {parts.map(({ key, change, y }) => (
        <g key={key} stroke={colour}>
          <line x1={at(0)} x2={at(change.value)} y1={y} y2={y} strokeWidth="3" />
          <line x1={at(change.low)} x2={at(change.high)} y1={y} y2={y} />
          <line x1={at(change.low)} x2={at(change.low)} y1={y - 4} y2={y + 4} />
          <line x1={at(change.high)} x2={at(change.high)} y1={y - 4} y2={y + 4} />
          <svg x={at(change.value)} y={y} overflow="visible">
            <path d={markerPath(method)} fill={colour} stroke="var(--paper)" />
          </svg>
        </g>
      ))}
    </svg>
  );
}

const spoken = (change: Change | undefined): string =>
  change === undefined ? 'measured by its loss, not in points' : `${formatPoints(change.value)}, 95% interval ${formatPoints(change.low)} to ${formatPoints(change.high)}`;

/** One row per run: out-of-domain change, the bar around zero, in-domain change, all in points. */
export function Balance({ rows }: { readonly rows: readonly BalanceRow[] }): ReactElement {
  const domain = balanceDomain(rows);
  return (
    <table className="figure-balance">
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col" className="balance-number">
            Out-of-domain
          </th>
          <td>points</td>
          <th scope="col" className="balance-number">
            In-domain
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id}>
            <th scope="row">
              <Swatch method={row.method} />
              {row.name}
            </th>
            <td className="balance-number" title={spoken(row.outOfDomain)}>
              {formatPoints(row.outOfDomain?.value)}
            </td>
            <td className="balance-plot">
              <Bar {...row} domain={domain} />
            </td>
            <td className="balance-number" title={spoken(row.inDomain)}>
              {formatPoints(row.inDomain?.value)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
