/** @file Drift of states and predictions by step, of runs that follow it: beside the accuracies, since it is measured on the same out-of-domain data. */
import { useMemo, useState, type ReactElement } from 'react';
import type { EstimatedDivergences } from '../../worker/protocol.ts';
import { cached } from '../charts/cache.ts';
import { LineChart } from '../charts/LineChart.tsx';
import { Plate } from '../charts/Plate.tsx';
import { latestValues, type LineSeries } from '../charts/plotModel.ts';
import { pointAt } from '../charts/points.ts';
import { curvesTable } from '../charts/table.ts';
import { formatCount, formatProbability } from '../format.ts';
import { Segments } from '../parts/Segments.tsx';
import { outputAxis, outputPoints, placeName, stateAxis, stateMeasures, statePoints, type StateMeasure } from '../spectrum/followed.ts';
import { divergenceNames, formatNats, natsInterval, probeInfos } from '../spectrum/probes/findings.ts';
import { stepAxis, type DrawnRun } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights, lineMargins } from './margins.ts';

type Figures = Pick<FigureSet, 'drawn' | 'legend' | 'end' | 'now' | 'checkpoints' | 'narrow'>;

const baseOf = ({ run, name, emphasis }: DrawnRun): Pick<LineSeries, 'id' | 'name' | 'method' | 'emphasis' | 'markers'> => ({ id: run.id, name, method: run.config.method, emphasis, markers: true });

const stateCurve = (drawn: DrawnRun, measure: StateMeasure, layer: number | undefined): LineSeries =>
  cached(drawn, `states ${measure} ${layer}`, () => ({ ...baseOf(drawn), line: statePoints(drawn.run, measure, layer) }));

const outputCurve = (drawn: DrawnRun, key: keyof EstimatedDivergences): LineSeries =>
  cached(drawn, `outputs ${key}`, () => {
    const line = outputPoints(drawn.run, key);
    return {
      ...baseOf(drawn), line,
      detail: (step) => {
        const point = pointAt(line, step);
        return point?.low === undefined || point.high === undefined ? '' : natsInterval({ mean: point.y ?? 0, low: point.low, high: point.high });
      },
    };
  });

/** What a figure says before there is anything to draw. */
function waiting(drawn: readonly DrawnRun[], part: 'states' | 'outputs'): string | undefined {
  const follow = drawn.at(-1)?.run.config.follow;
  return follow?.[part] === true ? `First measurement at step ${formatCount(Math.min(follow.every, drawn.at(-1)!.run.config.steps))}` : undefined;
}

const hasPoints = ({ line }: LineSeries): boolean => line.length > 0;
const stepTitle = (step: number): string => `Step ${formatCount(step)}`;

/** States before the head, or after a layer. */
export function StateCurvesPlate({ figures, layer, measure, onMeasure }: { readonly figures: Figures; readonly layer?: number | undefined; readonly measure: StateMeasure; readonly onMeasure: (measure: StateMeasure) => void }): ReactElement {
  const { drawn, end, now, checkpoints, legend, narrow } = figures;
  const series = useMemo(() => drawn.map((run) => stateCurve(run, measure, layer)).filter(hasPoints), [drawn, measure, layer]);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => stateAxis(measure, series), [measure, series]);
  const { label } = stateMeasures.find(({ value }) => value === measure)!;
  return (
    <Plate
      title="Representation drift"
      unit={`${label} ${placeName(layer === undefined ? {} : { layer })}, to the base model`}
      span={6}
      height={heights.loss}
      controls={<Segments legend="Drift of states as" value={measure} onChange={onMeasure} options={stateMeasures} />}
      legend={legend}
      {...(series.length > 0 ? { table: () => curvesTable('Step', series.toReversed().map(({ name, line }) => ({ title: name, points: line })), (value) => value.toFixed(3)) } : {})}
      foot={`${probeInfos.representation.means} ${probeInfos.representation.meansNot}`}
    >
      <LineChart
        label={`${label} of hidden states ${placeName(layer === undefined ? {} : { layer })} by step: ${series.length > 0 ? `latest ${latestValues(series, formatProbability)}` : 'not measured yet'}`}
        height={heights.loss}
        margins={lineMargins(series.map(({ name }) => name), narrow)}
        x={x}
        y={y}
        series={series}
        value={formatProbability}
        endLabels={narrow ? 'none' : 'values'}
        checkpoints={checkpoints}
        title={stepTitle}
        now={now}
        note={series.length > 0 ? undefined : waiting(drawn, 'states')}
      />
    </Plate>
  );
}

/** What the divergences are called where there is little room. */
const shortNames: readonly { readonly value: keyof EstimatedDivergences; readonly label: string }[] = [
  { value: 'baseToTuned', label: 'KL' },
  { value: 'tunedToBase', label: 'Reverse KL' },
  { value: 'jensenShannon', label: 'JS' },
];

/** One divergence of the next token, with its 95% band. */
export function OutputCurvesPlate({ figures }: { readonly figures: Figures }): ReactElement {
  const [key, setKey] = useState<keyof EstimatedDivergences>('baseToTuned');
  const { drawn, end, now, checkpoints, legend, narrow } = figures;
  const series = useMemo(() => drawn.map((run) => outputCurve(run, key)).filter(hasPoints), [drawn, key]);
  const x = useMemo(() => stepAxis(end, 6), [end]);
  const y = useMemo(() => outputAxis(series), [series]);
  return (
    <Plate
      title="Output drift"
      unit={`${divergenceNames[key]}, nats a token; band 95%`}
      span={6}
      height={heights.loss}
      controls={<Segments legend="Divergence" value={key} onChange={setKey} options={shortNames} />}
      legend={legend}
      {...(series.length > 0 ? { table: () => curvesTable('Step', series.toReversed().map(({ name, line }) => ({ title: name, points: line })), formatNats) } : {})}
      foot={`${probeInfos.output.means} ${probeInfos.output.meansNot}`}
    >
      <LineChart
        label={`${divergenceNames[key]} by step: ${series.length > 0 ? `latest ${latestValues(series, formatNats)}` : 'not measured yet'}`}
        height={heights.loss}
        margins={lineMargins(series.map(({ name }) => name), narrow)}
        x={x}
        y={y}
        series={series}
        value={formatNats}
        endLabels={narrow ? 'none' : 'values'}
        checkpoints={checkpoints}
        title={stepTitle}
        now={now}
        note={series.length > 0 ? undefined : waiting(drawn, 'outputs')}
      />
    </Plate>
  );
}

/** Nothing where no run that is drawn follows any of it. */
export function FollowedPlates({ figures }: { readonly figures: Figures }): ReactElement {
  const [measure, setMeasure] = useState<StateMeasure>('cka');
  const follows = (part: 'states' | 'outputs'): boolean => figures.drawn.some(({ run }) => run.config.follow?.[part] === true || run.followed.some((one) => one[part] !== undefined));
  return (
    <>
      {follows('states') ? <StateCurvesPlate figures={figures} measure={measure} onMeasure={setMeasure} /> : null}
      {follows('outputs') ? <OutputCurvesPlate figures={figures} /> : null}
    </>
  );
}
