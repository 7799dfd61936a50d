/** @file A real run recorded in a file: the same events as from the worker, put into the same store, so that every view shows it without a graphics device. */
import type { RecordedRun } from '../worker/protocol.ts';
import { applyEvents, runFromSummary, type LabRun } from './runs.ts';
import { type LabState, useLab } from './store.ts';

/** The runs of a recording as the page holds them. */
export const recordedRuns = ({ runs }: RecordedRun): readonly LabRun[] =>
  runs.map(({ summary, events }) => ({ ...applyEvents(runFromSummary(summary, 0, true), events, 0), state: summary.state, completedSteps: summary.completedSteps }));

const isRecording = (value: unknown): value is RecordedRun => typeof value === 'object' && value !== null && 'format' in value && value.format === 1;

/** The recording that comes with the page, or undefined where there is none. A server may answer with its start page instead of 404. */
async function fetchRecording(): Promise<RecordedRun | undefined> {
  const response = await fetch(new URL('recorded/run.json', document.baseURI));
  if (!response.ok || response.headers.get('content-type')?.includes('json') !== true) return undefined;
  const value: unknown = await response.json();
  return isRecording(value) ? value : undefined;
}

let shown: RecordedRun | undefined;

/** Shows the recorded run unless a run of one's own is there first. Called as often as wanted, it loads once. */
export async function showRecording(): Promise<void> {
  const { getState: get, setState: set } = useLab;
  if (get().recording.status === 'none' && get().runs.length === 0) {
    set({ recording: { status: 'loading' } });
    const recording = await fetchRecording().catch(() => undefined);
    set((state) => (recording === undefined ? { recording: { status: 'missing' } } : state.starting || state.runs.length > 0 ? { recording: { status: 'none' } } : withRuns(recording)));
    shown = recording;
  }
  set(describeOrigin);
}

function withRuns(recording: RecordedRun): Partial<LabState> {
  const runs = recordedRuns(recording);
  return { runs, selectedRun: (runs.find((run) => run.config.method === 'rpsft') ?? runs[0])?.id, recording: { status: 'shown', on: recording.recordedOn } };
}

/** Without an engine the stations show what the recorded run was made from; whether there is one may be known only after the file has come. */
function describeOrigin({ connection, model, recording }: LabState): Partial<LabState> {
  const hasNoEngine = connection === 'unavailable' || connection === 'failed';
  if (shown === undefined || recording.status !== 'shown' || model !== undefined || !hasNoEngine) return {};
  return { model: shown.model, datasets: Object.fromEntries(shown.datasets.map((dataset) => [dataset.role, dataset])) };
}
