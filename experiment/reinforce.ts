/**
 * @file RL start, a part of `npm run study`: GRPO from checkpoints of SFT and of RPSFT that are equally far in-domain, on three seeds.
 *
 * Fine-tuning stops where in-domain accuracy is `LEVEL` at two looks in a row, for at one alone it may be by chance; from there on only the reward
 * teaches. Engine and twin each run all of it: their sampled answers differ, so that one does not stand for the other.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import type { GrpoRecord, ReinforceSettings } from '../src/engine.ts';
import type { PlannedRun, Setting } from './studyPlan.ts';
import { nameOf, SEEDS } from './studyPlan.ts';
import type { Backend, Point, Source, StudyResults } from './studyResults.ts';
import { emptyResults } from './studyResults.ts';

/** Share of the in-domain items at which fine-tuning stops. */
export const LEVEL = 0.3;
/** Fine-tuning steps between two looks at it. */
export const LOOK_EVERY = 10;
/** Steps of GRPO between two evaluations. */
export const EVALUATE_EVERY = 20;

const FULL = { lora: false, rankFraction: 0.5, beta: 0.1 } as const;

export const STARTS: readonly Setting[] = [
  { ...FULL, method: 'sft', learningRate: 3e-4, lambda: 0 },
  { ...FULL, method: 'rpsft', learningRate: 5e-4, lambda: 10 },
];

/** A gradient of few answers is mostly noise: with a quarter of these, or at three times the rate, nothing was gained. */
export const SETTINGS = {
  prompts: 32,
  samples: 8,
  maxNewTokens: 36,
  clipLow: 0.2,
  clipHigh: 0.28,
  updates: 1,
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 1e-4, warmupSteps: 5, steps: 100 },
  sequences: 64,
  rows: 64,
} as const satisfies Omit<ReinforceSettings, 'seed'>;

/** What a step of GRPO tells. */
export type Told = Pick<GrpoRecord, 'reward' | 'mixedGroups' | 'answerTokens' | 'gradientNorm'>;

/** GRPO from a start. */
export interface Reinforced {
  readonly fineTunedSteps: number;
  /** By step of GRPO; 0 = where fine-tuning stopped. */
  readonly points: readonly Point[];
  readonly records: readonly Told[];
  /** Of GRPO without its evaluations. */
  readonly seconds: number;
}

export interface ReinforcedRun extends PlannedRun, Reinforced {
  readonly name: string;
  readonly source: Source;
}

export interface ReinforceResults extends Pick<StudyResults, 'model' | 'devices' | 'date'> {
  readonly runs: readonly ReinforcedRun[];
}

const FILE = join(repository, 'docs/study/reinforce.json');

/** The results so far; none when they are of another model than the one in public/model. */
export async function readReinforced(): Promise<ReinforceResults> {
  const { model, devices, date } = await emptyResults();
  const found = JSON.parse(await readFile(FILE, 'utf8').catch(() => 'null')) as ReinforceResults | null;
  return found?.model === model ? found : { model, devices, date, runs: [] };
}

/** Runs what the results do not have of this backend, a first seed of both starts first, and saves after every run. */
export async function reinforceAll(backend: Backend, anew: boolean): Promise<void> {
  const { source, device } = backend;
  const found = await readReinforced();
  let results: ReinforceResults = { ...found, devices: { ...found.devices, [source]: device }, runs: found.runs.filter((run) => !anew || run.source !== source) };
  for (const planned of SEEDS.flatMap((seed) => STARTS.map((start): PlannedRun => ({ ...start, seed })))) {
    const name = nameOf(planned);
    if (results.runs.some((run) => run.name === name && run.source === source)) continue;
    const run: ReinforcedRun = { name, source, ...planned, ...(await backend.reinforce(planned)) };
    const [first, last] = [run.points[0]!, run.points.at(-1)!].map(({ heldOut, outOfDomain }) => `in-domain ${heldOut.correct}/${heldOut.items}, out-of-domain ${outOfDomain.correct}/${outOfDomain.items}`);
    console.log(`GRPO from ${name}, ${run.fineTunedSteps} steps: ${first}; after ${run.records.length} steps ${last}, ${run.seconds.toFixed(0)} s`);
    results = { ...results, date: new Date().toISOString().slice(0, 10), runs: [...results.runs, run] };
    await save(results);
  }
}

/** One run a line; numbers of a step to four digits. */
async function save({ runs, ...facts }: ReinforceResults): Promise<void> {
  const short = (key: string, value: unknown): unknown => (typeof value === 'number' && !Number.isInteger(value) && ROUNDED.has(key) ? Number(value.toPrecision(4)) : value);
  const lines = runs.map((run) => JSON.stringify(run, short)).join(',\n');
  await writeFile(FILE, `${JSON.stringify(facts).slice(0, -1)},\n"runs": [\n${lines}\n]}\n`);
}

const ROUNDED: ReadonlySet<string> = new Set<keyof Told | 'loss' | 'seconds'>(['reward', 'mixedGroups', 'answerTokens', 'gradientNorm', 'loss', 'seconds']);

/** Settings of a run for the engine. */
export const reinforceSettings = (seed: number): ReinforceSettings => ({ ...SETTINGS, seed });

