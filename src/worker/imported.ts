/** @file A run that comes back: an adapter or an exported run that was dropped, put onto the open model. */
import { FormatError } from '../formats/formatError.ts';
import type { Dropped } from '../formats/drop.ts';
import type { JsonObject } from '../formats/folder.ts';
import { isJsonObject, readJson } from '../formats/folder.ts';
import type { BaseModel, LoraAdapter } from '../formats/lora.ts';
import { isMlxConfig, readMlxAdapter } from '../formats/mlx.ts';
import { readPeftAdapter } from '../formats/peft.ts';
import { readMetricsLines } from '../formats/trainerState.ts';
import type { Lab, WeightSet } from '../engine.ts';
import { isMethod, isPenalty } from '../methods/registry.ts';
import type { FollowConfig, LabEvent, Measure, RunConfig, SuiteMeasures } from './protocol.ts';
import { historyEvents } from './records.ts';
import { isReinforce } from './reinforcing.ts';

/** Stands for the settings of a run that was made elsewhere. */
export const UNKNOWN_CONFIG = {
  method: 'sft',
  lambda: 0,
  rankFraction: 0.5,
  tau: 1,
  throughScale: false,
  beta: 0.1,
  learningRate: 1e-3,
  schedule: 'constant',
  warmupSteps: 0,
  steps: 0,
  batchSize: 1,
  accumulation: 1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  seed: 0,
  evaluateEvery: 1,
  driftEvery: 0,
  evaluationItems: 0,
  recompute: false,
} satisfies Omit<RunConfig, 'maxLength'>;

/** What was read; `events` of the run under the id it gets here. */
export interface ImportedRun {
  readonly weights: WeightSet;
  readonly config: RunConfig;
  readonly completedSteps: number;
  readonly startedAt: string;
  readonly measures: SuiteMeasures;
  readonly events: readonly LabEvent[];
}

/**
 * Puts what was dropped onto an open model.
 * @param fallback settings for an adapter from elsewhere, whose files do not say how it was trained
 * @throws FormatError | RangeError naming the file, field or module that does not fit; the model stays as it is
 */
export async function importRun(dropped: Dropped, id: string, lab: Lab, base: BaseModel, fallback: RunConfig): Promise<ImportedRun> {
  const { files, kind, run } = dropped;
  const adapter = kind === 'adapter' ? await readAdapter(dropped, base) : undefined;
  const known = configOf(run, fallback);
  const lora = adapter && { rank: adapter.settings.r, alpha: adapter.settings.alpha, rsLora: adapter.settings.rsLora, targets: targetsOf(adapter, lab) };
  const { lora: _, startFrom: __, ...config } = known;
  const log = files.get('metrics.jsonl');
  const history = log ? readMetricsLines(await log.text()) : { steps: [], evaluations: [], drifts: [], starts: [], followed: [] };
  const events: LabEvent[] = [
    ...historyEvents(id, history),
    { type: 'state', run: id, state: 'finished' },
  ];
  return {
    weights: adapter ? lab.attachAdapter(adapter) : await lab.attachWeights(files),
    config: lora ? { ...config, lora } : config,
    completedSteps: countOf(run?.['completedSteps']) ?? history.steps.at(-1)?.step ?? 0,
    startedAt: typeof run?.['startedAt'] === 'string' ? run['startedAt'] : new Date().toISOString(),
    measures: measuresOf(run),
    events,
  };
}

/** Whether a dropped model is a run on the open one: exported here, and made of a model of the same name. */
export const isRunOn = ({ kind, run }: Dropped, modelName: string): boolean => kind === 'adapter' || (run !== undefined && run['model'] === modelName);

/** The layers of an adapter, by short names where these select no others. */
function targetsOf({ modules }: LoraAdapter, { model }: Lab): string[] {
  const short = (module: string): string => module.slice(module.lastIndexOf('.') + 1);
  const names = new Set(modules.map(({ name }) => short(name)));
  const selected = model.architecture.linears.filter(({ module }) => names.has(short(module)));
  return selected.length === modules.length ? [...names] : modules.map(({ name }) => name);
}

async function readAdapter({ files }: Dropped, base: BaseModel): Promise<LoraAdapter> {
  const config = await readJson(files, 'adapter_config.json');
  if (config === undefined) throw new FormatError('adapter_config.json', '', 'it is missing');
  return isMlxConfig(config) ? readMlxAdapter(files, base) : readPeftAdapter(files, base);
}

/** The settings that run.json tells, checked for their types; a field that is missing or of another type is that of `fallback`. */
function configOf(run: JsonObject | undefined, fallback: RunConfig): RunConfig {
  const told = run?.['config'];
  if (!isJsonObject(told)) return fallback;
  const fits = ([name, value]: [string, unknown]): boolean =>
    name === 'method' ? isMethod(value) : name === 'penalty' ? isPenalty(value) : name === 'reinforce' ? isReinforce(value) : name === 'follow' ? isFollow(value) : name in fallback && typeof value === typeof fallback[name as keyof RunConfig];
  return { ...fallback, ...Object.fromEntries(Object.entries(told).filter(fits)) };
}

const isFollow = (value: unknown): value is FollowConfig => isJsonObject(value) && typeof value['every'] === 'number' && typeof value['states'] === 'boolean' && typeof value['outputs'] === 'boolean';

const MEASURES: readonly Measure[] = ['exact', 'choice', 'generation', 'perplexity'];

/** What run.json tells its suites were measured by; files from before that was noted knew `exact` only. */
function measuresOf(run: JsonObject | undefined): SuiteMeasures {
  const told = run?.['measures'];
  const of = (suite: keyof SuiteMeasures): Measure => MEASURES.find((measure) => isJsonObject(told) && told[suite] === measure) ?? 'exact';
  return { inDomain: of('inDomain'), outOfDomain: of('outOfDomain') };
}

const countOf = (value: unknown): number | undefined => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined);
