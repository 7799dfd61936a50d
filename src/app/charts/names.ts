/** @file Short names that tell the runs of one figure apart: the method, and what differs. */
import type { LoraConfig, MethodId, RunConfig } from '../../worker/protocol.ts';
import { formatParameter, formatRate, formatShare } from '../format.ts';
import { isUnknown } from '../runs.ts';
import { methodLabel } from '../method/methods.ts';

/** One row of a legend. */
export interface LegendEntry {
  readonly name: string;
  readonly method: MethodId;
}

/** What tells two settings of adapters apart, in the shortest form that does. */
const loraDetails: readonly ((lora: LoraConfig) => string)[] = [({ rank }) => `r ${rank}`, ({ alpha }) => `α ${formatParameter(alpha)}`, ({ rsLora }) => (rsLora ? 'rsLoRA' : ''), ({ targets }) => targets.join('+')];

/** Settings that a name may mention, in this order, and how. */
const distinguishing: readonly { readonly key: keyof RunConfig; readonly text: (config: RunConfig) => string }[] = [
  ...loraDetails.map((text) => ({ key: 'lora', text: ({ lora }: RunConfig) => (lora === undefined ? '' : text(lora)) }) as const),
  { key: 'lambda', text: (config) => `λ ${formatParameter(config.lambda)}` },
  { key: 'rankFraction', text: (config) => `k ${formatShare(config.rankFraction)}` },
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
const nameOf = ({ method, lora }: RunConfig): string => (lora === undefined ? methodLabel(method) : `${methodLabel(method)} LoRA`);

/** λ means nothing to SFT and k only something to RPSFT. */
const applies = (key: keyof RunConfig, method: MethodId): boolean =>
  key === 'lambda' ? method !== 'sft' : key === 'rankFraction' ? method === 'rpsft' : true;

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
    const same = runs.filter((other) => nameOf(other.config) === nameOf(config));
    const differing = distinguishing.filter(({ key, text }) => applies(key, config.method) && same.some((other) => text(other.config) !== text(config)));
    return [nameOf(config), ...differing.map(({ text }) => text(config)).filter(Boolean)].join(' ');
  });
  return names.map((name, index) => {
    const twins = names.flatMap((other, position) => (other === name ? [position] : []));
    return twins.length > 1 ? `${name} (${twins.indexOf(index) + 1})` : name;
  });
}
