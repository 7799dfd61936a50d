/** @file Short names that tell the runs of one figure apart: the method, and what differs. */
import { choiceName, METHODS, type MethodId } from '../../worker/methods.ts';
import type { LoraConfig, ReinforceConfig, RunConfig, RunId } from '../../worker/protocol.ts';
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
  ({ prompts }) => `${prompts} questions`, ({ samples }) => `${samples} answers`, ({ maxNewTokens }) => `to ${maxNewTokens} tokens`, ({ sequences }) => `${sequences} at once`, ({ updates }) => `${updates} updates`,
  ({ clipLow, clipHigh }) => `ratio −${formatParameter(clipLow)} +${formatParameter(clipHigh)}`,
];

/** Every parameter that some method has, once. */
const parameters = [...new Map(METHODS.flatMap((method) => method.parameters).map((parameter) => [parameter.id, parameter])).values()];

/** What a run goes on from, by the name that this has: GRPO names the method of it anyhow. */
function startText(config: RunConfig, start: string | undefined): string {
  if (config.reinforce === undefined) return 'continued';
  const { reinforce: _of, ...supervised } = config;
  const family = familyOf(supervised);
  const rest = start?.startsWith(family) === true ? start.slice(family.length).trim() : (start ?? '');
  return rest === '' ? '' : `(${rest})`;
}

/** Settings that a name may mention, in this order, and how. */
const distinguishing: readonly { readonly key: keyof RunConfig; readonly text: (config: RunConfig, start: string | undefined) => string }[] = [
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
  { key: 'startFrom', text: (config, start) => (config.startFrom === undefined ? '' : startText(config, start)) },
  { key: 'seed', text: (config) => `seed ${config.seed}` },
];

/** What is trained with which method: "RPSFT", "RPSFT LoRA". */
export const familyOf = (config: RunConfig): string => (config.lora === undefined ? choiceName(config) : `${choiceName(config)} LoRA`);

/** What a name is made of. */
interface NamedRun {
  readonly config: RunConfig;
  /** Of a run, or of those that share a name. */
  readonly id?: RunId;
  readonly ids?: readonly RunId[];
  readonly importedFrom?: string | undefined;
}

/**
 * Names of the runs in one figure: method and adapter alone where that is enough, else with what differs between the runs
 * that share them. A run of which only its
 * files are known is called by them. Runs that agree in everything get a number.
 */
export function runNames(runs: readonly NamedRun[]): readonly string[] {
  if (runs.every(({ config }) => config.startFrom === undefined)) return namesBy(runs, new Map());
  const plain = namesBy(runs, new Map());
  return namesBy(runs, new Map(runs.flatMap(({ id, ids = id === undefined ? [] : [id] }, index) => ids.map((own) => [own, plain[index]!]))));
}

/** @param named names of the runs that others may go on from */
function namesBy(runs: readonly NamedRun[], named: ReadonlyMap<RunId, string>): readonly string[] {
  const startOf = ({ startFrom }: RunConfig): string | undefined => (startFrom === undefined ? undefined : named.get(startFrom));
  const names = runs.map((run) => {
    const { config, importedFrom } = run;
    if (importedFrom !== undefined && isUnknown({ importedFrom, config })) return importedFrom;
    const same = runs.filter((other) => familyOf(other.config) === familyOf(config));
    const differing = distinguishing.filter(({ key, text }) => !isIdle(key, config) && same.some((other) => text(other.config, startOf(other.config)) !== text(config, startOf(config))));
    return [familyOf(config), ...differing.map(({ text }) => text(config, startOf(config))).filter(Boolean)].join(' ');
  });
  return names.map((name, index) => {
    const twins = names.flatMap((other, position) => (other === name ? [position] : []));
    return twins.length > 1 ? `${name} (${twins.indexOf(index) + 1})` : name;
  });
}
