/** @file Loss per trained token: training, smoothed over raw, and held-out as rings. */
import { useMemo, type ReactElement } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { latestValues } from '../charts/plotModel.ts';
import { Plate } from '../charts/Plate.tsx';
import type { ScaleKind } from '../charts/scales.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount, formatLoss } from '../format.ts';
import { lossCurve, powerTick, stepAxis, valueAxis } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights, lineMargins } from './margins.ts';

/** The loss does not include the penalty, which has a figure of its own. */
export function LossPlate({
  figures,
  scale,
  smoothing,
}: {
  readonly figures: FigureSet;
  readonly scale: ScaleKind;
  readonly smoothing: number;
}): ReactElement {
  const { drawn, end, now, checkpoints, legend, narrow } = figures;
  const series = useMemo(() => drawn.map((run) => lossCurve(run, smoothing, scale)), [drawn, smoothing, scale]);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => valueAxis(series, scale, 6, powerTick), [series, scale]);
  const empty = series.every(({ line }) => line.length === 0);
  const heldOut = series.some(({ rings = [] }) => rings.some((ring) => ring.y !== null));
  const described = empty ? 'no step yet' : `latest ${latestValues(series, formatLoss)}`;
  const height = drawn.length > 0 ? heights.loss : heights.emptyLoss;
  return (
    <Plate
      title="Loss"
      unit={heldOut ? 'per trained token; rings held-out' : 'per trained token'}
      span={6}
      height={height}
      legend={legend}
      {...(empty
        ? {}
        : {
            table: () =>
              curvesTable(
                'Step',
                [...series].reverse().flatMap(({ name, raw = [], line, rings = [] }) => [
                  { title: name, points: raw },
                  { title: `${name}, smoothed`, points: line },
                  { title: `${name}, held-out`, points: rings },
                ]),
                formatLoss,
              ),
          })}
    >
      <LineChart
        label={`Loss per trained token by step, ${scale === 'log' ? 'logarithmic' : 'linear'} axis: ${described}`}
        height={height}
        margins={lineMargins(drawn.map(({ name }) => name), narrow)}
        x={x}
        y={y}
        series={series}
        value={formatLoss}
        endLabels={narrow ? 'none' : 'values'}
        checkpoints={checkpoints}
        title={(step) => `Step ${formatCount(step)}`}
        now={now && { value: now.value, label: '' }}
        note={empty ? 'First point after step 1' : undefined}
      />
    </Plate>
  );
}
