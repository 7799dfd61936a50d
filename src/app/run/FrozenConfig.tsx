/** @file The settings of a run as they were frozen when it started. */
import type { ReactElement } from 'react';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted, formatParameter, formatRate, formatShare } from '../format.ts';
import { hasPenalty, methodLabel } from '../method/methods.ts';
import { Icon } from '../parts/Icon.tsx';
import { Spec } from '../parts/Spec.tsx';
import type { LabRun } from '../runs.ts';

type Row = readonly [name: string, value: string];

/** Every setting that had an effect, in the order of the Method station. */
export function configRows(config: RunConfig): readonly Row[] {
  const penalty: readonly Row[] = hasPenalty(config.method) ? [['λ', formatParameter(config.lambda)]] : [];
  const rank: readonly Row[] = config.method === 'rpsft' ? [['k', `${formatShare(config.rankFraction)} of the rank`]] : [];
  return [
    ['Method', methodLabel(config.method)],
    ...penalty,
    ...rank,
    ['Learning rate', `${formatRate(config.learningRate)}, ${config.schedule}`],
    ['Warm-up', formatCounted(config.warmupSteps, 'step')],
    ['Steps', `${formatCounted(config.steps, 'step')} of ${formatCounted(config.batchSize, 'row')}`],
    ...(config.accumulation === 1 ? [] : [['Parts a step', String(config.accumulation)] as const]),
    ['Longest row', formatCounted(config.maxLength, 'token')],
    ['AdamW', `β ${config.beta1}, ${config.beta2}, ε ${formatRate(config.epsilon)}`],
    ['Clip, decay', `${config.clipNorm === 0 ? 'off' : formatParameter(config.clipNorm)}, ${formatParameter(config.weightDecay)}`],
    ['Seed', String(config.seed)],
    ['Measured every', `${formatCounted(config.evaluateEvery, 'step')}, spectrum ${formatCounted(config.driftEvery, 'step')}`],
  ];
}

export function FrozenConfig({ run }: { readonly run: LabRun }): ReactElement {
  return (
    <details className="more">
      <summary>
        Settings of this run
        <span>Frozen when it started</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div className="more-body">
        <Spec rows={[['Model', run.model], ['Data', run.dataset], ...configRows(run.config)]} />
      </div>
    </details>
  );
}
