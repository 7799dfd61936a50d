/** @file The results file of the study, which engine and twin both write, and what is computed from it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import { keptAt, type Measured } from '../src/app/compare/statistics.ts';
import type { FineTuneSettings, ItemResult, StepRecord } from '../src/engine.ts';
import { meanLoss } from '../src/engine.ts';
import type { Accuracy } from '../src/worker/protocol.ts';
import type { Reinforced } from './reinforce.ts';
import type { PlannedRun } from './studyPlan.ts';

/** Items of a suite that greedy decoding gets exactly right, and the mean loss of their trained tokens. */
export interface SuiteResult {
  readonly correct: number;
  readonly items: number;
  /** Not told of the out-of-domain suite by runs that were taken over. */
  readonly loss?: number;
}

/** After a number of steps; 0 = the base model. */
export interface Point {
  readonly step: number;
  readonly heldOut: SuiteResult;
  readonly outOfDomain: SuiteResult;
}

/** Means over all matrices that have a top-k block; angles in degrees. */
export interface DriftResult {
  readonly leftAngle: number;
  readonly rightAngle: number;
  readonly largestAngle: number;
  readonly vectorAlignment: number;
  readonly blockShare: number;
  readonly blockDiagonal: number;
  readonly blockChance: number;
  /** Mean |sigma_i' - sigma_i| / sigma_i. */
  readonly singularValueChange: number;
  readonly relativeChange: number;
}

export type RestoredResult = Pick<Point, 'heldOut' | 'outOfDomain'>;

export interface Measures {
  readonly drift: DriftResult;
  /** Final-normed states on the first tokens of the out-of-domain suite. */
  readonly representation: { readonly cka: number; readonly cosine: number; readonly pcaShift: number; readonly layerCka: readonly number[] };
  /** Next-token distributions there, in nats. */
  readonly output: { readonly baseToTuned: number; readonly tunedToBase: number; readonly jensenShannon: number };
  /** With a part of the pretrained weights back in every matrix. `random`, the control, is a block of random directions of the same k; the twin alone measures it. */
  readonly restore: Readonly<Record<'block' | 'values' | 'rotation', RestoredResult>> & { readonly random?: RestoredResult };
}

/** What a backend makes of a planned run. */
export interface Trained {
  readonly points: readonly Point[];
  readonly trainingSeconds: number;
  readonly seconds: number;
}

export type Source = 'engine' | 'twin';

export interface RunResult extends PlannedRun, Trained {
  readonly name: string;
  readonly source: Source;
  /** Of the settings that methods are judged at, and who measured. */
  readonly measures?: Measures & { readonly source: Source };
}

/** Shares of the Fisher information in a block, of all matrices together. */
export interface FisherResult {
  readonly suite: 'heldOut' | 'outOfDomain';
  readonly fraction: number;
  readonly examples: number;
  readonly chance: number;
  readonly top: number;
  readonly random: number;
  readonly tail: number;
  readonly source: Source;
}

export interface StudyResults {
  /** SHA-256 of model.safetensors. */
  readonly model: string;
  /** What the runs of each source ran on. */
  readonly devices: Readonly<Partial<Record<Source, string>>>;
  readonly date: string;
  readonly runs: readonly RunResult[];
  readonly fisher: readonly FisherResult[];
}

/** What one optimizer step tells. */
export type CurvePoint = Pick<StepRecord, 'loss' | 'crossEntropy' | 'penalty' | 'gradientNorm'>;

/** What runs the study: the engine on a GPU, or its twin in PyTorch. */
export interface Backend {
  readonly source: Source;
  readonly device: string;
  train(run: PlannedRun): Promise<Trained>;
  /** Of a run whose weights are there; undefined when they are not. */
  measure(run: PlannedRun): Promise<Measures | undefined>;
  /** Of the pretrained weights. */
  fisher(suite: FisherResult['suite'], fraction: number): Promise<FisherResult>;
  /** The steps of a run, without evaluations. */
  curve(settings: FineTuneSettings): Promise<readonly CurvePoint[]>;
  /** GRPO from a fine-tuning run that is stopped early. */
  reinforce(start: PlannedRun): Promise<Reinforced>;
  close(): Promise<void>;
}

const FILE = join(repository, 'docs/study/results.json');

/** No results yet, for the model in public/model. */
export async function emptyResults(): Promise<StudyResults> {
  const digest = await crypto.subtle.digest('SHA-256', await readFile(join(repository, 'public/model/model.safetensors')));
  return { model: Buffer.from(digest).toString('hex'), devices: {}, date: '', runs: [], fisher: [] };
}

/** The results so far. @throws when they are of another model */
export async function readResults(): Promise<StudyResults> {
  const empty = await emptyResults();
  const text = await readFile(FILE, 'utf8').catch(() => undefined);
  if (text === undefined) return empty;
  const { facts, ...lists } = JSON.parse(text) as { readonly facts: Omit<StudyResults, 'runs' | 'fisher'> } & Pick<StudyResults, 'runs' | 'fisher'>;
  if (facts.model !== empty.model) throw new Error('docs/study/results.json is of another model.safetensors than the one in public/model; `npm run study -- --anew` begins again with this one.');
  return { ...facts, ...lists };
}

/** One run a line, so that a difference of two versions can be read. */
export async function writeResults(results: StudyResults): Promise<void> {
  const lines = (list: readonly unknown[]): string => `[\n${list.map((each) => JSON.stringify(each)).join(',\n')}\n]`;
  const { runs, fisher, ...facts } = { ...results, date: new Date().toISOString().slice(0, 10) };
  await writeFile(FILE, `{\n"facts": ${JSON.stringify(facts)},\n"fisher": ${lines(fisher)},\n"runs": ${lines(runs)}\n}\n`);
}

export const scored = (results: readonly ItemResult[]): SuiteResult => ({ correct: results.filter(({ exact }) => exact).length, items: results.length, loss: meanLoss(results) });

/** A run as the page's statistics read it. An interval of one run is of its items; those of the tables are over seeds, so none is filled in here. */
export function measuredOf({ points }: Trained): Measured {
  const accuracy = ({ correct, items }: SuiteResult): Accuracy => ({ correct, items, low: correct / items, high: correct / items });
  return {
    evaluations: points.map(({ step, heldOut, outOfDomain }) => ({ step, heldOutLoss: heldOut.loss ?? Number.NaN, outOfDomainLoss: outOfDomain.loss ?? Number.NaN, inDomain: accuracy(heldOut), outOfDomain: accuracy(outOfDomain), groups: [] })),
  };
}

/** Out-of-domain accuracy where a run first reaches an in-domain accuracy, interpolated between evaluations; undefined when it never does. */
export const outOfDomainAt = (run: Trained, level: number): number | undefined => keptAt([measuredOf(run)], level).value?.mean;
