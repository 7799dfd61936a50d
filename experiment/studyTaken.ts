/** @file Runs of `npm run experiment` that the study need not run again: the same settings, seeds, batches and model, by the engine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import type { Results, RunResult as ExperimentRun } from './results.ts';
import type { PlannedRun } from './studyPlan.ts';
import { STEPS } from './studyPlan.ts';
import type { Source, Trained } from './studyResults.ts';

export const readExperiment = async (): Promise<Results> => JSON.parse(await readFile(join(repository, 'experiment/results.json'), 'utf8')) as Results;

/** The run of the experiment that a planned one would repeat. Its k is 50%, which SFT and L2-SP do not look at. */
export function sameRun({ runs }: Results, { method, lora, learningRate, lambda, rankFraction, seed }: PlannedRun): ExperimentRun | undefined {
  if (lora || rankFraction !== 0.5) return undefined;
  return runs.find((each) => each.method === method && each.learningRate === learningRate && each.lambda === lambda && each.seed === seed && each.points.at(-1)!.step === STEPS);
}

/** Its evaluations; undefined when the experiment has no such run, or had another model. */
export async function fromExperiment(planned: PlannedRun, model: string): Promise<(Trained & { readonly source: Source }) | undefined> {
  const experiment = await readExperiment();
  const run = experiment.model === model ? sameRun(experiment, planned) : undefined;
  return run && { source: 'engine', ...asTrained(run) };
}

const asTrained = ({ points, inDomainItems, outOfDomainItems, trainingSeconds, seconds }: ExperimentRun): Trained => ({
  points: points.map(({ step, heldOutLoss, inDomain, outOfDomain }) => ({
    step,
    heldOut: { correct: inDomain, items: inDomainItems, loss: heldOutLoss },
    outOfDomain: { correct: outOfDomain, items: outOfDomainItems },
  })),
  trainingSeconds,
  seconds,
});
