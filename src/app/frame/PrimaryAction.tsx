/** @file The one primary action, always in the same place: start, pause, resume, or start the next run. */
import type { ReactElement } from 'react';
import { pauseRun, resumeRun, startObstacle, startRun, stepRun } from '../run/control.ts';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import { selectLiveRun, useLab } from '../store.ts';
import { commandKey } from './keymap.ts';

/** Pause and Resume with Step beside them while a run is live, else Start. */
export function PrimaryAction(): ReactElement {
  const state = useLab((lab) => selectLiveRun(lab)?.state);
  const hasRun = useLab((lab) => lab.runs.some((run) => !run.recorded));
  const starting = useLab((lab) => lab.starting);
  const asked = useLab((lab) => lab.asked);
  // Recomputed with every part of the store it depends on: the obstacle is a sentence, so equal ones do not render again.
  const obstacle = useLab(() => startObstacle());
  if (state === 'running' || state === 'paused') {
    const paused = state === 'paused';
    return (
      <div className="acts">
        <button type="button" className="btn primary" disabled={asked !== undefined} onClick={() => void (paused ? resumeRun() : pauseRun())}>
          {asked === undefined ? <Icon name={paused ? 'play' : 'pause'} /> : <Ring state="live" />}
          {asked === undefined ? (paused ? 'Resume' : 'Pause') : asked === 'pause' ? 'Pausing' : 'Stopping'}
          <kbd>P</kbd>
        </button>
        <button type="button" className="btn" disabled={!paused || asked !== undefined} title={paused ? 'One step' : 'Pause first, then go step by step'} onClick={() => void stepRun()}>
          <Icon name="step" />
          Step
          <kbd>S</kbd>
        </button>
      </div>
    );
  }
  if (state === 'preparing' || starting) {
    return (
      <button type="button" className="btn primary wide" disabled aria-busy="true">
        <Ring state="live" />
        Preparing
      </button>
    );
  }
  return (
    <button type="button" className="btn primary wide" disabled={obstacle !== undefined} title={obstacle} onClick={() => void startRun()}>
      <Icon name="play" />
      {hasRun ? 'Start a new run' : 'Start'}
      <kbd>{commandKey}↵</kbd>
    </button>
  );
}
