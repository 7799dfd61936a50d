/** @file The settings of a run as rows of name and value: every one that had an effect, in the order of the Method station. */
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted, formatParameter, formatRate, formatShare } from '../format.ts';
import { hasPenalty, methodLabel } from '../method/methods.ts';

export type Row = readonly [name: string, value: string];

/** What was trained: nothing to say of all weights. */
export function trainedRows({ lora }: RunConfig): readonly Row[] {
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
