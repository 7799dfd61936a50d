/** @file Loss of a suite of plain text by step: it has no right answers, so no accuracy. The base model is a dotted line. */
import { useMemo, type ReactElement } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { Plate } from '../charts/Plate.tsx';
import { lastPoint, latestValues } from '../charts/plotModel.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount, formatLoss } from '../format.ts';
import { suiteLoss, type Suite } from '../results.ts';
import { itemsText, stepAxis, suiteLossAxis, suiteLossCurve } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights, lineMargins } from './margins.ts';

const titles: Readonly<Record<Suite, string>> = { inDomain: 'In-domain loss', outOfDomain: 'Out-of-domain loss' };

/** In the place of the accuracy. */
export function SuiteLossPlate({ suite, figures }: { readonly suite: Suite; readonly figures: FigureSet }): ReactElement {
  const { drawn, end, now, checkpoints, legend, narrow } = figures;
  const series = useMemo(() => drawn.map((run) => suiteLossCurve(run, suite)), [drawn, suite]);
  const evaluated = series.some(({ line }) => line.some((point) => point.x > 0));
  const finite = series.some(({ line }) => lastPoint(line) !== undefined);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => suiteLossAxis(series), [series]);
  const items = itemsText(
    drawn.map(({ run }) => run),
    suite,
  );
  const before = drawn.at(-1)?.run.evaluations.find((evaluation) => evaluation.step === 0);
  const base = before === undefined ? Number.NaN : suiteLoss(before, suite);
  const height = evaluated ? heights.accuracy : heights.emptyAccuracy;
  return (
    <Plate
      title={titles[suite]}
      unit={`per token${items === '' ? '' : ` of ${items} items`}; lower is better, no right or wrong`}
      span={6}
      height={height}
      legend={legend}
      {...(evaluated
        ? {
            table: () =>
              curvesTable(
                'Step',
                [...series].reverse().map(({ name, line }) => ({ title: name, points: line })),
                formatLoss,
              ),
          }
        : {})}
    >
      <LineChart
        label={`${titles[suite]} by step: ${evaluated ? `latest ${latestValues(series, formatLoss)}` : 'not evaluated yet'}`}
        height={height}
        margins={lineMargins(drawn.map(({ name }) => name), narrow)}
        x={x}
        y={y}
        series={evaluated ? series : []}
        value={formatLoss}
        endLabels={narrow ? 'none' : 'values'}
        checkpoints={checkpoints}
        title={(step) => `Step ${formatCount(step)}`}
        reference={evaluated && Number.isFinite(base) ? { value: base, label: `base ${formatLoss(base)}` } : undefined}
        now={now}
        note={evaluated ? (finite ? undefined : 'No item of this suite has a text to score') : figures.waiting}
      />
    </Plate>
  );
}
