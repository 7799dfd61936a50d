/** @file RL start by the engine. */
import type { Example } from '../src/data/examples.ts';
import type { Lab, TokenisedExample, WeightSet } from '../src/engine.ts';
import { EVALUATE_EVERY, LEVEL, LOOK_EVERY, reinforceSettings } from './reinforce.ts';
import type { Reinforced, Told } from './reinforce.ts';
import type { PlannedRun } from './studyPlan.ts';
import { EVALUATION_ROWS, LENGTH, nameOf, settingsOf } from './studyPlan.ts';
import type { Point } from './studyResults.ts';
import { scored } from './studyResults.ts';

type Suites = Readonly<Record<'train' | 'heldOut' | 'outOfDomain', readonly TokenisedExample[]>>;

const SHAPE = { rows: EVALUATION_ROWS, length: LENGTH };

/** @param questions the examples of `suites.train`, whose answers are rewarded */
export async function reinforceByEngine(lab: Lab, planned: PlannedRun, suites: Suites, questions: readonly Example[]): Promise<Reinforced> {
  const { weights: start, steps: fineTunedSteps } = await fineTuned(lab, planned, suites);
  const settings = reinforceSettings(planned.seed);
  const run = await lab.reinforce(settings, questions, { startFrom: start });
  lab.release(start);
  const evaluator = await lab.evaluator(run.weights, SHAPE);
  const points: Point[] = [];
  const records: Told[] = [];
  let seconds = 0;
  try {
    for (;;) {
      if (run.step % EVALUATE_EVERY === 0) {
        points.push({ step: run.step, heldOut: scored(await evaluator.evaluate(suites.heldOut)), outOfDomain: scored(await evaluator.evaluate(suites.outOfDomain)) });
        console.log(`GRPO step ${run.step} after ${fineTunedSteps} of fine-tuning:`, points.at(-1));
      }
      if (run.step === settings.schedule.steps) return { fineTunedSteps, points, records, seconds };
      const before = performance.now();
      const { reward, mixedGroups, answerTokens, gradientNorm, skippedUpdates } = await run.takeStep();
      if (skippedUpdates > 0) throw new Error(`${nameOf(planned)}: an update of GRPO step ${run.step} was not finite.`);
      records.push({ reward, mixedGroups, answerTokens, gradientNorm });
      seconds += (performance.now() - before) / 1000;
    }
  } finally {
    evaluator.destroy();
    run.destroy();
  }
}

/** Weights of a run that is stopped at `LEVEL`. @throws when all its steps do not get there */
async function fineTuned(lab: Lab, planned: PlannedRun, { train, heldOut }: Suites): Promise<{ readonly weights: WeightSet; readonly steps: number }> {
  const settings = settingsOf(planned);
  const run = await lab.fineTune(settings, train);
  const evaluator = await lab.evaluator(run.weights, SHAPE);
  try {
    for (let before = 0; ; ) {
      if (run.step === settings.schedule.steps) throw new Error(`${nameOf(planned)}: in-domain accuracy is ${before} after ${run.step} steps, below ${LEVEL}.`);
      for (let i = 0; i < LOOK_EVERY; i++) run.submitStep();
      await run.readMetrics();
      const { correct, items } = scored(await evaluator.evaluate(heldOut));
      if (Math.min(before, correct / items) >= LEVEL) return { weights: await lab.keep(run.weights), steps: run.step };
      before = correct / items;
    }
  } finally {
    evaluator.destroy();
    run.destroy();
  }
}
