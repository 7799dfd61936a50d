/**
 * @file GRPO from a half-trained checkpoint of the built-in model, one of SFT and one of RPSFT, without the page.
 *
 *     node scripts/run.mjs experiment/reinforce.ts               both, then experiment/REINFORCE.md
 *     node scripts/run.mjs experiment/reinforce.ts --only=sft    one of them, printed and not written
 *
 * Fine-tuning stops where in-domain accuracy reaches `HALF` at two looks in a row, for at one alone it may be by chance; from there
 * on only the reward teaches.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderFiles, option, repository } from '../bench/node.ts';
import { importDataset } from '../src/data/dataset.ts';
import type { Example } from '../src/data/examples.ts';
import type { GrpoRecord, Lab, ReinforceSettings, WeightSet } from '../src/engine.ts';
import { createEngine } from '../src/engine.ts';
import { pairedDifference } from '../src/evaluation/intervals.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { settingsOf } from './plan.ts';

/** Share of right answers in-domain at which fine-tuning stops. */
const HALF = 0.25;
/** Steps between two looks at it. */
const LOOK_EVERY = 20;
const STEPS = Number(option('steps', '80'));
const EVALUATE_EVERY = 40;
const ANSWER_TOKENS = 36;
/** Tokens of a row; every example fits. */
const LENGTH = 64;
const SEED = Number(option('seed', '1'));

const STARTS = [
  { method: 'sft', learningRate: 3e-4, lambda: 0 },
  { method: 'rpsft', learningRate: 5e-4, lambda: 10 },
] as const;

const SETTINGS: ReinforceSettings = {
  prompts: 8,
  samples: 8,
  maxNewTokens: ANSWER_TOKENS,
  clipLow: 0.2,
  clipHigh: 0.28,
  updates: 1,
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: Number(option('rate', '1e-4')), warmupSteps: 5, steps: STEPS },
  sequences: 64,
  rows: 64,
  seed: SEED,
};

interface Data {
  readonly train: readonly Example[];
  readonly heldOut: readonly Example[];
  readonly outOfDomain: readonly Example[];
}

/** 1 for each right item, greedily decoded: in-domain by the final answer, as the reward sees it, and out-of-domain word for word. */
interface Scores {
  readonly step: number;
  readonly inDomain: readonly number[];
  readonly outOfDomain: readonly number[];
}

interface Outcome {
  readonly method: string;
  readonly fineTunedSteps: number;
  readonly scores: readonly Scores[];
  readonly records: readonly GrpoRecord[];
  /** Of GRPO, evaluation left out. */
  readonly seconds: number;
}

async function main(): Promise<void> {
  const engine = createEngine(await testGpu());
  const lab = await engine.open(await folderFiles(join(repository, 'public/model')));
  const data: Data = { train: await load('demo-train.jsonl'), heldOut: await load('demo-heldout.jsonl'), outOfDomain: await load('ood.jsonl') };
  const only = option('only', '');
  const outcomes: Outcome[] = [];
  for (const start of STARTS.filter(({ method }) => !only || method === only)) outcomes.push(await reinforce(lab, data, start));
  const text = report(outcomes, data, engine.gpu.facts.description);
  console.log(text);
  if (!only) await writeFile(join(repository, 'experiment/REINFORCE.md'), text);
  process.exit(0);
}

async function load(name: string): Promise<Example[]> {
  const file = new File([await readFile(join(repository, 'public/data', name))], name);
  return (await importDataset(file)).examples.read();
}

const now = <T>(work: () => Promise<T>): Promise<T> => work();

/** Scores one set of weights. */
function scorer(lab: Lab, weights: WeightSet) {
  const own = lab.scorer(weights, { maxLength: LENGTH, template: lab.template, rows: 64, sequences: 100, samples: 1, temperature: 0, maxNewTokens: ANSWER_TOKENS, seed: 0 });
  const items = async (examples: readonly Example[], measure: 'generation' | 'exact'): Promise<number[]> => (await own.score(examples, measure, now)).map(({ score = 0 }) => score);
  return { inDomain: (data: Data) => items(data.heldOut, 'generation'), outOfDomain: (data: Data) => items(data.outOfDomain, 'exact'), destroy: () => own.destroy() };
}

/** Weights of a run that was stopped at `HALF`. */
async function halfTrained(lab: Lab, data: Data, start: (typeof STARTS)[number]): Promise<{ readonly weights: WeightSet; readonly steps: number }> {
  const run = await lab.fineTune(settingsOf({ ...start, seed: SEED }), lab.tokenise(data.train, LENGTH));
  const evaluator = await lab.evaluator(run.weights, { rows: SETTINGS.rows, length: LENGTH });
  const heldOut = lab.tokenise(data.heldOut, LENGTH);
  try {
    for (let before = 0; ; ) {
      for (let i = 0; i < LOOK_EVERY; i++) run.submitStep();
      await run.readMetrics();
      const share = mean((await evaluator.evaluate(heldOut)).map(({ exact }) => Number(exact)));
      console.log(`${start.method}: step ${run.step}, in-domain ${percent(share)}%`);
      if (Math.min(before, share) >= HALF) return { weights: await lab.keep(run.weights), steps: run.step };
      before = share;
    }
  } finally {
    evaluator.destroy();
    run.destroy();
  }
}

async function reinforce(lab: Lab, data: Data, start: (typeof STARTS)[number]): Promise<Outcome> {
  const { weights, steps: fineTunedSteps } = await halfTrained(lab, data, start);
  const run = await lab.reinforce(SETTINGS, data.train, { startFrom: weights });
  lab.release(weights);
  const scores = scorer(lab, run.weights);
  const records: GrpoRecord[] = [];
  const made: Scores[] = [];
  let seconds = 0;
  for (;;) {
    if (run.step % EVALUATE_EVERY === 0) {
      made.push({ step: run.step, inDomain: await scores.inDomain(data), outOfDomain: await scores.outOfDomain(data) });
      const { step, inDomain, outOfDomain } = made.at(-1)!;
      console.log(`${start.method}: GRPO step ${step}, in-domain ${percent(mean(inDomain))}%, out-of-domain ${percent(mean(outOfDomain))}%, ${seconds.toFixed(0)} s`);
    }
    if (run.step === STEPS) break;
    const before = performance.now();
    records.push(await run.takeStep());
    seconds += (performance.now() - before) / 1000;
    const { step, reward, mixedGroups, answerTokens, entropy, gradientNorm } = records.at(-1)!;
    console.log(`  ${step}: reward ${reward.toFixed(2)}, mixed ${mixedGroups.toFixed(2)}, length ${answerTokens.toFixed(1)}, entropy ${entropy.toFixed(3)}, norm ${gradientNorm.toFixed(2)}`);
  }
  scores.destroy();
  run.destroy();
  return { method: start.method, fineTunedSteps, scores: made, records, seconds };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share: number): string => (100 * share).toFixed(1);

function report(outcomes: readonly Outcome[], { train, heldOut, outOfDomain }: Data, adapter: string): string {
  const { prompts, samples, clipLow, clipHigh, updates, schedule } = SETTINGS;
  const change = (scores: readonly Scores[], of: 'inDomain' | 'outOfDomain'): string => {
    const [before, after] = [scores[0]![of], scores.at(-1)![of]];
    const { low, high } = pairedDifference(after, before);
    return `${percent(mean(before))} → ${percent(mean(after))} (${signed(low)} to ${signed(high)})`;
  };
  const ends = (records: readonly GrpoRecord[], of: (record: GrpoRecord) => number, digits: number): string =>
    [records.slice(0, WINDOW), records.slice(-WINDOW)].map((part) => mean(part.map(of)).toFixed(digits)).join(' → ');
  const rows = outcomes.map(({ method, fineTunedSteps, scores, records, seconds }) =>
    cells(
      `${method.toUpperCase()}, ${fineTunedSteps} steps`,
      change(scores, 'inDomain'),
      change(scores, 'outOfDomain'),
      ends(records, ({ reward }) => reward, 2),
      ends(records, ({ mixedGroups }) => mixedGroups, 2),
      ends(records, ({ answerTokens }) => answerTokens, 1),
      ends(records, ({ entropy }) => entropy, 3),
      `${seconds.toFixed(0)} s`,
    ),
  );
  const steps = outcomes[0]!.scores.map(({ step }, i) => cells(String(step), ...outcomes.flatMap(({ scores }) => [percent(mean(scores[i]!.inDomain)), percent(mean(scores[i]!.outOfDomain))])));
  return `# GRPO from half-trained checkpoints

\`node scripts/run.mjs experiment/reinforce.ts\` on ${adapter}, ${new Date().toISOString().slice(0, 10)}. Built-in model, demo data (${train.length} questions to sample from, ${heldOut.length} held-out, ${outOfDomain.length} out-of-domain items).
Fine-tuning (${STARTS.map(({ method, learningRate, lambda }) => `${method.toUpperCase()} at learning rate ${learningRate}${lambda > 0 ? `, λ ${lambda}` : ''}`).join('; ')}) until in-domain accuracy is at least ${percent(HALF)}% at two looks ${LOOK_EVERY} steps apart; then ${STEPS} steps of GRPO: ${prompts} prompts × ${samples} answers at temperature 1, reward 1 for the right final answer,
ratio within [${1 - clipLow}, ${1 + clipHigh}], ${updates} update a step at ${schedule.learningRate} after ${schedule.warmupSteps} steps of warm-up, no KL term, no entropy bonus, no penalty. One seed (${SEED}).

| start | in-domain, % | out-of-domain, % | reward | mixed groups | answer tokens | entropy | time of GRPO |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

Accuracy is greedy, before and after GRPO, with the 95% bootstrap interval of the change over the same items: in-domain the final answer, as the reward sees it,
out-of-domain every word. The other columns are means over the first and the last ${WINDOW} steps; entropy is in nats a token.

| GRPO step | ${outcomes.map(({ method }) => `${method.toUpperCase()} in-domain | ${method.toUpperCase()} out-of-domain`).join(' | ')} |
|---|${outcomes.map(() => '---|---|').join('')}
${steps.join('\n')}
`;
}

/** Steps whose mean stands for the beginning and the end of a run. */
const WINDOW = 10;

const cells = (...texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
const signed = (share: number): string => `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;

await main();
