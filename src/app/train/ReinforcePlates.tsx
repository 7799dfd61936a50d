/** @file What GRPO reports of the answers it samples, in place of the loss: how many are right and teach, how long they are, how undecided the model is. */
import { useMemo, type ReactElement } from 'react';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted, formatLoss, formatParameter, formatPercent } from '../format.ts';
import { inDomainAxis, reinforceCurve, valueAxis, type ReinforceKey } from './curves.ts';
import type { FigureSet } from './figureSet.ts';
import { heights } from './margins.ts';
import { SampledAnswersPlate } from './SampledAnswers.tsx';
import { StepPlate } from './StepPlate.tsx';

const formatTokens = (value: number): string => value.toFixed(1);

const shares: readonly ReinforceKey[] = ['reward', 'mixedGroups', 'cutOff'];

interface Metric {
  readonly metric: ReinforceKey;
  readonly title: string;
  readonly unit: string;
  readonly format: (value: number) => string;
  readonly help: string;
}

/** In the order in which they tell whether a run works. */
const metricsOf = ({ reinforce }: RunConfig): readonly Metric[] => [
  {
    metric: 'reward', title: 'Reward', unit: '% of answers right', format: formatPercent,
    help: 'Share of the sampled answers that agree with the gold answer. They are drawn at random, from a few questions a step: single steps scatter, and greedy answers score higher.',
  },
  {
    metric: 'mixedGroups', title: 'Groups that teach', unit: '% of groups', format: formatPercent,
    help: 'Share of the questions whose answers are neither all right nor all wrong. The others have nothing to compare; at 0 a step changes nothing.',
  },
  {
    metric: 'answerTokens', title: 'Answer length', unit: 'tokens', format: formatTokens,
    help: 'Mean tokens of a sampled answer. Where it grows or shrinks without more reward, the model has found something else than the answer.',
  },
  {
    metric: 'cutOff', title: 'Cut off', unit: '% of answers', format: formatPercent,
    help: `Share of the answers that did not end within ${formatCounted(reinforce?.maxNewTokens ?? 0, 'token')}. What they say up to there is checked. Many of them want longer answers.`,
  },
  {
    metric: 'entropy', title: 'Entropy', unit: 'nats a token', format: formatLoss,
    help: 'How undecided the model is at each sampled token. Near 0 all answers to a question become the same, and comparing them teaches nothing.',
  },
];

interface ReinforcePlateProps {
  readonly figures: FigureSet;
  readonly smoothing: number;
}

function ReinforcePlate({ figures, smoothing, metric, title, unit, format, help }: ReinforcePlateProps & Metric): ReactElement {
  const { drawn } = figures;
  const series = useMemo(() => drawn.filter(({ run }) => run.config.reinforce !== undefined).map((run) => reinforceCurve(run, metric, smoothing, format)), [drawn, metric, smoothing, format]);
  const y = useMemo(() => (shares.includes(metric) ? inDomainAxis : valueAxis(series, 'linear', 4, formatParameter)), [series, metric]);
  const without = drawn.filter(({ run }) => run.config.reinforce === undefined).map(({ name }) => name);
  const missing = without.length > 0 ? `${without.join(', ')} ${without.length === 1 ? 'has' : 'have'} none` : undefined;
  const started = drawn.length > 0;
  return (
    <StepPlate title={title} unit={unit} help={help} figures={figures} series={series} y={y} format={format} height={started ? heights.loss : heights.emptyLoss} note={started ? missing : 'No data yet'} />
  );
}

export function ReinforcePlates({ config, ...props }: ReinforcePlateProps & { readonly config: RunConfig }): ReactElement {
  const plates = metricsOf(config).map((metric) => <ReinforcePlate key={metric.metric} {...props} {...metric} />);
  return (
    <>
      {plates.slice(0, 4)}
      <SampledAnswersPlate figures={props.figures} />
      {plates.slice(4)}
    </>
  );
}
