/** @file A figure by index of singular vector or value: sorted angles, singular values. */
import { useMemo, type ReactElement, type ReactNode } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { latestValues, type LinePlotProps, type LineSeries, type Margins } from '../charts/plotModel.ts';
import { Plate } from '../charts/Plate.tsx';
import { niceStep, type Axis } from '../charts/scales.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount } from '../format.ts';

interface IndexPlateProps {
  readonly title: string;
  readonly unit: string;
  readonly controls?: ReactNode;
  readonly series: readonly LineSeries[];
  readonly y: Axis;
  readonly value: (value: number) => string;
  readonly foot: string;
  readonly endLabels: LinePlotProps['endLabels'];
}

const height = 196;
const withLabels: Margins = { top: 10, right: 84, bottom: 20, left: 36 };
const withoutLabels: Margins = { ...withLabels, right: 12 };

/** The axis starts at 1 and ends at k. */
function indexAxis(k: number): Axis {
  const end = Math.max(2, k);
  const step = Math.max(1, Math.round(niceStep(end / 4)));
  const inner = Array.from({ length: Math.floor(end / step) }, (_, index) => (index + 1) * step).filter(
    (tick) => tick > 1 && end - tick > step / 2,
  );
  return { kind: 'linear', domain: [1, end], ticks: [1, ...inner, end], format: formatCount };
}

/** Lines of the runs by index, one cursor over all such figures. */
export function IndexPlate({ title, unit, controls, series, y, value, foot, endLabels }: IndexPlateProps): ReactElement {
  const k = Math.max(...series.map(({ line }) => line.length));
  const x = useMemo(() => indexAxis(k), [k]);
  return (
    <Plate
      title={title}
      unit={unit}
      controls={controls}
      span={3}
      height={height}
      foot={foot}
      legend={series.map(({ name, method }) => ({ name, method })).reverse()}
      table={() =>
        curvesTable(
          'Index',
          [...series]
            .reverse()
            .flatMap((one) => [
              { title: one.name, points: one.line },
              ...(one.rings ? [{ title: `${one.name}, before`, points: one.rings }] : []),
            ]),
          value,
        )
      }
    >
      <LineChart
        label={`${title} by index, ${unit}; the last: ${latestValues(series, value)}`}
        height={height}
        margins={endLabels === 'none' ? withoutLabels : withLabels}
        x={x}
        y={y}
        series={series}
        value={value}
        endLabels={endLabels}
        title={(index) => `${formatCount(index)} of ${formatCount(k)}`}
      />
    </Plate>
  );
}
