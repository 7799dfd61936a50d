/** @file What a journal says of a run: its lines, and the run that they add up to. */
import type { DatasetColumns } from '../data/mapping.ts';
import type { ModelFiles } from '../engine.ts';
import { Sha256 } from '../formats/sha256.ts';
import type { RunHistory } from '../formats/trainerState.ts';
import type { KeptRun } from '../storage/runStore.ts';
import type { DatasetRole, LabEvent, Precision, ProbeReport, RunEnvironment, RunId, RunNotes, RunState, RunSummary, StoredRun } from './protocol.ts';

/** A dataset as a run was made on it; the same key means the same examples. */
export interface UsedData {
  readonly name: string;
  readonly key: string;
}

/** What a key says: the file, and how it was read. */
export interface DataContents {
  readonly sha256: string;
  readonly mapping: DatasetColumns;
  readonly skipRows: readonly number[];
}

export const keyOfData = ({ sha256, mapping, skipRows }: DataContents): string => JSON.stringify([sha256, mapping, skipRows]);

/** @param key as `keyOfData` makes it */
export function contentsOf({ key }: UsedData): DataContents {
  const [sha256, mapping, skipRows] = JSON.parse(key) as [string, DatasetColumns, readonly number[]];
  return { sha256, mapping, skipRows };
}

/** SHA-256 of the file; undefined in a key of another form. */
export const hashOf = ({ key }: UsedData): string | undefined => /^\["([0-9a-f]{64})"/.exec(key)?.[1];

export type UsedDatasets = Readonly<Record<DatasetRole, UsedData>>;

/** What a run is made on, frozen with it. */
export interface RunOrigin {
  /** `modelKey` of its model, and how that is kept. */
  readonly model: string;
  readonly precision: Precision;
  readonly data: UsedDatasets;
  readonly environment: RunEnvironment;
}

/** The first line of a journal. */
export interface RunHead extends RunOrigin {
  readonly format: 1;
  /** As it began. */
  readonly summary: RunSummary;
}

/** The others. `resumedFrom`: what was logged after this step is made again. `seconds` it has taken up to a checkpoint. */
export type RunLine = { readonly event: LabEvent } | { readonly seconds: number } | { readonly notes: RunNotes } | { readonly resumedFrom: number } | { readonly removed: boolean };

/** A run as its files have it. */
export interface RunRecord {
  readonly head: RunHead;
  readonly stored: StoredRun;
  /** Hidden, to be deleted for good when the page is left. */
  readonly removed: boolean;
  readonly weights: Blob | undefined;
  readonly checkpoint: KeptRun['checkpoint'];
}

export const NO_NOTES: RunNotes = { tags: [], pinned: false };

export const isLive = (state: RunState): boolean => state === 'preparing' || state === 'running' || state === 'paused';

/** The run of a journal. One that nobody works on any more and that has not ended was interrupted, and says so. */
export function recordOf({ id, lines, weights, checkpoint, bytes }: KeptRun): RunRecord | undefined {
  const [head, ...rest] = lines as unknown as readonly [RunHead, ...RunLine[]];
  if (head.format !== 1) return undefined;
  let events: readonly LabEvent[] = [];
  let notes = NO_NOTES;
  let removed = false;
  let { seconds } = head.summary;
  for (const line of rest) {
    if ('event' in line) {
      (events as LabEvent[]).push(line.event);
      if (line.event.type === 'state' && line.event.seconds !== undefined) ({ seconds } = line.event);
    } else if ('seconds' in line) ({ seconds } = line);
    else if ('notes' in line) notes = line.notes;
    else if ('resumedFrom' in line) events = rewound(events, line.resumedFrom);
    else removed = line.removed;
  }
  const last = lastState(events);
  const completedSteps = lastStep(events);
  if (last === undefined || isLive(last.state)) events = [...events, interrupted(id, 'The page was left', completedSteps, checkpoint?.step)];
  const state = lastState(events)!.state;
  const ended = state === 'finished' || state === 'stopped';
  return {
    head,
    stored: {
      summary: { ...head.summary, id, state, completedSteps: Math.max(completedSteps, head.summary.completedSteps), ...(seconds === undefined ? {} : { seconds }) },
      notes,
      events,
      environment: head.environment,
      bytes,
      hasWeights: ended && weights !== undefined,
      ...(state === 'finished' || !checkpoint ? {} : { resumableFrom: checkpoint.step }),
    },
    removed,
    weights: ended ? weights : undefined,
    checkpoint,
  };
}

/** Events of a run without those that come after a step and will come again. */
export const rewound = (events: readonly LabEvent[], step: number): LabEvent[] =>
  events.flatMap((event): LabEvent[] => {
    if (event.type === 'evaluation') return event.evaluation.step <= step ? [event] : [];
    if (event.type === 'drift') return event.drift.step <= step ? [event] : [];
    if (event.type === 'followed') return event.followed.step <= step ? [event] : [];
    if (event.type === 'answers') return event.sampled.step <= step ? [event] : [];
    if (event.type !== 'steps') return [event];
    const steps = event.steps.filter((metrics) => metrics.step <= step);
    return steps.length > 0 ? [{ ...event, steps }] : [];
  });

/** How a run ends that can go on, or cannot. @param what happened, such as "The page was left" */
export function interrupted(run: string, what: string, completedSteps: number, checkpoint: number | undefined): Extract<LabEvent, { type: 'state' }> {
  const begun = completedSteps > 0 ? ` at step ${completedSteps}` : ' before the first step';
  if (checkpoint === undefined) return { type: 'state', run, state: 'failed', message: `${what}${begun}. There was no checkpoint yet, so the run has to be started again.` };
  return { type: 'state', run, state: 'failed', message: `${what}${begun}. Nothing is lost: the run goes on from step ${checkpoint}, bit for bit.`, resumableFrom: checkpoint };
}

/** The measurements among the events of a run. */
export const historyOf = (events: readonly LabEvent[]): RunHistory => ({
  steps: events.flatMap((event) => (event.type === 'steps' ? event.steps : [])),
  evaluations: events.flatMap((event) => (event.type === 'evaluation' ? [event.evaluation] : [])),
  drifts: events.flatMap((event) => (event.type === 'drift' ? [event.drift] : [])),
  followed: events.flatMap((event) => (event.type === 'followed' ? [event.followed] : [])),
  starts: events.flatMap((event) => (event.type === 'start' ? [event.evaluation] : [])),
});

/** Measurements as events of a run. */
export const historyEvents = (run: RunId, { steps, evaluations, drifts, starts, followed }: RunHistory): LabEvent[] => [
  ...(steps.length > 0 ? [{ type: 'steps', run, steps } as const] : []),
  ...evaluations.map((evaluation) => ({ type: 'evaluation', run, evaluation }) as const),
  ...starts.map((evaluation) => ({ type: 'start', run, evaluation }) as const),
  ...drifts.map((drift) => ({ type: 'drift', run, drift }) as const),
  ...followed.map((each) => ({ type: 'followed', run, followed: each }) as const),
];

/** What was measured on demand among the events of a run. */
export const reportsOf = (events: readonly LabEvent[]): ProbeReport[] => events.flatMap((event) => (event.type === 'report' ? [event.report] : []));

/** A report as an event of a run, which may be called otherwise than where it was made. */
export const reportEvent = (run: RunId, report: ProbeReport): Extract<LabEvent, { type: 'report' }> => ({ type: 'report', run, report: { ...report, request: { ...report.request, run } } as ProbeReport });

const lastState = (events: readonly LabEvent[]): Extract<LabEvent, { type: 'state' }> | undefined => events.findLast((event) => event.type === 'state');

export const lastStep = (events: readonly LabEvent[]): number => events.findLast((event) => event.type === 'steps')?.steps.at(-1)?.step ?? 0;

export const ROLES: readonly DatasetRole[] = ['train', 'heldOut', 'outOfDomain'];

/** What differs in the data that is loaded from what a run was made on, as a sentence; undefined where nothing does. */
export function differentData(used: UsedDatasets, loaded: UsedDatasets): string | undefined {
  const roles = { train: 'training', heldOut: 'held-out', outOfDomain: 'out-of-domain' } as const;
  const role = ROLES.find((each) => used[each].key !== loaded[each].key);
  return role && `The run was begun on ${used[role].name} as ${roles[role]} data, with other columns or contents than ${loaded[role].name} has, which is loaded now. Load ${used[role].name} again as it was, then go on.`;
}

/** Bytes that are hashed of a file, in slices all over it: a gigabyte should not be read to be recognised. */
const SLICES = 64;
const SLICE_BYTES = 2 ** 14;

/** What tells a model from any other: a hash of its configuration and of slices of its weights. */
export async function modelKey(files: ModelFiles): Promise<string> {
  const hash = new Sha256();
  for (const [path, file] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (path !== 'config.json' && !path.endsWith('.safetensors')) continue;
    hash.update(new TextEncoder().encode(`${path} ${file.size}\n`));
    const whole = file.size <= SLICES * SLICE_BYTES;
    const starts = whole ? [0] : Array.from({ length: SLICES }, (_, i) => Math.floor((i * (file.size - SLICE_BYTES)) / (SLICES - 1)));
    for (const start of starts) hash.update(new Uint8Array(await file.slice(start, whole ? file.size : start + SLICE_BYTES).arrayBuffer()));
  }
  return hash.hex();
}
