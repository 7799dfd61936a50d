/** @file Every number of a run: its name, its range, how it is written and read, and what it does. The editor and the check before a start use the same table. */
import { formatCount, formatParameter, formatRate, formatShare } from '../format.ts';
import type { ReinforceConfig, RunConfig } from '../../worker/protocol.ts';
import { METHODS, methodInfo, type NumberParameter } from '../../worker/methods.ts';
import { needsAllWeights, usesParameter, type ParameterId } from './methodSettings.ts';

/** The settings of a run that are numbers. */
export type NumberKey = { [Key in keyof RunConfig]-?: RunConfig[Key] extends number ? Key : never }[keyof RunConfig];

/** Everything that is typed as a number: those of the run itself, two of its adapters, and those of GRPO. */
export type FieldKey = NumberKey | 'loraRank' | 'loraAlpha' | 'followEvery' | keyof ReinforceConfig;

export interface NumberFieldInfo {
  readonly label: string;
  /** One line on what it does and when to change it. */
  readonly help: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  readonly write: (value: number) => string;
  /** A percentage in the field, a fraction in the run. */
  readonly percent?: true;
}

const count = (label: string, help: string, least: number, most: number): NumberFieldInfo => ({
  label, help, least, most, whole: true, write: (value) => String(value),
});

const real = (label: string, help: string, least: number, most: number, write = formatParameter): NumberFieldInfo => ({
  label, help, least, most, whole: false, write,
});

/** A parameter of methods, as their table has it. */
function ofMethods(id: NumberParameter['id'], write = formatParameter): NumberFieldInfo {
  const { name, description, least, most } = METHODS.flatMap(({ parameters }) => parameters).find((parameter): parameter is NumberParameter => parameter.kind === 'number' && parameter.id === id)!;
  return real(name, description, least, most, write);
}

const methodNumbers: Readonly<Record<NumberParameter['id'], NumberFieldInfo>> = {
  lambda: ofMethods('lambda'),
  rankFraction: { ...ofMethods('rankFraction', formatShare), percent: true },
  tau: ofMethods('tau'),
  beta: ofMethods('beta'),
};

export const numberFields: Readonly<Record<FieldKey, NumberFieldInfo>> = {
  ...methodNumbers,
  learningRate: real('Learning rate', 'Size of a step. Higher learns faster and forgets more.', 1e-7, 0.1, formatRate),
  steps: count('Steps', 'Updates of the weights in this run.', 1, 100_000),
  batchSize: count('Rows a step', 'Rows averaged in one update.', 1, 512),
  accumulation: count('Parts a step', 'Splits the rows of a step to save memory; the result is the same.', 1, 512),
  maxLength: count('Longest row', 'Tokens of a row; what is longer is cut off.', 8, 131_072),
  loraRank: count('Rank r', 'Columns of A and B: what an adapter can hold. 8 to 64 is usual.', 1, 512),
  loraAlpha: real('Alpha', 'The adapter counts alpha / r times. Twice the rank is usual.', 0.001, 4096),
  prompts: count('Questions a step', 'Questions that answers are sampled for in one step.', 1, 512),
  samples: count('Answers each', 'Answers to one question, compared with each other. More find a right one oftener.', 2, 128),
  maxNewTokens: count('Longest answer', 'Tokens an answer may take. One that is cut off counts as what it says so far.', 1, 4096),
  sequences: count('Sampled at once', 'Answers decoded together. Fewer need less memory and take longer.', 1, 1024),
  updates: count('Updates a step', 'Times that the weights learn from the same answers. At 1 the bounds never act.', 1, 16),
  clipLow: real('Ratio down to 1 −', 'How far a token may become less likely in a step before it counts no more.', 0, 1),
  clipHigh: real('Ratio up to 1 +', 'How far a token may become likelier in a step. Wider than down keeps answers diverse.', 0, 10),
  warmupSteps: count('Warm-up steps', 'Steps over which the learning rate rises from 0.', 0, 100_000),
  clipNorm: real('Clip norm', 'Larger gradients are scaled down to this norm; 0 turns it off.', 0, 1000),
  weightDecay: real('Weight decay', 'Pulls all weights toward 0. Pretrained weights rarely want it.', 0, 1),
  beta1: real('Adam β₁', 'Memory of the mean gradient.', 0, 0.9999, (value) => String(value)),
  beta2: real('Adam β₂', 'Memory of the squared gradient.', 0, 0.99999, (value) => String(value)),
  epsilon: real('Adam ε', 'Keeps the division by the squared gradient finite.', 1e-12, 0.01, formatRate),
  seed: count('Seed', 'Order of the rows. Another seed shows how much of a result is chance.', 0, 2_147_483_647),
  evaluateEvery: count('Evaluate every', 'Steps between two measurements of both suites.', 1, 100_000),
  driftEvery: count('Spectrum every', 'Steps between two decompositions of all matrices; 0 measures none.', 0, 100_000),
  followEvery: count('Follow every', 'Steps between two measurements; the last step always has one.', 1, 100_000),
  evaluationItems: count('Items each', 'Items of each suite in a live evaluation. The last one uses all.', 10, 100_000),
};

/** Reads what was typed; a comma as decimal sign and a trailing percent sign are understood. NaN when it is no number. */
export function readNumber(text: string, { percent }: Pick<NumberFieldInfo, 'percent'>): number {
  const plain = text.trim().replace('\u2212', '-').replace(/\s*%$/, '').replace(/^(-?\d+),(\d+)$/, '$1.$2');
  if (plain === '') return Number.NaN;
  const value = Number(plain);
  return percent ? value / 100 : value;
}

/** "Between 1e-7 and 0.1", in the unit of the field. */
export function allowedRange(field: NumberFieldInfo): string {
  const write = (value: number): string => (field.whole ? formatCount(value) : field.percent ? formatShare(value) : value >= 1000 ? formatCount(value) : formatParameter(value));
  return `${field.whole ? 'A whole number between' : 'Between'} ${write(field.least)} and ${write(field.most)}`;
}

/** The settings of GRPO, in the order in which they are shown. */
export const reinforceKeys: readonly (keyof ReinforceConfig)[] = ['prompts', 'samples', 'maxNewTokens', 'sequences', 'updates', 'clipLow', 'clipHigh'];

const isOfReinforce = (key: FieldKey): key is keyof ReinforceConfig => reinforceKeys.some((known) => known === key);

export type ConfigProblems = Readonly<Partial<Record<FieldKey | 'loraTargets' | 'method', string>>>;

/** The value of a field; undefined for one of the adapters, or of GRPO, in a run without. */
export function fieldValue(config: RunConfig, key: FieldKey): number | undefined {
  if (key === 'loraRank') return config.lora?.rank;
  if (key === 'loraAlpha') return config.lora?.alpha;
  if (key === 'followEvery') return config.follow?.every;
  return isOfReinforce(key) ? config.reinforce?.[key] : config[key];
}

/** What is wrong with a value on its own; undefined when nothing is. */
export function fieldProblem(key: FieldKey, value: number): string | undefined {
  const field = numberFields[key];
  return value >= field.least && value <= field.most && (!field.whole || Number.isInteger(value)) ? undefined : allowedRange(field);
}

/** The run does not use the field: its method has no such parameter, or GRPO takes questions in place of rows. */
export const isIdle = (key: string, config: RunConfig): boolean => (key in methodNumbers && !usesParameter(config, key as ParameterId)) || (key === 'batchSize' && config.reinforce !== undefined);

/** What keeps a run from starting, by field; `contextLength` is that of the model, if one is loaded. */
export function checkConfig(config: RunConfig, contextLength = Infinity): ConfigProblems {
  const problems: Partial<Record<keyof ConfigProblems, string>> = {};
  for (const key of Object.keys(numberFields) as FieldKey[]) {
    const value = fieldValue(config, key);
    const problem = value === undefined || isIdle(key, config) ? undefined : fieldProblem(key, value);
    if (problem !== undefined) problems[key] = problem;
  }
  if (config.lora !== undefined && config.reinforce === undefined && needsAllWeights(config.method)) problems.method = `${methodInfo(config.method).name} trains all weights only`;
  if (config.lora?.targets.length === 0) problems.loraTargets = 'LoRA needs at least one layer to adapt';
  if (!problems.maxLength && config.maxLength > contextLength) problems.maxLength = `The model reads at most ${formatCount(contextLength)} tokens`;
  if (!problems.warmupSteps && !problems.steps && config.warmupSteps > config.steps) problems.warmupSteps = `No more than the ${formatCount(config.steps)} steps of the run`;
  if (config.reinforce === undefined && !problems.accumulation && !problems.batchSize && config.batchSize % config.accumulation !== 0) {
    problems.accumulation = `Must divide the ${formatCount(config.batchSize)} rows a step`;
  }
  if (config.reinforce !== undefined && !problems.maxNewTokens && !problems.maxLength && config.reinforce.maxNewTokens >= config.maxLength) {
    problems.maxNewTokens = `Leaves no room for a question in a row of ${formatCount(config.maxLength)} tokens`;
  }
  if (config.reinforce !== undefined && !problems.accumulation && !problems.prompts && !problems.samples) {
    const answers = config.reinforce.prompts * config.reinforce.samples;
    if (config.accumulation > answers) problems.accumulation = `No more than the ${formatCount(answers)} answers of a step`;
  }
  return problems;
}
