/** @file Both accuracies, the reward of GRPO and the training loss of all groups by step: the mean over seeds, the range as a band. */
import { useMemo, type ReactElement } from 'react';
import { LineChart } from '../charts/LineChart.tsx';
import { Plate } from '../charts/Plate.tsx';
import type { LineSeries } from '../charts/plotModel.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount, formatLoss, formatPercent } from '../format.ts';
import { Segments } from '../parts/Segments.tsx';
import type { Suite } from '../results.ts';
import { inDomainAxis, outOfDomainAxis, powerTick, stepAxis, valueAxis } from '../train/curves.ts';
import { heights, lineMargins } from '../train/margins.ts';
import { setLossScale, setSmoothing, useTrainSettings } from '../train/settings.ts';
import { accuracySeries, lossSeries, rewardSeries, type DrawnGroup } from './curves.ts';

interface CurveProps {
  /** In drawing order: the selected one last. */
  readonly drawn: readonly DrawnGroup[];
  readonly narrow: boolean;
}

const titles: Readonly<Record<Suite, string>> = { inDomain: 'In-domain accuracy', outOfDomain: 'Out-of-domain accuracy' };

const isSeries = (series: LineSeries | undefined): series is LineSeries => series !== undefined;

const lastStep = (drawn: readonly DrawnGroup[]): number => Math.max(1, ...drawn.map(({ group }) => group.config.steps));

const namesOf = (series: readonly LineSeries[]): readonly string[] => series.filter(({ emphasis }) => emphasis !== 'faint').map(({ name }) => name);

const legendOf = (series: readonly LineSeries[]): readonly Pick<LineSeries, 'name' | 'method'>[] => series.filter(({ emphasis }) => emphasis !== 'faint').map(({ name, method }) => ({ name, method })).reverse();

const tableOf = (series: readonly LineSeries[], format: (value: number) => string) => curvesTable('Step', series.toReversed().map(({ name, line }) => ({ title: name, points: line })), format, 'range');

const stepTitle = (step: number): string => `Step ${formatCount(step)}`;

function AccuracyPlate({ suite, drawn, narrow }: CurveProps & { readonly suite: Suite }): ReactElement | null {
  const series = useMemo(() => drawn.map((one) => accuracySeries(one, suite)).filter(isSeries), [drawn, suite]);
  const end = lastStep(drawn);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => {
    const lows = series.flatMap(({ line }) => line.flatMap(({ y: value, low }) => (value === null ? [] : [low ?? value])));
    return suite === 'inDomain' ? inDomainAxis : outOfDomainAxis(Math.min(1, ...lows));
  }, [series, suite]);
  if (series.length === 0) return null;
  const from = Math.round(y.domain[0] * 100);
  return (
    <Plate title={titles[suite]} unit={`%${from > 0 ? `, axis from ${from}` : ''}; mean and range over seeds`} span={6} height={heights.accuracy} legend={legendOf(series)} table={() => tableOf(series, formatPercent)}>
      <LineChart
        label={`${titles[suite]} by step, mean over seeds of ${namesOf(series).join(', ')}`}
        height={heights.accuracy}
        margins={lineMargins(namesOf(series), narrow)}
        x={x}
        y={y}
        series={series}
        value={formatPercent}
        endLabels={narrow ? 'none' : 'names'}
        title={stepTitle}
      />
    </Plate>
  );
}

function RewardPlate({ drawn, narrow }: CurveProps): ReactElement | null {
  const smoothing = useTrainSettings((settings) => settings.smoothing);
  const series = useMemo(() => drawn.map((one) => rewardSeries(one, smoothing)).filter(isSeries), [drawn, smoothing]);
  const end = lastStep(drawn.filter(({ group }) => group.config.reinforce !== undefined));
  const x = useMemo(() => stepAxis(end, 6), [end]);
  if (series.length === 0) return null;
  return (
    <Plate title="Reward" unit="% of sampled answers right; mean and range over seeds" span={12} height={heights.loss} legend={legendOf(series)} table={() => tableOf(series, formatPercent)}>
      <LineChart
        label={`Reward by step, mean over seeds of ${namesOf(series).join(', ')}`}
        height={heights.loss}
        margins={lineMargins(namesOf(series), narrow)}
        x={x}
        y={inDomainAxis}
        series={series}
        value={formatPercent}
        endLabels={narrow ? 'none' : 'names'}
        title={stepTitle}
      />
    </Plate>
  );
}

function LossPlate({ drawn, narrow }: CurveProps): ReactElement | null {
  const { lossScale, smoothing } = useTrainSettings();
  const series = useMemo(() => drawn.map((one) => lossSeries(one, smoothing, lossScale)).filter(isSeries), [drawn, smoothing, lossScale]);
  const end = lastStep(drawn);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => valueAxis(series, lossScale, 5, lossScale === 'log' ? powerTick : String), [series, lossScale]);
  if (series.length === 0) return null;
  const controls = (
    <>
      <label className="compare-smooth">
        Smoothing
        <input type="range" min="0" max="0.98" step="0.02" value={smoothing} onChange={(event) => setSmoothing(Number(event.target.value))} />
      </label>
      <Segments legend="Scale of the loss axis" value={lossScale} onChange={setLossScale} options={[{ value: 'linear', label: 'Linear' }, { value: 'log', label: 'Log' }]} />
    </>
  );
  return (
    <Plate title="Training loss" unit="nats a token; mean and range over seeds" controls={controls} span={12} height={heights.loss} legend={legendOf(series)} table={() => tableOf(series, formatLoss)}>
      <LineChart
        label={`Training loss by step, mean over seeds of ${namesOf(series).join(', ')}`}
        height={heights.loss}
        margins={lineMargins(namesOf(series), narrow)}
        x={x}
        y={y}
        series={series}
        value={formatLoss}
        endLabels={narrow ? 'none' : 'names'}
        title={stepTitle}
      />
    </Plate>
  );
}

export function CurvePlates(props: CurveProps): ReactElement {
  return (
    <>
      <AccuracyPlate suite="inDomain" {...props} />
      <AccuracyPlate suite="outOfDomain" {...props} />
      <RewardPlate {...props} />
      <LossPlate {...props} />
    </>
  );
}
