/** @file GRPO in the run being edited: how a run becomes one, how it says what a step takes, and the way back to supervised fine-tuning. Pure. */
import type { RunConfig } from '../../worker/protocol.ts';
import { formatCounted } from '../format.ts';
import { defaultReinforce, reinforceDefaults, usualConfig, type ModelFacts } from './defaults.ts';

const pick = (config: RunConfig): Partial<RunConfig> => Object.fromEntries(reinforceDefaults.map((key) => [key, config[key]]));

/** A run as GRPO. */
export function reinforced(config: RunConfig, model: ModelFacts | undefined): RunConfig {
  const usual = usualConfig(model, { ...config, reinforce: defaultReinforce });
  return { ...config, ...pick(usual), reinforce: config.reinforce ?? usual.reinforce! };
}

/** The same run supervised: what GRPO wanted otherwise is what is usual again. */
export function supervised(config: RunConfig, model: ModelFacts | undefined): RunConfig {
  const { reinforce, ...rest } = config;
  return reinforce === undefined ? config : { ...rest, ...pick(usualConfig(model, rest)) };
}

/** "400 steps of 16 rows", "100 steps of 256 answers". */
export const stepsText = ({ steps, batchSize, reinforce }: RunConfig): string =>
  `${formatCounted(steps, 'step')} of ${reinforce === undefined ? formatCounted(batchSize, 'row') : formatCounted(reinforce.prompts * reinforce.samples, 'answer')}`;
