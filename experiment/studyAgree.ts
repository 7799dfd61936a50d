/**
 * @file The first proof of the study: 50 steps of the engine and of its twin in PyTorch side by side, for every kind of run, from the same settings; and
 * what both measure of the same weights.
 * Both compute in f32 and sum in other orders, and a difference of roundings grows with the steps: AdamW's first ones divide gradients by themselves.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import { startEngine } from './studyEngine.ts';
import type { PlannedRun } from './studyPlan.ts';
import { firstOfEach, FISHER_FRACTIONS, nameOf, settingsOf } from './studyPlan.ts';
import type { Backend, CurvePoint, DriftResult, FisherResult, Measures } from './studyResults.ts';
import { emptyResults } from './studyResults.ts';
import { startTwin } from './studyTwin.ts';

const STEPS = 50;
const QUANTITIES = ['loss', 'crossEntropy', 'penalty', 'gradientNorm'] as const;

/** Largest differences over the steps, each relative to the engine's value; of a penalty, which begins at 0, to its largest. */
export interface CurveAgreement extends Readonly<Record<(typeof QUANTITIES)[number], number>> {
  readonly name: string;
  readonly steps: number;
}

/** What both say of the same tuned weights. */
export interface MeasureAgreement {
  readonly name: string;
  /** Largest relative difference of a number of the drift, of the representations, and of the divergences of outputs. */
  readonly drift: number;
  readonly representation: number;
  readonly output: number;
  /** Largest difference of right answers after a part was put back. */
  readonly restoredItems: number;
}

/** Largest relative difference of a Fisher share of the pretrained weights. */
export interface FisherAgreement {
  readonly suite: FisherResult['suite'];
  readonly fraction: number;
  readonly shares: number;
}

export interface Agreement {
  /** What the engine ran on. */
  readonly device: string;
  readonly date: string;
  readonly curves: readonly CurveAgreement[];
  readonly measures: readonly MeasureAgreement[];
  readonly fisher: readonly FisherAgreement[];
}

export const AGREEMENT_FILE = join(repository, 'docs/study/agreement.json');

/** Writes docs/study/agreement.json. */
export async function agree(): Promise<void> {
  const { model } = await emptyResults();
  const runs = firstOfEach().map((each): PlannedRun => ({ ...each, seed: 1 }));
  const [twin, engine] = [await startTwin(model), await startEngine(model)];
  const curves: CurveAgreement[] = [];
  for (const run of runs) {
    curves.push(compareCurves(nameOf(run), await engine.curve(settingsOf(run, STEPS)), await twin.curve(settingsOf(run, STEPS))));
    console.log(curves.at(-1));
  }
  const measures: MeasureAgreement[] = [];
  for (const run of runs.slice(0, 2)) {
    measures.push(await compareMeasures(run, engine, twin));
    console.log(measures.at(-1));
  }
  const fisher: FisherAgreement[] = [];
  for (const fraction of FISHER_FRACTIONS) {
    fisher.push(await compareFisher('heldOut', fraction, engine, twin));
    console.log(fisher.at(-1));
  }
  await Promise.all([twin.close(), engine.close()]);
  const facts = `"device": ${JSON.stringify(engine.device)},\n"date": "${new Date().toISOString().slice(0, 10)}"`;
  const lines = (list: readonly unknown[]): string => `[\n${list.map((each) => JSON.stringify(each)).join(',\n')}\n]`;
  await writeFile(AGREEMENT_FILE, `{\n${facts},\n"curves": ${lines(curves)},\n"measures": ${lines(measures)},\n"fisher": ${lines(fisher)}\n}\n`);
}

function compareCurves(name: string, engine: readonly CurvePoint[], twin: readonly CurvePoint[]): CurveAgreement {
  const worst = (key: (typeof QUANTITIES)[number]): number => {
    const pairs = engine.map((step, at) => [step[key], twin[at]![key]] as const);
    const largest = Math.max(...pairs.map(([own]) => Math.abs(own)));
    if (largest === 0) return Math.max(...pairs.map(([, other]) => Math.abs(other)));
    return Math.max(...pairs.map(([own, other]) => Math.abs(own - other) / (key === 'penalty' ? largest : Math.abs(own))));
  };
  return { name, steps: STEPS, loss: worst('loss'), crossEntropy: worst('crossEntropy'), penalty: worst('penalty'), gradientNorm: worst('gradientNorm') };
}

/** In one order, whoever wrote them. */
const driftNumbers = ({ leftAngle, rightAngle, largestAngle, vectorAlignment, blockShare, blockDiagonal, singularValueChange, relativeChange }: DriftResult): number[] => [leftAngle, rightAngle, largestAngle, vectorAlignment, blockShare, blockDiagonal, singularValueChange, relativeChange];

/** Both measure the weights that the twin trained. */
async function compareMeasures(run: PlannedRun, engine: Backend, twin: Backend): Promise<MeasureAgreement> {
  const own = (await twin.measure(run)) ?? (await twin.train(run).then(() => twin.measure(run)));
  const other = await engine.measure(run);
  if (!own || !other) throw new Error(`${nameOf(run)} was trained and has no weights to measure.`);
  const worst = (numbers: (measures: Measures) => readonly number[]): number => Math.max(...numbers(other).map((value, i) => Math.abs(value / numbers(own)[i]! - 1)));
  const restored = (['block', 'values', 'rotation'] as const).flatMap((part) => (['heldOut', 'outOfDomain'] as const).map((suite) => Math.abs(own.restore[part][suite].correct - other.restore[part][suite].correct)));
  return {
    name: nameOf(run),
    drift: worst(({ drift }) => driftNumbers(drift)),
    representation: worst(({ representation: { cka, cosine, pcaShift, layerCka } }) => [cka, cosine, pcaShift, ...layerCka]),
    output: worst(({ output: { baseToTuned, tunedToBase, jensenShannon } }) => [baseToTuned, tunedToBase, jensenShannon]),
    restoredItems: Math.max(...restored),
  };
}

async function compareFisher(suite: FisherResult['suite'], fraction: number, engine: Backend, twin: Backend): Promise<FisherAgreement> {
  const [own, other] = [await engine.fisher(suite, fraction), await twin.fisher(suite, fraction)];
  return { suite, fraction, shares: Math.max(...(['chance', 'top', 'random', 'tail'] as const).map((share) => Math.abs(other[share] / own[share] - 1))) };
}
