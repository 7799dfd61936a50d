/** @file Short names that tell the runs of one figure apart: the method, and what differs. */
import { choiceName, METHODS, type MethodId } from '../../worker/methods.ts';
import type { LoraConfig, ReinforceConfig, RunConfig } from '../../worker/protocol.ts';
import { formatParameter, formatRate } from '../format.ts';
import { isUnknown } from '../runs.ts';
import { parameterText } from '../method/configLine.ts';
import { isIdle } from '../method/fields.ts';

/** One row of a legend. */
export interface LegendEntry {
  readonly name: string;
  readonly method: MethodId;
}

/** What tells two settings of adapters apart, in the shortest form that does. */
const loraDetails: readonly ((lora: LoraConfig) => string)[] = [({ rank }) => `r ${rank}`, ({ alpha }) => `α ${formatParameter(alpha)}`, ({ rsLora }) => (rsLora ? 'rsLoRA' : ''), ({ targets }) => targets.join('+')];

/** The same for settings of GRPO. */
const reinforceDetails: readonly ((reinforce: ReinforceConfig) => string)[] = [
  ({ prompts }) => `${prompts} questions`, ({ samples }) => `${samples} answers`, ({ maxNewTokens }) => `to ${maxNewTokens} tokens`, ({ updates }) => `${updates} updates`,
  ({ clipLow, clipHigh }) => `ratio −${formatParameter(clipLow)} +${formatParameter(clipHigh)}`,
];

/** Every parameter that some method has, once. */
const parameters = [...new Map(METHODS.flatMap((method) => method.parameters).map((parameter) => [parameter.id, parameter])).values()];

/** Settings that a name may mention, in this order, and how. */
const distinguishing: readonly { readonly key: keyof RunConfig; readonly text: (config: RunConfig) => string }[] = [
  ...loraDetails.map((text) => ({ key: 'lora', text: ({ lora }: RunConfig) => (lora === undefined ? '' : text(lora)) }) as const),
  ...reinforceDetails.map((text) => ({ key: 'reinforce', text: ({ reinforce }: RunConfig) => (reinforce === undefined ? '' : text(reinforce)) }) as const),
  ...parameters.map((parameter) => ({ key: parameter.id, text: (config: RunConfig) => parameterText(config, parameter) })),
  { key: 'learningRate', text: (config) => `lr ${formatRate(config.learningRate)}` },
  { key: 'schedule', text: (config) => config.schedule },
  { key: 'steps', text: (config) => `${config.steps} steps` },
  { key: 'batchSize', text: (config) => `batch ${config.batchSize}` },
  { key: 'warmupSteps', text: (config) => `warm-up ${config.warmupSteps}` },
  { key: 'maxLength', text: (config) => `rows to ${config.maxLength}` },
  { key: 'weightDecay', text: (config) => `decay ${formatParameter(config.weightDecay)}` },
  { key: 'clipNorm', text: (config) => (config.clipNorm === 0 ? 'unclipped' : `clip ${formatParameter(config.clipNorm)}`) },
  { key: 'evaluateEvery', text: (config) => `measured every ${config.evaluateEvery}` },
  { key: 'startFrom', text: (config) => (config.startFrom === undefined ? '' : 'continued') },
  { key: 'seed', text: (config) => `seed ${config.seed}` },
];

/** What is trained with which method: "RPSFT", "RPSFT LoRA". */
export const familyOf = (config: RunConfig): string => (config.lora === undefined ? choiceName(config) : `${choiceName(config)} LoRA`);

/** What a name is made of. */
interface NamedRun {
  readonly config: RunConfig;
  readonly importedFrom?: string | undefined;
}

/**
 * Names of the runs in one figure: method and adapter alone where that is enough, else with what differs between the runs
 * that share them. A run of which only its
 * files are known is called by them. Runs that agree in everything get a number.
 */
export function runNames(runs: readonly NamedRun[]): readonly string[] {
  const names = runs.map((run) => {
    const { config, importedFrom } = run;
    if (importedFrom !== undefined && isUnknown({ importedFrom, config })) return importedFrom;
    const same = runs.filter((other) => familyOf(other.config) === familyOf(config));
    const differing = distinguishing.filter(({ key, text }) => !isIdle(key, config) && same.some((other) => text(other.config) !== text(config)));
    return [familyOf(config), ...differing.map(({ text }) => text(config)).filter(Boolean)].join(' ');
  });
  return names.map((name, index) => {
    const twins = names.flatMap((other, position) => (other === name ? [position] : []));
    return twins.length > 1 ? `${name} (${twins.indexOf(index) + 1})` : name;
  });
}
