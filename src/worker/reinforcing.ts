/** @file GRPO as a run trains by it: its settings and size for the engine, and a step's record and answers for the page. */
import type { Example } from '../data/examples.ts';
import type { GrpoRecord, GrpoTrainer, Lab, RunSize, WeightSet } from '../engine.ts';
import { isJsonObject } from '../formats/folder.ts';
import type { Turn } from '../gpu/turn.ts';
import type { Sample } from '../training/rollout.ts';
import { isUniform, tasksOf } from '../training/rollout.ts';
import { learningRateAt } from '../training/schedule.ts';
import type { Decoding, Learner, Taken } from './learner.ts';
import { Stopped } from './learner.ts';
import type { ReinforceConfig, RunConfig, SampledAnswers, StepMetrics } from './protocol.ts';

const FIELDS: readonly (keyof ReinforceConfig)[] = ['prompts', 'samples', 'maxNewTokens', 'sequences', 'updates', 'clipLow', 'clipHigh'];

/** Answers of a group that are shown. */
const SHOWN = 16;

/** Whether a value of a file is the settings of GRPO. */
export const isReinforce = (value: unknown): value is ReinforceConfig => isJsonObject(value) && FIELDS.every((field) => typeof value[field] === 'number');

type Settings = Parameters<Lab['reinforce']>[0];

/** Settings of the engine from those of the page. Its schedule counts updates, the page's counts steps. */
export function reinforceSettings(config: RunConfig, reinforce: ReinforceConfig): Settings {
  const { updates } = reinforce;
  const answers = reinforce.prompts * reinforce.samples;
  return {
    ...reinforce,
    optimizer: { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay: config.weightDecay, clipNorm: config.clipNorm },
    schedule: { kind: config.schedule, learningRate: config.learningRate, warmupSteps: config.warmupSteps * updates, steps: config.steps * updates },
    sequences: Math.min(reinforce.sequences, answers),
    rows: Math.ceil(answers / config.accumulation),
    seed: config.seed,
    recompute: config.recompute,
    lora: config.lora,
  };
}

/** What decides how much memory it takes. @param longestPrompt tokens */
export function reinforceSize(config: RunConfig, reinforce: ReinforceConfig, longestPrompt: number, { precision }: Lab['model']): RunSize {
  const { rows, sequences, lora, recompute = false } = reinforceSettings(config, reinforce);
  return {
    objective: 'sft',
    rankFraction: config.rankFraction,
    lora,
    recompute,
    precision,
    batch: { rows, length: longestPrompt + reinforce.maxNewTokens },
    accumulation: Math.ceil((reinforce.prompts * reinforce.samples) / rows),
    sampling: { sequences, longestPrompt },
  };
}

/** Prepares GRPO from `startFrom`, or from the model. */
export async function reinforcing(lab: Lab, config: RunConfig, reinforce: ReinforceConfig, questions: readonly Example[], startFrom: WeightSet | undefined): Promise<Learner> {
  const settings = reinforceSettings(config, reinforce);
  const trainer = await lab.reinforce(settings, questions, { startFrom });
  return {
    weights: trainer.weights,
    take: (count, turn, decoding) => takeSteps(lab, trainer, settings, questions, count, turn, decoding),
    saveState: () => trainer.saveState(),
    restoreState: (file, fileName) => trainer.restoreState(file, fileName),
    destroy: () => trainer.destroy(),
  };
}

async function takeSteps(lab: Lab, trainer: GrpoTrainer, settings: Settings, questions: readonly Example[], count: number, turn: Turn, decoding: Decoding): Promise<Taken> {
  const steps: StepMetrics[] = [];
  let answers: SampledAnswers | undefined;
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const asked = tasksOf(questions, trainer.step, settings.prompts, settings.seed);
    const groups = await sampleOrStop(trainer, decoding, steps.length > 0);
    if (!groups) break;
    const record = await trainer.learn(groups, turn);
    steps.push(metricsOf(record, settings, (performance.now() - started) / 1000));
    answers = shownOf(lab, record.step, asked, groups);
  }
  return { steps, ...(answers ? { answers } : {}) };
}

/** The answers of the next step; undefined where decoding was ended and there are steps to report already. */
async function sampleOrStop(trainer: GrpoTrainer, { turn, onProgress }: Decoding, reported: boolean): Promise<Awaited<ReturnType<GrpoTrainer['sample']>> | undefined> {
  try {
    return await trainer.sample(turn, onProgress);
  } catch (error) {
    if (reported && error instanceof Stopped) return undefined;
    throw error;
  }
}

function metricsOf(record: GrpoRecord, { schedule, prompts, samples, updates }: Settings, seconds: number): StepMetrics {
  const { skippedUpdates, loss, ...metrics } = record;
  const trainedTokens = Math.round(record.answerTokens * prompts * samples);
  const skipped = skippedUpdates === updates;
  return { ...metrics, trainedTokens, skipped, loss: skipped ? Number.NaN : loss, learningRate: learningRateAt(schedule, record.step * updates), tokensPerSecond: trainedTokens / seconds };
}

/** The first group that teaches something, for want of one the first of all. */
function shownOf(lab: Lab, step: number, asked: readonly Example[], groups: readonly (readonly Sample[])[]): SampledAnswers {
  const ends = lab.stopTokenIds;
  const mixed = groups.findIndex((group) => !isUniform(group.map(({ reward }) => reward)));
  const index = Math.max(0, mixed);
  const { question, answer: expected = '' } = asked[index]!;
  const group = groups[index]!;
  return {
    step,
    question,
    expected,
    of: group.length,
    answers: group.slice(0, SHOWN).map(({ ids, answerTokens, reward, advantage }) => {
      const written = ids.slice(-answerTokens);
      return { text: lab.decode(written.filter((id) => !ends.includes(id))), reward, advantage, ended: ends.includes(written.at(-1)!) };
    }),
  };
}
