/** @file How long the rows are in tokens, and where they would be cut. */
import type { ReactElement } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatPercent } from '../format.ts';

/** A round number at or above the largest count, for the top of the axis. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value) ?? value;
}

/** What the figure shows, in a sentence. */
function sentence({ rows, tokens, longest, truncatedRows }: DatasetSummary, limit: number): string {
  const mean = rows === 0 ? 0 : tokens / rows;
  const cut = truncatedRows === 0 ? 'Nothing is cut off.' : `${formatCounted(truncatedRows, 'row')} (${formatPercent(truncatedRows / rows)}) cut off at ${formatCount(limit)}.`;
  return `Mean ${mean.toFixed(1)}, longest ${formatCount(longest)}. ${cut}`;
}

export function LengthHistogram({ dataset, limit }: { readonly dataset: DatasetSummary; readonly limit: number }): ReactElement {
  const { width, counts } = dataset.lengths;
  const end = Math.max(limit * 1.04, counts.length * width);
  const top = niceCeiling(Math.max(...counts, 1));
  const percent = (tokens: number): string => `${(tokens / end) * 100}%`;
  const text = sentence(dataset, limit);
  return (
    <div>
      <h3>Length in tokens</h3>
      <div className="plot hist">
        <svg className="pa" role="img" aria-label={`Rows by length in tokens. ${text}`}>
          {[0, top / 2, top].map((count) => (
            <g key={count}>
              <line className="grid" x1="0" x2="100%" y1={`${(1 - count / top) * 100}%`} y2={`${(1 - count / top) * 100}%`} />
              <text className="tick" x="-6" y={`${(1 - count / top) * 100}%`} dy=".34em" textAnchor="end">
                {Number.isInteger(count) ? formatCount(count) : ''}
              </text>
            </g>
          ))}
          <line className="axis" x1="0" x2="100%" y1="100%" y2="100%" />
          {counts.map((count, index) => (
            <rect key={index * width} className="bar" x={percent(index * width)} width={`${(width / end) * 92}%`} y={`${(1 - count / top) * 100}%`} height={`${(count / top) * 100}%`} />
          ))}
          {[0, 0.25, 0.5, 0.75, 1].map((share) => (
            <text key={share} className="tick" x={percent(share * limit)} y="100%" dy="15" textAnchor="middle">
              {formatCount(share * limit)}
            </text>
          ))}
          <line className="kline" x1={percent(limit)} x2={percent(limit)} y1="0" y2="100%" />
          <text className="ref kline-t" x={percent(limit)} y="0" dy="-3" textAnchor="end">
            cut off
          </text>
        </svg>
      </div>
      <p className="foot">{text}</p>
    </div>
  );
}
