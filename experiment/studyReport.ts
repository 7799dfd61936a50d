/** @file Writes what the results say into docs/study.md, between the marks that its text has for it, and the figures beside it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import { readReinforced } from './reinforce.ts';
import { drawReinforced, reinforceText } from './reinforceReport.ts';
import type { Results as ExperimentResults } from './results.ts';
import type { Agreement } from './studyAgree.ts';
import { AGREEMENT_FILE } from './studyAgree.ts';
import { drawKept, drawPaths } from './studyFigure.ts';
import { judgedRuns, LEVELS, nameOf } from './studyPlan.ts';
import { readExperiment, sameRun } from './studyTaken.ts';
import type { StudyResults } from './studyResults.ts';
import { agreementTable, driftTable, fisherAgreementTable, fisherTable, keptTable, linesOf, measuresAgreementTable, representationTable, restoreTable, searchTable } from './studyTables.ts';

const TEXT = join(repository, 'docs/study.md');

/** @throws when the text has no place for a part */
export async function writeReport(results: StudyResults): Promise<void> {
  const lines = linesOf(results);
  const experiment = await readExperiment();
  const reinforced = await readReinforced();
  const agreement = JSON.parse(await readFile(AGREEMENT_FILE, 'utf8')) as Agreement;
  const parts: Readonly<Record<string, string>> = {
    runs: runsOf(results, experiment),
    agreement: agreementTable(agreement),
    measured: measuresAgreementTable(agreement),
    'fisher-agreement': fisherAgreementTable(agreement),
    agreed: `By the engine on ${agreement.device}, ${agreement.date}.`,
    experiment: againstExperiment(results, experiment),
    search: searchTable(results),
    ...Object.fromEntries(LEVELS.map((level) => [`kept-${100 * level}`, keptTable(lines, level)])),
    drift: driftTable(lines),
    representation: representationTable(lines),
    restore: restoreTable(lines),
    fisher: fisherTable(results),
    reinforce: reinforceText(reinforced, results),
  };
  let text = await readFile(TEXT, 'utf8');
  for (const [name, content] of Object.entries(parts)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/study.md has no place for ${name}: put ${begin} and ${end} where it belongs.`);
    text = `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
  }
  await writeFile(TEXT, text);
  await writeFile(join(repository, 'docs/study/paths.svg'), drawPaths(lines));
  await writeFile(join(repository, 'docs/study/kept.svg'), drawKept(lines));
  if (reinforced.runs.length > 0) await writeFile(join(repository, 'docs/study/reinforce.svg'), drawReinforced(reinforced));
}

/** What ran where, and what is missing. */
function runsOf({ runs, devices, date, model }: StudyResults, { adapter }: ExperimentResults): string {
  const hours = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  const sources = (['engine', 'twin'] as const).filter((source) => runs.some((run) => run.source === source));
  const by = sources.map((source) => `${runs.filter((run) => run.source === source).length} by the ${source} (${devices[source] ?? `${adapter}, taken over from experiment/results.json`})`);
  const judged = judgedRuns(runs).map(nameOf);
  const measuredBy = (['engine', 'twin'] as const).map((source) => [source, runs.filter(({ measures }) => measures?.source === source).length] as const).filter(([, count]) => count > 0);
  const list = (names: readonly string[], words: string): string => (names.length > 0 ? ` ${words}: ${names.join('; ')}.` : '');
  const missing = judged.filter((name) => !runs.some((run) => run.name === name));
  const unmeasured = runs.filter((run) => judged.includes(run.name) && !run.measures).map(({ name }) => name);
  return `${runs.length} runs in ${hours.toFixed(1)} h, last on ${date}: ${by.join(', ')}. Drift, representations and restore measured of ${measuredBy.map(([source, count]) => `${count} by the ${source}`).join(', ')}. model.safetensors ${model.slice(0, 12)}….${list(missing, 'Not run yet')}${list(unmeasured, 'Run, and not yet measured for drift, representations and restore')}${missing.length + unmeasured.length > 0 ? ' The next `npm run study` does that.' : ''}`;
}

/** The engine's own experiment has runs with the settings and seeds of these: how far their right answers are apart, at every evaluation. */
function againstExperiment({ runs }: StudyResults, experiment: ExperimentResults): string {
  const pairs = runs.flatMap((run) => {
    const other = run.source === 'twin' ? sameRun(experiment, run) : undefined;
    return other ? [{ run, other }] : [];
  });
  const differences = (suite: 'inDomain' | 'outOfDomain'): number[] =>
    pairs.flatMap(({ run, other }) => run.points.map((point, i) => Math.abs((suite === 'inDomain' ? point.heldOut : point.outOfDomain).correct - other.points[i]![suite])));
  const [inDomain, outOfDomain] = [differences('inDomain'), differences('outOfDomain')];
  return `${pairs.length} runs of the twin have the settings and seeds of runs of the engine in experiment/results.json (${experiment.adapter}). Over their ${inDomain.length} evaluations the right answers differ by ${Math.max(...inDomain)} of 200 in-domain items and ${Math.max(...outOfDomain)} of 930 out-of-domain items at most, and in ${inDomain.filter((each, i) => each === 0 && outOfDomain[i] === 0).length} evaluations not at all.`;
}
