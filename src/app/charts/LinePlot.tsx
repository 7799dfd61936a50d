/** @file The drawing of a line figure with recharts. Loaded on first use (LineChart), so that recharts is a chunk of its own. */
import { memo, type ReactElement } from 'react';
import { CartesianGrid, ComposedChart, Line, XAxis, YAxis } from 'recharts';
import { PlotNotes } from './PlotNotes.tsx';
import { plotBox, type LinePlotProps, type Margins } from './plotModel.ts';
import { sameAxis, type Axis } from './scales.ts';
import { SeriesLines } from './SeriesLines.tsx';

interface AxesProps {
  readonly x: Axis;
  readonly y: Axis;
  readonly margins: Margins;
}

/** recharts computes every line anew when the settings of an axis change, so they are only given when they do. */
const Axes = memo(
  function Axes({ x, y, margins }: AxesProps): ReactElement {
    return (
      <>
        <CartesianGrid vertical={false} stroke="var(--grid)" syncWithTicks />
        <XAxis
          dataKey="x"
          type="number"
          domain={[...x.domain]}
          ticks={[...x.ticks]}
          tickFormatter={x.format}
          interval={0}
          height={margins.bottom}
          tickLine={false}
          tickSize={0}
          tickMargin={6}
          axisLine={{ stroke: 'var(--ink-3)' }}
        />
        <YAxis
          dataKey="y"
          type="number"
          scale={y.kind}
          domain={[...y.domain]}
          ticks={[...y.ticks]}
          tickFormatter={y.format}
          interval={0}
          width={margins.left}
          tickLine={false}
          tickSize={0}
          tickMargin={6}
          axisLine={false}
        />
        {/* recharts gives no ticks to axes without data: the corners of an empty figure are its data. */}
        <Line
          data={x.domain.map((end, index) => ({ x: end, y: y.domain[index] }))}
          dataKey="y"
          stroke="none"
          dot={false}
          activeDot={false}
          isAnimationActive={false}
        />
      </>
    );
  },
  (before, after) => sameAxis(before.x, after.x) && sameAxis(before.y, after.y) && before.margins === after.margins,
);

/** The lines, bands, axes and labels of a figure of `width` by `height` pixels. */
export default function LinePlot({
  width,
  height,
  margins,
  ...plot
}: LinePlotProps & { readonly width: number; readonly height: number; readonly margins: Margins }): ReactElement {
  const { x, y, series } = plot;
  const box = plotBox(width, height, margins);
  return (
    <ComposedChart
      width={width}
      height={height}
      accessibilityLayer={false}
      margin={{ top: margins.top, right: margins.right, bottom: 0, left: 0 }}
    >
      <Axes x={x} y={y} margins={margins} />
      {series.map((one) => (
        <SeriesLines key={one.id} series={one} axis={y} width={box.width} />
      ))}
      <PlotNotes {...plot} width={width} height={height} margins={margins} />
    </ComposedChart>
  );
}
