/** @file The drawing of a line figure with recharts. Loaded on first use (LineChart), so that recharts is a chunk of its own. */
import { useMemo, type ReactElement } from 'react';
import { Area, CartesianGrid, ComposedChart, Line, XAxis, YAxis } from 'recharts';
import { PlotNotes } from './PlotNotes.tsx';
import type { LinePlotProps, LineSeries, Margins } from './plotModel.ts';
import { reduce, type Point } from './points.ts';
import type { Axis } from './scales.ts';
import { markerPath, seriesColour, seriesDash, strokeWidth } from './series.ts';

/** More points than this cannot be told apart in a figure. */
const mostPoints = 800;

interface Datum {
  readonly x: number;
  readonly y: number | null;
  readonly band: readonly [number, number] | null;
}

/** Values that the axis can show; on a logarithmic axis that leaves out zero. */
function drawable(points: readonly Point[], axis: Axis): Datum[] {
  const [floor, ceiling] = axis.domain;
  const clamp = (value: number): number => Math.max(floor, Math.min(ceiling, value));
  return reduce(points, mostPoints).map(({ x, y, low, high }) => ({
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
    const paint = open ? { fill: 'var(--paper)', stroke: colour, strokeWidth: 1.4 } : { fill: colour, stroke: 'var(--paper)', strokeWidth: 1 };
    return <path key={key} d={markerPath(series.method)} transform={`translate(${cx} ${cy})`} {...paint} />;
  };

function bandOf(series: LineSeries, data: Datum[]): ReactElement | null {
  if (!data.some(({ band }) => band !== null)) return null;
  return (
    <Area
      key={`${series.id}-band`} data={data} dataKey="band" type="linear" stroke="none" fill={seriesColour(series.method)} fillOpacity={0.13}
      dot={false} activeDot={false} isAnimationActive={false} tooltipType="none" legendType="none"
    />
  );
}

function linesOf(series: LineSeries, axis: Axis): ReactElement[] {
  const shared = { dataKey: 'y', type: 'linear', activeDot: false, isAnimationActive: false, connectNulls: false, tooltipType: 'none', legendType: 'none' } as const;
  const colour = seriesColour(series.method);
  const opacity = series.emphasis === 'faint' ? 0.42 : 1;
  const data = drawable(series.line, axis);
  const band = bandOf(series, data);
  return [
    ...(series.raw ? [<Line key={`${series.id}-raw`} {...shared} data={drawable(series.raw, axis)} stroke={colour} strokeOpacity={0.24} strokeWidth={1} dot={false} />] : []),
    ...(band ? [band] : []),
    <Line
      key={series.id} {...shared} data={data} stroke={colour} strokeOpacity={opacity} strokeWidth={strokeWidth(series.emphasis)}
      strokeDasharray={seriesDash(series.method)} strokeLinejoin="round" dot={series.markers ? dotOf(series, false) : false}
    />,
    ...(series.rings ? [<Line key={`${series.id}-rings`} {...shared} data={drawable(series.rings, axis)} stroke="none" strokeWidth={0} dot={dotOf(series, true)} />] : []),
  ];
}

/** The lines, bands, axes and labels of a figure of `width` by `height` pixels. */
export default function LinePlot({ width, height, margins, ...plot }: LinePlotProps & { readonly width: number; readonly height: number; readonly margins: Margins }): ReactElement {
  const { x, y, series } = plot;
  const drawn = useMemo(() => series.map((one) => linesOf(one, y)), [series, y]);
  return (
    <ComposedChart width={width} height={height} accessibilityLayer={false} margin={{ top: margins.top, right: margins.right, bottom: 0, left: 0 }}>
      <CartesianGrid vertical={false} stroke="var(--grid)" syncWithTicks />
      <XAxis
        dataKey="x" type="number" domain={[...x.domain]} ticks={[...x.ticks]} tickFormatter={x.format} interval={0} height={margins.bottom}
        tickLine={false} tickSize={0} tickMargin={6} axisLine={{ stroke: 'var(--ink-3)' }}
      />
      <YAxis
        dataKey="y" type="number" scale={y.kind} domain={[...y.domain]} ticks={[...y.ticks]} tickFormatter={y.format} interval={0} width={margins.left}
        tickLine={false} tickSize={0} tickMargin={6} axisLine={false}
      />
      {drawn}
      <PlotNotes {...plot} width={width} height={height} margins={margins} />
    </ComposedChart>
  );
}
