/**
 * @file The PyTorch twin as a backend of the study: reference/twin.py in a process of its own, one line of JSON a message. It gets what the engine
 * would train on, token for token and batch for batch, and needs no GPU.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository } from '../bench/node.ts';
import { ensurePython } from '../scripts/python.mjs';
import { BatchPlan } from '../src/data/batches.ts';
import { importDataset } from '../src/data/dataset.ts';
import type { TokenisedExample } from '../src/data/tokenise.ts';
import { tokeniseExample } from '../src/data/tokenise.ts';
import type { Example } from '../src/data/examples.ts';
import type { FineTuneSettings } from '../src/engine.ts';
import { loadTokenizer } from '../src/formats/tokenizer.ts';
import { objectiveOf } from '../src/methods/objectives.ts';
import { heldBy, partsOf } from '../src/methods/registry.ts';
import { initialA, targetLinears } from '../src/models/adapter.ts';
import type { LinearModule } from '../src/models/linears.ts';
import { architectureOf } from '../src/models/architecture.ts';
import { reinforceByTwin } from './reinforceTwin.ts';
import { EVALUATE_EVERY, FISHER_EXAMPLES, LENGTH, MEASURED_FRACTION, settingsOf } from './studyPlan.ts';
import type { Backend, CurvePoint, FisherResult, Measures, Trained } from './studyResults.ts';
import { weightsFile } from './studyWeights.ts';

const MODEL = join(repository, 'public/model');
const SUITES = { train: 'demo-train.jsonl', heldOut: 'demo-heldout.jsonl', outOfDomain: 'ood.jsonl' } as const;

/**
 * A run as reference/twin.py takes it: the engine's settings with what the registry makes of them, the examples of every step, and an adapter's first A.
 * @param linears those of the model
 */
export function twinJob(settings: FineTuneSettings, examples: readonly TokenisedExample[], linears: readonly LinearModule[]): object {
  const { objective, penalty } = partsOf(settings);
  const { batchSize, seed, schedule, lora, length } = settings;
  // Which examples a step has does not depend on the token that fills the rest of its rows.
  const plan = new BatchPlan(examples, { batchSize, seqLen: length, seed, padTokenId: 0, steps: schedule.steps });
  return {
    job: 'train',
    settings: { ...settings, ...objectiveOf(objective, settings), objective, penalty, held: heldBy(penalty) },
    order: Array.from({ length: schedule.steps }, (_, step) => [...plan.examplesOf(step)]).flat(),
    adapter: lora && Object.fromEntries(targetLinears(linears, lora.targets).map((linear) => [`${linear.module}.weight`, [...initialA(linear, linears, lora.rank, seed)]])),
  };
}

/** Examples as it takes them. */
export const plainExamples = (examples: readonly TokenisedExample[]): object[] => examples.map(({ ids, trained }) => ({ ids: [...ids], trained: [...trained] }));

const readJson = async (name: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(MODEL, name), 'utf8')) as Record<string, unknown>;

/**
 * Starts the twin.
 * @param model SHA-256 of model.safetensors
 * @throws when there is no Python with PyTorch
 */
export async function startTwin(model: string): Promise<Backend> {
  const { python, missing } = await ensurePython(true);
  if (!python) throw new Error(`The twin needs Python with what reference/requirements.txt pins: ${missing}.`);
  const tokenizer = loadTokenizer(await readJson('tokenizer.json'), await readJson('tokenizer_config.json'), await readJson('generation_config.json'));
  const { linears } = architectureOf(await readJson('config.json'));
  const read = async (name: string): Promise<readonly Example[]> => (await importDataset(new File([await readFile(join(repository, 'public/data', name))], name))).examples.read();
  const load = async (name: string): Promise<TokenisedExample[]> => (await read(name)).map((example) => tokeniseExample(example, tokenizer, { maxLength: LENGTH }));
  const questions = await read(SUITES.train);
  const suites = { train: await load(SUITES.train), heldOut: await load(SUITES.heldOut), outOfDomain: await load(SUITES.outOfDomain) };

  const child = spawn(python, [join(repository, 'reference/twin.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers: AsyncIterator<string, undefined> = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (job: unknown): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(job)}\n`);
    const answer = await answers.next();
    if (answer.done) throw new Error('The twin ended; the lines above say why.');
    return JSON.parse(answer.value) as unknown;
  };
  const plain = Object.fromEntries(Object.entries(suites).map(([name, list]) => [name, plainExamples(list)]));
  const { device } = (await ask({ model: MODEL, suites: plain })) as { device: string };

  const jobOf = (settings: FineTuneSettings): object => twinJob(settings, suites.train, linears);
  return {
    source: 'twin',
    device,
    train: async (run) => (await ask({ ...jobOf(settingsOf(run)), evaluateEvery: EVALUATE_EVERY, save: await weightsFile(model, run) })) as Trained,
    measure: async (run) => (await ask({ job: 'measure', weights: await weightsFile(model, run), fraction: MEASURED_FRACTION, seed: run.seed })) as Measures | undefined,
    fisher: async (suite, fraction) => ({ suite, fraction, source: 'twin', ...((await ask({ job: 'fisher', suite, fraction, count: FISHER_EXAMPLES })) as object) }) as FisherResult,
    curve: async (settings) => ((await ask({ ...jobOf(settings), curve: true })) as { curve: readonly CurvePoint[] }).curve,
    reinforce: (planned) => reinforceByTwin(ask, jobOf(settingsOf(planned)), planned, questions),
    async close() {
      child.stdin.end();
      await new Promise((done) => child.once('close', done));
    },
  };
}
