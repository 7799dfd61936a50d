/**
 * @file SFT against RPSFT and L2-SP on the built-in model, three seeds each, without the page.
 *
 *     npm run experiment            all runs that experiment/results.json does not have yet, then figure and table
 *     npm run experiment -- --only-report
 *
 * Results are saved after every run, so an interrupted experiment goes on where it stopped.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderFiles, repository } from '../bench/node.ts';
import { importDataset } from '../src/data/dataset.ts';
import type { TokenisedExample } from '../src/data/tokenise.ts';
import type { Engine, ItemResult, Lab } from '../src/engine.ts';
import { createEngine, meanLoss } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { drawFigure } from './figure.ts';
import type { PlannedRun } from './plan.ts';
import { EVALUATE_EVERY, EVALUATION_ROWS, LENGTH, nameOf, PLAN, RANK_FRACTION, settingsOf, STEPS } from './plan.ts';
import { report } from './report.ts';
import type { Point, Results, RunResult } from './results.ts';

const FILE = join(repository, 'experiment/results.json');

async function main(): Promise<void> {
  let results = await readResults();
  if (!process.argv.includes('--only-report')) {
    const engine = createEngine(await testGpu());
    const lab = await engine.open(await folderFiles(join(repository, 'public/model')));
    const examples = { train: await load(lab, 'demo-train.jsonl'), heldOut: await load(lab, 'demo-heldout.jsonl'), outOfDomain: await load(lab, 'ood.jsonl') };
    const model = await hashOf('public/model/model.safetensors');
    // Runs on another model or adapter cannot stand beside these.
    if (results && (results.model !== model || results.adapter !== engine.gpu.facts.description)) results = undefined;
    results ??= { model, adapter: engine.gpu.facts.description, date: new Date().toISOString().slice(0, 10), runs: [] };
    for (const planned of PLAN) {
      if (results.runs.some(({ name }) => name === nameOf(planned))) continue;
      results = { ...results, runs: [...results.runs, await train(engine, lab, planned, examples)] };
      await writeFile(FILE, `${JSON.stringify(results, null, 1)}\n`);
    }
  }
  if (!results) throw new Error('There are no results to report yet.');
  await writeFile(join(repository, 'experiment/figure.svg'), drawFigure(results));
  await writeFile(join(repository, 'experiment/RESULTS.md'), report(results));
  process.exit(0);
}

async function readResults(): Promise<Results | undefined> {
  try {
    return JSON.parse(await readFile(FILE, 'utf8')) as Results;
  } catch {
    return undefined;
  }
}

async function hashOf(path: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await readFile(join(repository, path)));
  return Buffer.from(digest).toString('hex');
}

async function load(lab: Lab, name: string): Promise<TokenisedExample[]> {
  const file = new File([await readFile(join(repository, 'public/data', name))], name);
  const examples = await (await importDataset(file)).examples.read();
  return lab.tokenise(examples, LENGTH);
}

async function train(engine: Engine, lab: Lab, planned: PlannedRun, { train: rows, heldOut, outOfDomain }: Record<'train' | 'heldOut' | 'outOfDomain', TokenisedExample[]>): Promise<RunResult> {
  const name = nameOf(planned);
  const started = performance.now();
  const decomposition = await lab.decompose(RANK_FRACTION);
  const run = await lab.fineTune(settingsOf(planned), rows);
  const evaluator = await lab.evaluator(run.weights, { rows: EVALUATION_ROWS, length: LENGTH });
  const meter = lab.driftMeter(run.weights, decomposition);
  const points: Point[] = [];
  let trainingSeconds = 0;
  try {
    for (;;) {
      const [inDomain, ood] = [await evaluator.evaluate(heldOut), await evaluator.evaluate(outOfDomain)];
      points.push({ step: run.step, heldOutLoss: meanLoss(inDomain), inDomain: correct(inDomain), outOfDomain: correct(ood) });
      const { inDomain: id, outOfDomain: out } = points.at(-1)!;
      console.log(`${name}: step ${run.step}, in-domain ${id}/${heldOut.length}, out-of-domain ${out}/${outOfDomain.length}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
      if (run.step === STEPS) break;
      const before = performance.now();
      for (let i = 0; i < EVALUATE_EVERY; i++) run.submitStep();
      const records = await run.readMetrics();
      trainingSeconds += (performance.now() - before) / 1000;
      const skipped = records.filter((record) => record.skipped).length;
      if (skipped) throw new Error(`${name}: ${skipped} steps were not finite.`);
    }
    const drift = await meter.measure();
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      name,
      ...planned,
      inDomainItems: heldOut.length,
      outOfDomainItems: outOfDomain.length,
      points,
      drift: {
        angle: mean(drift.flatMap(({ leftAngles, rightAngles }) => [...leftAngles, ...rightAngles])),
        alignment: mean(drift.map(({ vectorAlignment }) => vectorAlignment)),
        blockShare: mean(drift.map(({ block }) => block.share)),
        relativeChange: mean(drift.map(({ relativeChange }) => relativeChange)),
      },
      trainingSeconds,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    evaluator.destroy();
    run.destroy();
    engine.gpu.assertHealthy();
  }
}

const correct = (results: readonly ItemResult[]): number => results.filter(({ exact }) => exact).length;

await main();
