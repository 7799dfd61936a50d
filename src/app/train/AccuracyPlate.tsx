/** @file Accuracy of a suite by step, with its 95% band and the base model as a dotted line. */
import { useMemo, type ReactElement } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { latestValues } from '../charts/plotModel.ts';
import { Plate } from '../charts/Plate.tsx';
import { curvesTable } from '../charts/table.ts';
import { formatCount, formatPercent } from '../format.ts';
import { isAccuracy, type Suite } from '../results.ts';
import { accuracyCurve, inDomainAxis, itemsText, outOfDomainAxis, stepAxis } from './curves.ts';
import { FailuresButton, type SuitePlateProps } from './FailuresButton.tsx';
import { heights, lineMargins } from './margins.ts';

const titles: Readonly<Record<Suite, string>> = { inDomain: 'In-domain accuracy', outOfDomain: 'Out-of-domain accuracy' };

/** What is counted as right, where that is not the whole completion, which needs no words. */
const counted = { exact: '', choice: ' by likeliest option', generation: ' by generated answer', perplexity: '' } as const;

/** One of the two figures that the view is about. Runs that measured this suite by its loss are not in it. */
export function AccuracyPlate({ suite, figures, onFailures }: SuitePlateProps): ReactElement {
  const { end, now, checkpoints, legend, narrow, measures } = figures;
  const drawn = useMemo(() => figures.drawn.filter(({ run }) => isAccuracy(run.measures[suite])), [figures.drawn, suite]);
  const series = useMemo(() => drawn.map((run) => accuracyCurve(run, suite)), [drawn, suite]);
  const evaluated = series.some(({ line }) => line.some((point) => point.x > 0));
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => {
    if (suite === 'inDomain') return inDomainAxis;
    const lows = series.flatMap(({ line }) => line.flatMap(({ low, y: value }) => (value === null ? [] : [low ?? value])));
    return outOfDomainAxis(Math.min(...(evaluated ? [] : [0.6]), ...lows));
  }, [series, suite, evaluated]);

  const items = itemsText(
    drawn.map(({ run }) => run),
    suite,
  );
  const current = drawn.at(-1)?.run;
  const base = current?.evaluations.find((evaluation) => evaluation.step === 0)?.[suite];
  const from = Math.round(y.domain[0] * 100);
  const measured = [items === '' ? '' : `${items} items`, evaluated ? 'band 95%' : ''].filter(Boolean).join(', ');
  const unit = `%${counted[measures[suite]]}${from > 0 ? `, axis from ${from}` : ''}${measured === '' ? '' : from > 0 ? `; ${measured}` : ` of ${measured}`}`;
  const described = evaluated ? `latest ${latestValues(series, formatPercent)}` : 'not evaluated yet';
  return (
    <Plate
      title={titles[suite]}
      unit={unit}
      span={6}
      controls={<FailuresButton suite={suite} figures={figures} onFailures={onFailures} />}
      height={evaluated ? heights.accuracy : heights.emptyAccuracy}
      legend={legend}
      {...(evaluated
        ? {
            table: () =>
              curvesTable(
                'Step',
                [...series].reverse().map(({ name, line }) => ({ title: name, points: line })),
                formatPercent,
              ),
          }
        : {})}
    >
      <LineChart
        label={`${titles[suite]} by step: ${described}`}
        height={evaluated ? heights.accuracy : heights.emptyAccuracy}
        margins={lineMargins(drawn.map(({ name }) => name), narrow)}
        x={x}
        y={y}
        series={evaluated ? series : []}
        value={formatPercent}
        endLabels={narrow ? 'none' : 'values'}
        checkpoints={checkpoints}
        title={(step) => `Step ${formatCount(step)}`}
        reference={
          base && (suite === 'outOfDomain' || current?.start !== undefined)
            ? { value: base.correct / base.items, label: `base ${formatPercent(base.correct / base.items, base.items)}` }
            : undefined
        }
        now={now}
        note={evaluated ? undefined : figures.waiting}
      />
    </Plate>
  );
}
