/** @file The four small figures of the Train view: penalty, gradient norm, learning rate, throughput. */
import { useMemo, type ReactElement } from 'react';
import { cached } from '../charts/cache.ts';
import type { LineSeries } from '../charts/plotModel.ts';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCount, formatNorm, formatParameter, formatRate, formatSpeed } from '../format.ts';
import { usesParameter } from '../method/methodSettings.ts';
import {
  gradientNormCurve,
  penaltyCurve,
  learningRateCurve,
  plannedCurve,
  powerTick,
  throughputCurve,
  valueAxis,
  type DrawnRun,
} from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights } from './margins.ts';
import { samePlan } from './plan.ts';
import { StepPlate } from './StepPlate.tsx';

/** Something is added to the loss of these settings. */
const isPenalised = (config: RunConfig): boolean => usesParameter(config, 'lambda') && config.lambda !== 0;

const names = (runs: readonly DrawnRun[]): string => runs.map(({ name }) => name).join(', ');

/** Penalty as added to the loss. Runs without one say so in the figure. */
export function PenaltyPlate({ figures, config }: { readonly figures: FigureSet; readonly config: RunConfig }): ReactElement {
  const { drawn } = figures;
  const without = drawn.filter(({ run }) => !isPenalised(run.config));
  const series = useMemo(
    () => drawn.filter(({ run }) => isPenalised(run.config)).map(penaltyCurve),
    [drawn],
  );
  const y = useMemo(() => valueAxis(series, 'log', 4, powerTick), [series]);
  const missing = without.length > 0 ? `${names(without)} ${without.length === 1 ? 'has' : 'have'} none` : undefined;
  const planned =
    isPenalised(config) ? 'No data yet' : `${usesParameter(config, 'lambda') ? 'With λ 0 there is' : 'This method has'} none`;
  return (
    <StepPlate
      title="Penalty"
      unit="added to the loss"
      figures={figures}
      series={series}
      y={y}
      format={formatNorm}
      height={drawn.length > 0 ? heights.loss : heights.emptyLoss}
      note={drawn.length > 0 ? missing : planned}
    />
  );
}

/** Global gradient norm before clipping, against the clip. */
export function GradientNormPlate({
  figures,
  config,
  smoothing,
}: {
  readonly figures: FigureSet;
  readonly config: RunConfig;
  readonly smoothing: number;
}): ReactElement {
  const { drawn } = figures;
  const series = useMemo(() => drawn.map((run) => gradientNormCurve(run, smoothing)), [drawn, smoothing]);
  const y = useMemo(() => valueAxis(series, 'log', 4, powerTick), [series]);
  const clip = config.clipNorm;
  const inAxis = clip > y.domain[0] && clip < y.domain[1];
  return (
    <StepPlate
      title="Gradient norm"
      unit="before clipping"
      figures={figures}
      series={series}
      y={y}
      format={formatNorm}
      height={heights.loss}
      reference={inAxis ? { value: clip, label: `clip ${formatParameter(clip)}` } : undefined}
    />
  );
}

/** Learning rate: recorded so far, and as planned for the rest. */
export function LearningRatePlate({
  figures,
  config,
  height,
}: {
  readonly figures: FigureSet;
  readonly config: RunConfig;
  readonly height: number;
}): ReactElement {
  const { drawn } = figures;
  const started = drawn.length > 0;
  const same = drawn.slice(0, -1).filter(({ run }) => samePlan(run.config, config));
  const series = useMemo((): LineSeries[] => {
    const plan = cached(config, started ? 'faint plan' : 'plan', (): LineSeries => ({
      id: 'plan',
      name: 'As planned',
      method: config.method,
      emphasis: started ? 'faint' : 'current',
      line: plannedCurve(config),
    }));
    const recorded = drawn.filter(({ run, emphasis }) => emphasis === 'current' || !samePlan(run.config, config));
    return [plan, ...recorded.map(learningRateCurve)];
  }, [drawn, started, config]);
  const y = useMemo(() => valueAxis(series, 'linear', 4, formatRate), [series]);
  return (
    <StepPlate
      title="Learning rate"
      {...(started ? {} : { unit: 'as planned', value: formatRate(config.learningRate) })}
      figures={figures}
      series={series}
      y={y}
      format={formatRate}
      height={height}
      note={same.length > 0 ? `${names(same)} the same` : undefined}
    />
  );
}

/** Tokens a second of the steps, without evaluations. */
export function ThroughputPlate({ figures, smoothing, height }: { readonly figures: FigureSet; readonly smoothing: number; readonly height: number }): ReactElement {
  const { drawn } = figures;
  const series = useMemo(() => drawn.map((run) => throughputCurve(run, smoothing)), [drawn, smoothing]);
  const y = useMemo(() => valueAxis(series, 'linear', 4, formatCount), [series]);
  return (
    <StepPlate title="Throughput" unit="tokens/s" figures={figures} series={series} y={y} format={formatSpeed} height={height} />
  );
}
