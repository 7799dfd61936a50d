/** @file One run in a line figure: raw values, band, line, markers and rings, as recharts elements. */
import { memo, type ReactElement } from 'react';
import { Area, Line } from 'recharts';
import type { LineSeries } from './plotModel.ts';
import { reduce, type Point } from './points.ts';
import { sameAxis, type Axis } from './scales.ts';
import { markerPath, seriesColour, seriesDash, strokeWidth } from './series.ts';

/** More points than this cannot be told apart in a figure. */
const mostPoints = 800;

interface Datum {
  readonly x: number;
  readonly y: number | null;
  readonly band: readonly [number, number] | null;
}

/** Values that the axis can show; on a logarithmic axis that leaves out zero. */
function drawable(points: readonly Point[], axis: Axis, most: number): Datum[] {
  const [floor, ceiling] = axis.domain;
  const clamp = (value: number): number => Math.max(floor, Math.min(ceiling, value));
  return reduce(points, Math.min(mostPoints, most)).map(({ x, y, low, high }) => ({
    x,
    y: y === null || (axis.kind === 'log' && y <= 0) ? null : clamp(y),
    band: low === undefined || high === undefined || y === null ? null : [clamp(low), clamp(high)],
  }));
}

interface DotProps {
  readonly cx?: number | null;
  readonly cy?: number | null;
  readonly index?: number;
}

/** Renders the marker of a series at a datum; an open one is a ring. */
const dotOf = (series: LineSeries, open: boolean) =>
  function Dot({ cx, cy, index }: DotProps): ReactElement {
    const key = `${series.id}-${index}`;
    if (typeof cx !== 'number' || typeof cy !== 'number') return <g key={key} />;
    const colour = seriesColour(series.method);
    const paint = open
      ? { fill: 'var(--paper)', stroke: colour, strokeWidth: 1.4 }
      : { fill: colour, stroke: 'var(--paper)', strokeWidth: 1 };
    return <path key={key} d={markerPath(series.method)} transform={`translate(${cx} ${cy})`} {...paint} />;
  };

const shared = {
  dataKey: 'y',
  type: 'linear',
  activeDot: false,
  isAnimationActive: false,
  connectNulls: false,
  tooltipType: 'none',
  legendType: 'none',
} as const;

interface SeriesLinesProps {
  readonly series: LineSeries;
  readonly axis: Axis;
  /** Of the plot, in pixels: a noisy line needs two points a pixel for its extremes, a smooth one needs one. */
  readonly width: number;
}

/** Renders again only when the run or the axis has changed. */
export const SeriesLines = memo(
  function SeriesLines({ series, axis, width }: SeriesLinesProps): ReactElement {
    const colour = seriesColour(series.method);
    const data = drawable(series.line, axis, series.raw ? width : width * 2);
    const hasBand = data.some(({ band }) => band !== null);
    return (
      <>
        {series.raw && (
          <Line {...shared} data={drawable(series.raw, axis, width * 2)} stroke={colour} strokeOpacity={0.24} strokeWidth={1} dot={false} />
        )}
        {hasBand && (
          <Area
            data={data}
            dataKey="band"
            type="linear"
            stroke="none"
            fill={colour}
            fillOpacity={0.13}
            dot={false}
            activeDot={false}
            isAnimationActive={false}
            tooltipType="none"
            legendType="none"
          />
        )}
        <Line
          {...shared}
          data={data}
          stroke={colour}
          strokeOpacity={series.emphasis === 'faint' ? 0.42 : 1}
          strokeWidth={strokeWidth(series.emphasis)}
          strokeDasharray={seriesDash(series.method)}
          strokeLinejoin="round"
          dot={series.markers ? dotOf(series, false) : false}
        />
        {series.rings && (
          <Line {...shared} data={drawable(series.rings, axis, mostPoints)} stroke="none" strokeWidth={0} dot={dotOf(series, true)} />
        )}
      </>
    );
  },
  (before, after) => before.series === after.series && sameAxis(before.axis, after.axis) && before.width === after.width,
);
