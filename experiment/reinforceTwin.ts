/** @file RL start by the twin: what reference/twin_reinforce.py is asked, and its rewards held to the engine's answer checker. */
import type { Example } from '../src/data/examples.ts';
import { isCorrect } from '../src/evaluation/answer.ts';
import { tasksOf } from '../src/training/rollout.ts';
import { EVALUATE_EVERY, LEVEL, LOOK_EVERY, reinforceSettings } from './reinforce.ts';
import type { Reinforced } from './reinforce.ts';
import type { PlannedRun } from './studyPlan.ts';

interface Answered extends Reinforced {
  /** The answers of the last step. */
  readonly checked: readonly { readonly task: number; readonly text: string; readonly reward: number }[];
}

/**
 * @param trainJob the fine-tuning of the run as the twin takes it
 * @throws when the twin rewards an answer otherwise than the engine would
 */
export async function reinforceByTwin(ask: (job: unknown) => Promise<unknown>, trainJob: object, planned: PlannedRun, questions: readonly Example[]): Promise<Reinforced> {
  const settings = reinforceSettings(planned.seed);
  const indices = questions.map((_, index) => index);
  const tasks = Array.from({ length: settings.schedule.steps }, (_, step) => tasksOf(indices, step, settings.prompts, settings.seed)).flat();
  const { checked, ...reinforced } = (await ask({ ...trainJob, job: 'reinforce', reinforce: settings, tasks, level: LEVEL, lookEvery: LOOK_EVERY, evaluateEvery: EVALUATE_EVERY })) as Answered;
  for (const { task, text, reward } of checked) {
    const { answer } = questions[task]!;
    if (Number(isCorrect(text, answer!)) !== reward) throw new Error(`The twin rewards ${JSON.stringify(text)} with ${reward} where the answer is ${answer}; the engine does not.`);
  }
  return reinforced;
}
