/** @file The line at the foot of the page: what is going on, how fast, on what, and that nothing leaves the machine. */
import type { ReactElement } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { Diagnosis } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatSpeed, formatTime } from '../format.ts';
import { Ring } from '../parts/Ring.tsx';
import { phaseCount, phaseDoing } from '../run/phases.ts';
import { remainingSeconds, runSpeed, type LabRun } from '../runs.ts';
import { openStation, selectLiveRun, selectRun, useLab, type LabState, type StationId } from '../store.ts';
import { problemPlaces, runStateName } from './stationState.ts';

const stationNames: Readonly<Record<StationId, string>> = { model: 'Model', data: 'Data', method: 'Method', run: 'Run' };

function Item({ name, value, wide = false, title }: { readonly name: string; readonly value: string; readonly wide?: boolean; readonly title?: string }): ReactElement {
  return (
    <span className={wide ? 'w' : undefined} title={title}>
      <i>{name}</i> {value}
    </span>
  );
}

const missingNames: Readonly<Record<NonNullable<Diagnosis['problem']>['code'], string>> = {
  'no-webgpu': 'No WebGPU',
  'no-adapter': 'No adapter',
  'no-device': 'No device',
  'limits-too-small': 'Adapter too small',
};

/** "1 problem in Data", as a link there. */
function Problems(): ReactElement | null {
  const places = useLab(useShallow((state) => problemPlaces(state).map(({ station, count }) => `${station} ${count}`)));
  const [first] = places;
  if (first === undefined) return null;
  const [station = 'run', count = '1'] = first.split(' ') as [StationId?, string?];
  const name = stationNames[station];
  return (
    <span className="bar-state">
      <Ring state="error" />
      <button type="button" className="bar-link" onClick={() => goTo(station)}>
        <b>
          {count} {count === '1' ? 'problem' : 'problems'}
        </b>{' '}
        in {name}
      </button>
    </span>
  );
}

function goTo(station: StationId): void {
  openStation(station);
  document.getElementById(`station-${station}`)?.focus();
}

/** Ring and words for the page as a whole when no run is live and nothing is wrong. */
function idleState(state: LabState, run: LabRun | undefined): { readonly ring: 'off' | 'live' | 'done' | 'empty'; readonly name: string; readonly detail: string } {
  const missing = state.diagnosis?.problem?.code;
  if (missing !== undefined) return { ring: 'off', name: missingNames[missing], detail: '' };
  if (state.connection === 'failed') return { ring: 'off', name: 'Not available', detail: '' };
  if (state.connection !== 'ready') return { ring: 'live', name: 'Loading', detail: '' };
  if (state.opening !== undefined) return { ring: 'live', name: state.opening.progress === undefined ? 'Opening' : phaseDoing(state.opening.progress.phase), detail: state.opening.progress === undefined ? '' : phaseCount(state.opening.progress) };
  if (state.starting) return { ring: 'live', name: 'Starting', detail: '' };
  if (run === undefined || run.recorded) return { ring: 'empty', name: 'Idle', detail: '' };
  return { ring: 'done', name: runStateName(run), detail: `${formatCount(run.completedSteps)} steps` };
}

function RunState(): ReactElement {
  const { ring, name, detail } = useLab(
    useShallow((state) => {
      const live = selectLiveRun(state);
      if (live === undefined) return idleState(state, selectRun(state));
      const progress = live.state === 'preparing' ? '' : `step ${formatCount(live.completedSteps)} of ${formatCount(live.config.steps)}`;
      return { ring: live.state === 'paused' ? ('ready' as const) : ('live' as const), name: runStateName(live), detail: progress };
    }),
  );
  return (
    <span className="bar-state">
      <Ring state={ring} />
      <b>{name}</b>
      {detail === '' ? null : <span>{detail}</span>}
    </span>
  );
}

/** Speed and remaining time of the live run, or the mean speed of the selected one. */
function Pace(): ReactElement {
  const { eta, speed, live } = useLab(
    useShallow((state) => {
      const liveRun = selectLiveRun(state);
      const run = liveRun ?? selectRun(state);
      return { live: liveRun !== undefined, eta: liveRun && remainingSeconds(liveRun), speed: run === undefined || run.recorded ? undefined : runSpeed(run) };
    }),
  );
  return (
    <>
      {eta === undefined ? null : <Item name="ETA" value={formatTime(eta)} />}
      {speed === undefined ? null : <Item name="Tokens/s" value={`${formatSpeed(speed)}${live ? '' : ' mean'}`} wide />}
    </>
  );
}

function Machine(): ReactElement {
  const adapter = useLab((state) => state.diagnosis?.adapter);
  const connecting = useLab((state) => state.connection === 'connecting');
  const memory = useLab((state) => state.estimate?.bytes.reduce((sum, { bytes }) => sum + bytes, 0));
  const outside = useLab((state) => state.outsideRequests);
  const precision = useLab((state) => state.model?.precision ?? 'f32');
  const hubAsked = useLab((state) => state.hubAsked);
  return (
    <>
      {memory === undefined ? null : <Item name="Memory" value={formatBytes(memory)} wide title="Estimate for the run in Method, on the graphics device" />}
      <span className="sp" />
      <Item name="Precision" value={precision === 'f32' ? 'f32' : `${precision}, trained in f32`} wide />
      <Item name="Adapter" value={adapter === undefined ? (connecting ? 'looking' : 'none') : `${adapter.name}${adapter.software ? ', software' : ''}`} wide />
      <Item name="Requests to other hosts" value={hubAsked && outside === 0 ? 'model downloads only' : formatCount(outside)} wide title="Since the page was loaded. Downloads of models are the only requests to others; nothing you load here leaves this machine." />
    </>
  );
}

/** Fixed at the foot below 720 px, where the primary action stands at its right end. */
export function StatusBar(): ReactElement {
  const problem = useLab((state) => selectLiveRun(state) === undefined && problemPlaces(state).length > 0);
  return (
    <footer className="status" aria-label="Status">
      {problem ? <Problems /> : <RunState />}
      <Pace />
      <Machine />
    </footer>
  );
}
