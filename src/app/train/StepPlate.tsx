/** @file A small figure of one metric by step, with its latest value in the caption. */
import { useMemo, type ReactElement, type ReactNode } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { lastPoint, type LineSeries, type ReferenceLine } from '../charts/plotModel.ts';
import { Plate } from '../charts/Plate.tsx';
import type { Axis } from '../charts/scales.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount } from '../format.ts';
import { stepAxis } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { smallMargins } from './margins.ts';

interface StepPlateProps {
  readonly title: string;
  readonly unit?: ReactNode;
  readonly unitText?: string;
  readonly help?: string;
  readonly figures: FigureSet;
  readonly series: readonly LineSeries[];
  readonly y: Axis;
  readonly format: (value: number) => string;
  readonly height: number;
  readonly reference?: ReferenceLine | undefined;
  readonly note?: string | undefined;
  /** Instead of the latest value of the current run. */
  readonly value?: string | undefined;
}

/** Penalty, gradient norm, learning rate and throughput are this. */
export function StepPlate({
  title,
  unit,
  unitText,
  help,
  figures,
  series,
  y,
  format,
  height,
  reference,
  note,
  value,
}: StepPlateProps): ReactElement {
  const { end, now, checkpoints, legend } = figures;
  const x = useMemo(() => stepAxis(end, 4), [end]);
  const current = series.find(({ emphasis }) => emphasis === 'current');
  const points = current?.raw ?? current?.line ?? [];
  const latest = lastPoint(points)?.y;
  const shown = value ?? (latest === null || latest === undefined ? undefined : format(latest));
  const hasData = series.some(({ line }) => line.length > 0);
  return (
    <Plate
      title={title}
      {...(unit === undefined ? {} : { unit })}
      {...(unitText === undefined ? {} : { unitText })}
      {...(help === undefined ? {} : { help })}
      value={shown}
      span={3}
      height={height}
      legend={legend}
      {...(hasData
        ? {
            table: () =>
              curvesTable(
                'Step',
                [...series].reverse().map((one) => ({ title: one.name, points: one.raw ?? one.line })),
                format,
              ),
          }
        : {})}
    >
      <LineChart
        label={`${title} by step: ${shown ?? 'no data yet'}`}
        height={height}
        margins={smallMargins}
        x={x}
        y={y}
        series={series}
        value={format}
        endLabels="none"
        checkpoints={checkpoints}
        title={(step) => `Step ${formatCount(step)}`}
        now={now && { value: now.value, label: '' }}
        reference={reference}
        note={note}
      />
    </Plate>
  );
}
