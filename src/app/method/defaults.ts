/**
 * @file The run that starts when nothing is changed. What suits the built-in model was measured on its demo data; for other models the values are
 * those of the literature, and the page moves a setting from one to the other only where nobody has touched it.
 */
import { defaultOf, parametersOf, type MethodId, type PenaltyId } from '../../worker/methods.ts';
import type { LoraConfig, ModelSummary, ReinforceConfig, RunConfig } from '../../worker/protocol.ts';
import { pickSettings, type MethodMemory } from './methodSettings.ts';

export const defaultConfig: RunConfig = {
  method: 'rpsft',
  recompute: false,
  lambda: defaultOf('rpsft', 'lambda'),
  rankFraction: defaultOf('rpsft', 'rankFraction'),
  tau: defaultOf('iw-sft', 'tau'),
  throughScale: false,
  beta: defaultOf('kl-sft', 'beta'),
  learningRate: 5e-4,
  schedule: 'constant',
  warmupSteps: 20,
  steps: 400,
  batchSize: 16,
  accumulation: 1,
  maxLength: 128,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 1,
  evaluateEvery: 40,
  driftEvery: 40,
  evaluationItems: 100,
};

/** Alpha of twice the rank is what PEFT's examples use; targets are those of the model, filled in once it is known. */
export const defaultLora: LoraConfig = { rank: 16, alpha: 32, targets: [], rsLora: false };

/** An adapter starts at zero and wants larger steps than all weights do: measured for the built-in model (r 8), ten times the full rate elsewhere. */
const loraRates = { builtIn: 1e-3, other: 2e-4 } as const;

/** GRPO as measured on the built-in model (docs/study.md, RL start): from 64 answers a step it learnt nothing. The ratio's bounds are DAPO's. */
export const defaultReinforce: ReinforceConfig = { prompts: 32, samples: 8, maxNewTokens: 36, sequences: 64, updates: 1, clipLow: 0.2, clipHigh: 0.28 };

/** What GRPO wants otherwise than supervised fine-tuning: a sampled step takes longer and says less. */
const reinforceSchedule = { learningRate: 1e-4, schedule: 'constant', warmupSteps: 5, steps: 100, accumulation: 4, evaluateEvery: 20, driftEvery: 20 } as const satisfies Partial<RunConfig>;

/** Answers of other models are worked solutions: longer, and learnt from a few at a time. */
const longAnswers = { prompts: 8, tokens: 256, accumulation: 16 } as const;

/** The settings that GRPO has of its own beside `reinforce`. */
export const reinforceDefaults = Object.keys(reinforceSchedule) as readonly (keyof typeof reinforceSchedule)[];

/** The parts of a model that defaults depend on. */
export type ModelFacts = Pick<ModelSummary, 'source' | 'contextLength' | 'linears'>;

/** Short names of the layers that LoRA adapts in a model when nothing is chosen. */
export const defaultTargets = (model: Pick<ModelSummary, 'linears'>): readonly string[] => model.linears.filter(({ byDefault }) => byDefault).map(({ name }) => name);

/** The settings that decide what is usual for the others. */
export interface Chosen {
  readonly method: MethodId;
  readonly penalty?: PenaltyId | undefined;
  readonly lora?: LoraConfig | undefined;
  readonly reinforce?: ReinforceConfig | undefined;
}

/** What is usual for a run on a model: supervised by a method, or GRPO. */
export function usualConfig(model: ModelFacts | undefined, chosen: Chosen): RunConfig {
  const usual = usualSupervised(model, chosen);
  if (chosen.reinforce === undefined) return usual;
  // A rate of adapters and of other models is as much lower than for the built-in model as that of their supervised runs.
  const learningRate = Number(((reinforceSchedule.learningRate * usual.learningRate) / defaultConfig.learningRate).toPrecision(1));
  const own = { ...usual, ...reinforceSchedule, learningRate };
  if (isBuiltIn(model)) return { ...own, reinforce: defaultReinforce };
  return { ...own, accumulation: longAnswers.accumulation, reinforce: { ...defaultReinforce, prompts: longAnswers.prompts, maxNewTokens: Math.min(longAnswers.tokens, Math.floor(usual.maxLength / 2)) } };
}

const isBuiltIn = (model: ModelFacts | undefined): model is undefined | (ModelFacts & { readonly source: 'built-in' }) => model === undefined || model.source === 'built-in';

/** What is usual for a method on a model, full or LoRA. λ and k of other models follow the RPSFT paper, with a tenth of the strength; steps there take longer, so there are fewer. */
function usualSupervised(model: ModelFacts | undefined, { method, penalty, lora }: Chosen): RunConfig {
  const parameters = parametersOf({ method, lambda: 0, penalty });
  const usual: RunConfig = {
    ...defaultConfig, lambda: 0, ...Object.fromEntries(parameters.map(({ id, default: value }) => [id, value])), method,
    ...(penalty === undefined ? {} : { penalty }), ...(lora === undefined ? {} : { lora }),
  };
  const holdsDirections = parameters.some(({ id }) => id === 'rankFraction');
  const rate = lora === undefined ? {} : { learningRate: loraRates.builtIn };
  if (isBuiltIn(model)) return { ...usual, ...rate };
  return {
    ...usual,
    lambda: holdsDirections ? usual.lambda / 10 : usual.lambda,
    rankFraction: 0.2,
    learningRate: lora === undefined ? 2e-5 : loraRates.other,
    steps: 200,
    accumulation: 4,
    maxLength: Math.min(512, model.contextLength),
    evaluateEvery: 50,
    driftEvery: 100,
    evaluationItems: 50,
  };
}

/** Gives every setting that still is what it usually was the value that is usual now. */
export function moveUsual(config: RunConfig, before: RunConfig, now: RunConfig): RunConfig {
  const isUsual = (key: keyof RunConfig): boolean => JSON.stringify(config[key]) === JSON.stringify(before[key]);
  const moved = Object.entries(now).filter(([key]) => key !== 'lora' && isUsual(key as keyof RunConfig));
  return { ...config, ...Object.fromEntries(moved) };
}

/** What is remembered of methods when another model is opened: values that were usual there become those that are usual here. */
export const memoryForModel = (memory: MethodMemory, before: ModelFacts | undefined, model: ModelFacts): MethodMemory =>
  Object.fromEntries(Object.entries(memory).map(([key, settings]) => [key, pickSettings(moveUsual({ ...defaultConfig, ...settings }, usualConfig(before, settings), usualConfig(model, settings)))]));

/** The run being edited when another model is opened: usual values move, the longest row fits its context, and LoRA adapts layers that it has. */
export function configForModel(config: RunConfig, before: ModelFacts | undefined, model: ModelFacts): RunConfig {
  const moved = moveUsual(config, usualConfig(before, config), usualConfig(model, config));
  const { startFrom: _of, ...rest } = moved;
  const fitted: RunConfig = { ...rest, maxLength: Math.min(moved.maxLength, model.contextLength) };
  return fitted.lora === undefined ? fitted : { ...fitted, lora: loraForModel(fitted.lora, model) };
}

/** Drops targets that a model does not have; where none is left, those of the model are taken. */
export function loraForModel(lora: LoraConfig, model: Pick<ModelSummary, 'linears'>): LoraConfig {
  const known = lora.targets.filter((target) => model.linears.some(({ name }) => name === target));
  return { ...lora, targets: known.length > 0 ? known : defaultTargets(model) };
}
