/**
 * @file Runs as one zip to take elsewhere and back: of each what it was (run.json), its measurements (metrics.jsonl, and those on demand in
 * measurements.json) and, where asked, the weights it ended with. Anyone may have written a bundle: it is read as a whole and checked before anything of it is kept.
 */
import type { ModelFiles } from '../engine.ts';
import { conform } from '../formats/conform.ts';
import { FormatError, show } from '../formats/formatError.ts';
import { isJsonObject, readJson } from '../formats/folder.ts';
import { openSafetensors } from '../formats/safetensors.ts';
import { readMetricsLines, writeMetricsLines } from '../formats/trainerState.ts';
import { unzipFiles } from '../formats/zip.ts';
import { isMethod, isPenalty } from '../methods/registry.ts';
import { UNKNOWN_CONFIG } from './imported.ts';
import type { FollowConfig, LabEvent, LoraConfig, Precision, RunConfig, RunNotes, RunState, RunSummary, StoredRun } from './protocol.ts';
import { type RunHead, type RunRecord, historyEvents, historyOf, reportEvent, reportsOf } from './records.ts';
import { isReinforce } from './reinforcing.ts';
import { readReports, writeReports } from './reports.ts';

/** A run to be bundled; `weights` where they are to be in it. */
export interface BundledRun {
  readonly head: RunHead;
  readonly stored: StoredRun;
  readonly weights?: Blob | undefined;
}

/** A run as a bundle has it. */
export interface UnbundledRun extends Pick<RunRecord, 'head' | 'weights'> {
  readonly notes: RunNotes;
  readonly events: readonly LabEvent[];
}

const STATES: readonly RunState[] = ['finished', 'stopped', 'failed'];
const PRECISIONS: readonly Precision[] = ['f32', 'bf16', 'f16'];
const WEIGHTS = 'weights.safetensors';
const REPORTS = 'measurements.json';

/** The files of a bundle. A run that has not ended goes as one that was interrupted. */
export function bundleFiles(runs: readonly BundledRun[]): ModelFiles {
  return new Map(
    runs.flatMap(({ head, stored: { summary, notes, events }, weights }): [string, Blob][] => {
      const last = events.findLast((event) => event.type === 'state');
      const state: RunState = STATES.includes(summary.state) ? summary.state : 'failed';
      const message = state === summary.state ? last?.message : 'It was bundled before it had ended.';
      const record = { ...head, summary: { ...summary, state }, notes, ...(message === undefined ? {} : { message }) };
      const reports = reportsOf(events);
      return [
        [`${summary.id}/run.json`, new Blob([`${JSON.stringify(record, null, 2)}\n`])],
        [`${summary.id}/metrics.jsonl`, new Blob([writeMetricsLines(historyOf(events))])],
        ...(reports.length > 0 ? [[`${summary.id}/${REPORTS}`, new Blob([writeReports(reports)])] as [string, Blob]] : []),
        ...(weights ? [[`${summary.id}/${WEIGHTS}`, weights] as [string, Blob]] : []),
      ];
    }),
  );
}

/** @throws FormatError naming the file and the field; nothing was kept then */
export async function readBundle(archive: Blob, archiveName: string): Promise<UnbundledRun[]> {
  const files = await unzipFiles(archive, archiveName);
  const runs: UnbundledRun[] = [];
  for (const path of files.keys()) {
    const folder = /^(?:.*\/)?([\w-]{1,64})\/run\.json$/.exec(path);
    if (folder) runs.push(await readRun(files, path.slice(0, -'run.json'.length), folder[1]!));
  }
  if (runs.length === 0) throw new FormatError(archiveName, '', 'holds no run: a bundle has a folder with run.json for each');
  return runs;
}

const CONFIG = { ...UNKNOWN_CONFIG, maxLength: 1 };
const LORA = { rank: 1, alpha: 1, targets: [''], rsLora: false } as const;
const FOLLOW = { every: 1, states: false, outputs: false };
const USED = { name: '', key: '' };
const RECORD = {
  format: 1,
  model: '',
  precision: '',
  data: { train: USED, heldOut: USED, outOfDomain: USED },
  environment: { adapter: '', browser: '', 'modelRevision?': '' },
  summary: { state: '', model: '', dataset: '', startedAt: '', completedSteps: 1, 'seconds?': 1, 'measures?': { inDomain: '', outOfDomain: '' }, 'importedFrom?': '' },
  notes: { 'name?': '', tags: [''], pinned: false },
  'message?': '',
} as const;

async function readRun(files: ModelFiles, folder: string, id: string): Promise<UnbundledRun> {
  const path = `${folder}run.json`;
  const fail = (what: string): never => {
    throw new FormatError(path, '', what);
  };
  const json = (await readJson(files, path))!;
  if (json['format'] !== 1) fail(`format is ${show(json['format'])}; 1 is what can be read`);
  const { summary, notes, message, ...origin } = conform(json, RECORD, '', fail) as RunHead & { readonly notes: RunNotes; readonly message?: string };
  if (!STATES.includes(summary.state)) fail(`summary.state is ${show(summary.state)}, not ${STATES.join(', ')}`);
  if (!PRECISIONS.includes(origin.precision)) fail(`precision is ${show(origin.precision)}, not ${PRECISIONS.join(', ')}`);
  if (Number.isNaN(Date.parse(summary.startedAt))) fail(`summary.startedAt is ${show(summary.startedAt)}, not a date`);
  const known: RunSummary = { ...summary, id, config: configOf(within(json, 'summary', fail)['config'], fail) };
  const metrics = files.get(`${folder}metrics.jsonl`) ?? fail('metrics.jsonl is missing beside it');
  const reports = files.get(folder + REPORTS);
  const measured = reports ? readReports(await reports.text(), folder + REPORTS) : [];
  const weights = files.get(folder + WEIGHTS);
  if (weights) await checkWeights(weights, folder + WEIGHTS);
  return {
    head: { ...origin, environment: { ...origin.environment, dataHashes: hashesOf(within(json, 'environment', fail)['dataHashes'], fail) }, summary: { ...known, state: 'preparing' } },
    notes,
    events: [...historyEvents(id, readMetricsLines(await metrics.text(), `${folder}metrics.jsonl`)), ...measured.map((report) => reportEvent(id, report)), { type: 'state', run: id, state: summary.state, ...(message === undefined ? {} : { message }) }],
    weights,
  };
}

type Fail = (what: string) => never;

/** Every setting that a run must have; what else a method has stays as it is. */
function configOf(told: unknown, fail: Fail): RunConfig {
  const config = conform(told, CONFIG, 'summary.config', fail) as RunConfig;
  const { lora, startFrom, follow, ...rest } = told as Partial<RunConfig>;
  const wrong = Object.entries(config).find(([, value]) => typeof value === 'number' && !Number.isFinite(value));
  if (wrong) fail(`summary.config.${wrong[0]} is no number`);
  if (!isMethod(config.method)) fail(`summary.config.method is ${show(config.method)}, which this version does not have`);
  if (rest.penalty !== undefined && !isPenalty(rest.penalty)) fail(`summary.config.penalty is ${show(rest.penalty)}, which this version does not have`);
  if (rest.reinforce !== undefined && !isReinforce(rest.reinforce)) fail(`summary.config.reinforce is ${show(rest.reinforce)}, not settings of GRPO as this version has them`);
  if (startFrom !== undefined && typeof startFrom !== 'string') fail(`summary.config.startFrom is ${show(startFrom)}, not the id of a run`);
  return {
    ...rest,
    ...config,
    ...(lora === undefined ? {} : { lora: conform(lora, LORA, 'summary.config.lora', fail) as LoraConfig }),
    ...(startFrom === undefined ? {} : { startFrom }),
    ...(follow === undefined ? {} : { follow: conform(follow, FOLLOW, 'summary.config.follow', fail) as FollowConfig }),
  };
}

function hashesOf(told: unknown, fail: Fail): Readonly<Record<string, string>> {
  if (!isJsonObject(told)) return fail(`environment.dataHashes is ${show(told)}, not an object`);
  const wrong = Object.entries(told).find(([, hash]) => typeof hash !== 'string');
  if (wrong) fail(`environment.dataHashes of ${show(wrong[0])} is ${show(wrong[1])}, not a hash`);
  return told as Readonly<Record<string, string>>;
}

function within(json: Readonly<Record<string, unknown>>, field: string, fail: Fail): Readonly<Record<string, unknown>> {
  const value = json[field];
  return isJsonObject(value) ? value : fail(`${field} is ${show(value)}, not an object`);
}

/** Whether they fit the model is seen when they are brought to it, which takes them all. */
async function checkWeights(weights: Blob, path: string): Promise<void> {
  const { tensors } = await openSafetensors(weights, path);
  const odd = [...tensors.values()].find(({ dtype }) => dtype !== 'F32');
  if (odd) throw new FormatError(path, `tensor ${show(odd.name)}`, `is stored as ${odd.dtype}; weights of a run are F32`);
}
