/** @file What GRPO reports of the answers it samples, in place of the loss: reward, length, entropy. */
import { useMemo, type ReactElement } from 'react';
import { formatLoss, formatParameter, formatPercent } from '../format.ts';
import { inDomainAxis, reinforceCurve, valueAxis } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights } from './margins.ts';
import { StepPlate } from './StepPlate.tsx';

interface ReinforcePlateProps {
  readonly figures: FigureSet;
  readonly smoothing: number;
}

const formatTokens = (value: number): string => value.toFixed(1);

function ReinforcePlate({ figures, smoothing, metric, title, unit, format }: ReinforcePlateProps & { readonly metric: 'reward' | 'answerTokens' | 'entropy'; readonly title: string; readonly unit: string; readonly format: (value: number) => string }): ReactElement {
  const { drawn } = figures;
  const series = useMemo(() => drawn.filter(({ run }) => run.config.reinforce !== undefined).map((run) => reinforceCurve(run, metric, smoothing, format)), [drawn, metric, smoothing, format]);
  const y = useMemo(() => (metric === 'reward' ? inDomainAxis : valueAxis(series, 'linear', 4, formatParameter)), [series, metric]);
  const without = drawn.filter(({ run }) => run.config.reinforce === undefined).map(({ name }) => name);
  const missing = without.length > 0 ? `${without.join(', ')} ${without.length === 1 ? 'has' : 'have'} none` : undefined;
  const started = drawn.length > 0;
  return (
    <StepPlate title={title} unit={unit} figures={figures} series={series} y={y} format={format} height={started ? heights.loss : heights.emptyLoss} note={started ? missing : 'No data yet'} />
  );
}

export function ReinforcePlates(props: ReinforcePlateProps): ReactElement {
  return (
    <>
      <ReinforcePlate {...props} metric="reward" title="Reward" unit="% of answers right" format={formatPercent} />
      <ReinforcePlate {...props} metric="answerTokens" title="Answer length" unit="tokens" format={formatTokens} />
      <ReinforcePlate {...props} metric="entropy" title="Entropy" unit="nats a token" format={formatLoss} />
    </>
  );
}
