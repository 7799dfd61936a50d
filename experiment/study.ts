/**
 * @file The comparison of all methods on the built-in model: a grid, three seeds of what it chose, drift, Fisher share, representations, restore.
 *
 *     npm run study                     what docs/study/results.json does not have yet, by the engine on a GPU, then tables and figures
 *     npm run study -- --twin           the same by the twin in PyTorch (reference/twin.py), for machines without a GPU
 *     npm run study -- --anew           all of it, by the engine; with --twin by the twin
 *     npm run study -- --reinforce      RL start alone (reinforce.ts); with --twin by the twin
 *     npm run study -- --only-report    tables and figures
 *     npm run study -- --agree          50 steps of engine and twin side by side
 *
 * Results are saved after every run, so an interrupted study goes on where it stopped.
 */
import { agree } from './studyAgree.ts';
import { reinforceAll } from './reinforce.ts';
import { startEngine } from './studyEngine.ts';
import type { PlannedRun } from './studyPlan.ts';
import { FISHER_FRACTIONS, judgedRuns, nameOf, nextRun } from './studyPlan.ts';
import { writeReport } from './studyReport.ts';
import type { Backend, Measures, RunResult, StudyResults } from './studyResults.ts';
import { emptyResults, readResults, writeResults } from './studyResults.ts';
import { fromExperiment } from './studyTaken.ts';
import { startTwin } from './studyTwin.ts';

/** @param anew to take nothing from before */
async function study(backend: Backend, anew: boolean): Promise<void> {
  const found = anew ? await emptyResults() : await readResults();
  let results: StudyResults = { ...found, devices: { ...found.devices, [backend.source]: backend.device } };
  const save = async (change: Partial<StudyResults>): Promise<void> => writeResults((results = { ...results, ...change }));
  for (const suite of ['heldOut', 'outOfDomain'] as const) {
    for (const fraction of FISHER_FRACTIONS) {
      if (results.fisher.some((each) => each.suite === suite && each.fraction === fraction)) continue;
      await save({ fisher: [...results.fisher, await backend.fisher(suite, fraction)] });
    }
  }
  for (let next = nextRun(results.runs); next; next = nextRun(results.runs)) {
    const taken = anew ? undefined : await fromExperiment(next, results.model);
    const result: RunResult = { name: nameOf(next), ...next, ...(taken ?? { source: backend.source, ...(await backend.train(next)) }) };
    const { heldOut, outOfDomain } = result.points.at(-1)!;
    console.log(`${result.name}: in-domain ${heldOut.correct}/${heldOut.items}, out-of-domain ${outOfDomain.correct}/${outOfDomain.items}, ${result.seconds.toFixed(0)} s`);
    await save({ runs: [...results.runs, result] });
  }
  const judged = new Set(judgedRuns(results.runs).map(nameOf));
  for (const run of results.runs.filter(({ name, measures }) => judged.has(name) && !measures)) {
    const measures = { source: backend.source, ...((await backend.measure(run)) ?? (await measureAgain(backend, run))) };
    console.log(`${run.name}: measured`);
    await save({ runs: results.runs.map((each) => (each.name === run.name ? { ...each, measures } : each)) });
  }
}

/** A run is a function of its settings, so its weights can be had again. */
async function measureAgain(backend: Backend, run: PlannedRun): Promise<Measures> {
  await backend.train(run);
  const measures = await backend.measure(run);
  if (!measures) throw new Error(`${nameOf(run)} was trained again and still has no weights to measure.`);
  return measures;
}

async function main(): Promise<void> {
  const has = (name: string): boolean => process.argv.includes(`--${name}`);
  if (has('agree')) return agree();
  if (!has('only-report')) {
    const { model } = await emptyResults();
    const backend = await (has('twin') ? startTwin(model) : startEngine(model));
    try {
      if (!has('reinforce')) await study(backend, has('anew'));
      await reinforceAll(backend, has('anew'));
    } finally {
      await backend.close();
    }
  }
  await writeReport(await readResults());
}

await main();
process.exit(0);
