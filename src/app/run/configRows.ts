/** @file The settings of a run as rows of name and value: every one that had an effect, in the order of the Method station. */
import { choiceName, parametersOf, type MethodParameter } from '../../worker/methods.ts';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted, formatParameter, formatRate } from '../format.ts';
import { numberFields } from '../method/fields.ts';
import { stepsText } from '../method/reinforce.ts';

export type Row = readonly [name: string, value: string];

/** What was trained: nothing to say of all weights. */
export function trainedRows({ lora }: RunConfig): readonly Row[] {
  if (lora === undefined) return [];
  return [
    ['LoRA', `r ${lora.rank}, α ${formatParameter(lora.alpha)}${lora.rsLora ? ', rsLoRA' : ''}`],
    ['Adapted layers', lora.targets.join(', ')],
  ];
}

function parameterRow(config: RunConfig, parameter: MethodParameter): Row {
  if (parameter.kind === 'flag') return [parameter.name, config[parameter.id] ? 'yes' : 'no'];
  const { id, symbol } = parameter;
  return [symbol, `${numberFields[id].write(config[id])}${id === 'rankFraction' ? ' of the rank' : ''}`];
}

function reinforceRows({ reinforce }: RunConfig): readonly Row[] {
  if (reinforce === undefined) return [];
  const { prompts, samples, maxNewTokens, updates, clipLow, clipHigh } = reinforce;
  return [
    ['Answers', `${formatCounted(samples, 'answer')} to each of ${formatCounted(prompts, 'question')}`],
    ['Longest answer', formatCounted(maxNewTokens, 'token')],
    ['Updates a step', String(updates)],
    ['Ratio', `1 − ${formatParameter(clipLow)} to 1 + ${formatParameter(clipHigh)}`],
  ];
}

/** What was measured beside the suites and the matrices. */
function followRows({ follow }: RunConfig): readonly Row[] {
  if (follow === undefined) return [];
  const parts = [...(follow.states ? ['representations'] : []), ...(follow.outputs ? ['outputs'] : [])];
  return [['Followed', `${parts.join(' and ')} every ${formatCounted(follow.every, 'step')}`]];
}

/** Every setting that had an effect, in the order of the Method station. */
export function configRows(config: RunConfig): readonly Row[] {
  return [
    ['Method', choiceName(config)],
    ...parametersOf(config).map((parameter) => parameterRow(config, parameter)),
    ...reinforceRows(config),
    ...trainedRows(config),
    ['Learning rate', `${formatRate(config.learningRate)}, ${config.schedule}`],
    ['Warm-up', formatCounted(config.warmupSteps, 'step')],
    ['Steps', stepsText(config)],
    ...(config.accumulation === 1 ? [] : [['Parts a step', String(config.accumulation)] as const]),
    ...(config.recompute ? [['Activations', 'recomputed'] as const] : []),
    ['Longest row', formatCounted(config.maxLength, 'token')],
    ['AdamW', `β ${config.beta1}, ${config.beta2}, ε ${formatRate(config.epsilon)}`],
    ['Clip, decay', `${config.clipNorm === 0 ? 'off' : formatParameter(config.clipNorm)}, ${formatParameter(config.weightDecay)}`],
    ['Seed', String(config.seed)],
    ['Measured every', `${formatCounted(config.evaluateEvery, 'step')}, spectrum ${formatCounted(config.driftEvery, 'step')}`],
    ...followRows(config),
  ];
}
