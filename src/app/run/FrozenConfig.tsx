/** @file The settings of a run as they were frozen when it started. */
import type { ReactElement } from 'react';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted, formatParameter, formatRate, formatShare } from '../format.ts';
import { hasPenalty, methodLabel } from '../method/methods.ts';
import { Icon } from '../parts/Icon.tsx';
import { Spec } from '../parts/Spec.tsx';
import { runNames } from '../charts/names.ts';
import { isUnknown, type LabRun } from '../runs.ts';
import { useLab } from '../store.ts';

type Row = readonly [name: string, value: string];

/** What was trained: nothing to say of all weights. */
function trainedRows({ lora }: RunConfig): readonly Row[] {
  if (lora === undefined) return [];
  return [
    ['LoRA', `r ${lora.rank}, α ${formatParameter(lora.alpha)}${lora.rsLora ? ', rsLoRA' : ''}`],
    ['Adapted layers', lora.targets.join(', ')],
  ];
}

/** Every setting that had an effect, in the order of the Method station. */
export function configRows(config: RunConfig): readonly Row[] {
  const penalty: readonly Row[] = hasPenalty(config.method) ? [['λ', formatParameter(config.lambda)]] : [];
  const rank: readonly Row[] = config.method === 'rpsft' ? [['k', `${formatShare(config.rankFraction)} of the rank`]] : [];
  return [
    ['Method', methodLabel(config.method)],
    ...penalty,
    ...rank,
    ...trainedRows(config),
    ['Learning rate', `${formatRate(config.learningRate)}, ${config.schedule}`],
    ['Warm-up', formatCounted(config.warmupSteps, 'step')],
    ['Steps', `${formatCounted(config.steps, 'step')} of ${formatCounted(config.batchSize, 'row')}`],
    ...(config.accumulation === 1 ? [] : [['Parts a step', String(config.accumulation)] as const]),
    ...(config.recompute ? [['Activations', 'recomputed'] as const] : []),
    ['Longest row', formatCounted(config.maxLength, 'token')],
    ['AdamW', `β ${config.beta1}, ${config.beta2}, ε ${formatRate(config.epsilon)}`],
    ['Clip, decay', `${config.clipNorm === 0 ? 'off' : formatParameter(config.clipNorm)}, ${formatParameter(config.weightDecay)}`],
    ['Seed', String(config.seed)],
    ['Measured every', `${formatCounted(config.evaluateEvery, 'step')}, spectrum ${formatCounted(config.driftEvery, 'step')}`],
  ];
}

export function FrozenConfig({ run }: { readonly run: LabRun }): ReactElement {
  const runs = useLab((state) => state.runs);
  const started = run.config.startFrom;
  const parent = started === undefined ? undefined : (runNames(runs)[runs.findIndex(({ id }) => id === started)] ?? 'a run that was removed');
  return (
    <details className="more">
      <summary>
        Settings of this run
        <span>{isUnknown(run) ? 'Its files do not say how it was trained' : 'Frozen when it started'}</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div className="more-body">
        <Spec rows={[['Model', run.model], ['Data', run.dataset], ...(parent === undefined ? [] : [['Started from', parent] as const]), ...(run.importedFrom === undefined ? [] : [['Opened from', run.importedFrom] as const]), ...(isUnknown(run) ? trainedRows(run.config) : configRows(run.config))]} />
      </div>
    </details>
  );
}
