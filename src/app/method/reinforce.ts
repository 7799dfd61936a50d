/** @file GRPO in the run being edited: what is usual, how a run says what a step takes, and the way back to supervised fine-tuning. Pure. */
import type { ReinforceConfig, RunConfig } from '../../worker/protocol.ts';
import { formatCounted } from '../format.ts';
import { usualConfig, type ModelFacts } from './defaults.ts';

/** As measured on the built-in model (experiment/reinforce.ts); the ratio's bounds are DAPO's. */
export const defaultReinforce: ReinforceConfig = { prompts: 8, samples: 8, maxNewTokens: 36, updates: 1, clipLow: 0.2, clipHigh: 0.28 };

/** What GRPO wants otherwise than supervised fine-tuning: a sampled step takes longer and says less. */
const schedule = { learningRate: 1e-4, schedule: 'constant', warmupSteps: 5, steps: 60, accumulation: 1, evaluateEvery: 20, driftEvery: 20 } as const satisfies Partial<RunConfig>;

/** A run as GRPO. A rate of adapters and of other models is as much lower than for the built-in model as that of their supervised runs. */
export function reinforced(config: RunConfig, model: ModelFacts | undefined): RunConfig {
  const usual = usualConfig(model, config).learningRate;
  const own = usualConfig(undefined, { method: config.method }).learningRate;
  return { ...config, ...schedule, learningRate: Number(((schedule.learningRate * usual) / own).toPrecision(1)), reinforce: config.reinforce ?? defaultReinforce };
}

/** The same run supervised: what GRPO wanted otherwise is what is usual again. */
export function supervised(config: RunConfig, model: ModelFacts | undefined): RunConfig {
  const { reinforce, ...rest } = config;
  if (reinforce === undefined) return config;
  const usual = usualConfig(model, config);
  return { ...rest, ...Object.fromEntries(Object.keys(schedule).map((key) => [key, usual[key as keyof RunConfig]])) };
}

/** "400 steps of 16 rows", "60 steps of 64 answers". */
export const stepsText = ({ steps, batchSize, reinforce }: RunConfig): string =>
  `${formatCounted(steps, 'step')} of ${reinforce === undefined ? formatCounted(batchSize, 'row') : formatCounted(reinforce.prompts * reinforce.samples, 'answer')}`;
