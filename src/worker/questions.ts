/** @file The questions of the training data that GRPO can sample answers to, or why there are none. */
import type { Example } from '../data/examples.ts';
import { formatCount } from '../data/problem.ts';
import { encodeAsked } from '../data/tokenise.ts';
import type { Lab } from '../engine.ts';
import { isCorrect } from '../evaluation/answer.ts';
import { completionOf } from '../evaluation/scorer.ts';
import type { ReinforceConfig, RunConfig } from './protocol.ts';
import type { RunMaterial } from './runMaterial.ts';

export interface Questions {
  readonly examples: readonly Example[];
  /** Tokens of the longest prompt among them, and of all. */
  readonly longestPrompt: number;
  readonly promptTokens: number;
  /** What is to be said of rows that are left out. */
  readonly warnings: readonly string[];
}

/** What there is of a dataset, whatever the settings. */
interface Askable {
  readonly key: string;
  readonly rows: number;
  /** Rows with a gold answer. */
  readonly examples: readonly Example[];
  /** Tokens of the prompt of each. */
  readonly prompts: readonly number[];
  /** Of those that have a completion of their own, and of these the ones whose completion earns the reward. */
  readonly completed: number;
  readonly rewarded: number;
}

/** The latest dataset of each model: settings change more often than data. */
const known = new WeakMap<Lab, Askable>();

async function askableOf({ lab, trainExamples, origin }: Pick<RunMaterial, 'lab' | 'trainExamples' | 'origin'>): Promise<Askable> {
  const { key } = origin.data.train;
  const before = known.get(lab);
  if (before?.key === key) return before;
  const all = await trainExamples();
  const examples = all.filter(({ answer }) => answer !== undefined);
  const own = examples.filter((example) => completionOf(example) !== '');
  const askable: Askable = {
    key,
    rows: all.length,
    examples,
    prompts: examples.map((example) => encodeAsked(example, lab.tokenizer, lab.template).length),
    completed: own.length,
    rewarded: own.filter((example) => isCorrect(completionOf(example), example.answer!)).length,
  };
  known.set(lab, askable);
  return askable;
}

/** The questions whose prompt and answer fit a row, or the sentence that says why GRPO has nothing to learn from this data. */
export async function questionsOf(material: Pick<RunMaterial, 'lab' | 'trainExamples' | 'origin' | 'datasetName'>, { maxLength }: Pick<RunConfig, 'maxLength'>, { maxNewTokens }: Pick<ReinforceConfig, 'maxNewTokens'>): Promise<Questions | { readonly obstacle: string }> {
  const { examples: askable, rows, prompts, completed, rewarded } = await askableOf(material);
  const { datasetName } = material;
  const elsewhere = 'The data is as it was. Choose the column that holds the answer in Data, or train supervised.';
  if (askable.length === 0) return { obstacle: `No row of ${datasetName} has a gold answer, and GRPO rewards answers that agree with one. ${elsewhere}` };
  if (completed > 0 && rewarded === 0) {
    return { obstacle: `The reward cannot be checked on ${datasetName}: none of its own completions ends in its gold answer, as \\boxed{}, after ####, or as the last number, so no answer like them would be right. ${elsewhere}` };
  }
  const fits = (index: number): boolean => prompts[index]! + maxNewTokens <= maxLength;
  const chosen = [...askable.keys()].filter(fits);
  if (chosen.length === 0) {
    return { obstacle: `No question of ${datasetName} leaves room for an answer of ${formatCount(maxNewTokens)} tokens in a row of ${formatCount(maxLength)}. The data is as it was. Make answers shorter or rows longer.` };
  }
  const [without, tooLong] = [rows - askable.length, askable.length - chosen.length];
  const some = (count: number): string => `${formatCount(count)} of ${formatCount(rows)} rows of ${datasetName}`;
  return {
    examples: chosen.map((index) => askable[index]!),
    longestPrompt: chosen.reduce((longest, index) => Math.max(longest, prompts[index]!), 0),
    promptTokens: chosen.reduce((sum, index) => sum + prompts[index]!, 0),
    warnings: [
      ...(without > 0 ? [`${some(without)} have no gold answer and are left out.`] : []),
      ...(tooLong > 0 ? [`${some(tooLong)} are left out: their question and an answer of ${formatCount(maxNewTokens)} tokens are longer than the longest row.`] : []),
    ],
  };
}
