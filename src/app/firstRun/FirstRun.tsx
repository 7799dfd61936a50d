/** @file What the page opens with before the first run: one button, and the time it will take on this machine. */
import { useEffect, type ReactElement } from 'react';
import { formatAbout, formatBytes, formatCounted } from '../format.ts';
import { commandKey } from '../frame/keymap.ts';
import { startObstacle, startRun } from '../run/control.ts';
import { phaseCount } from '../run/phases.ts';
import { choiceName } from '../../worker/methods.ts';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import { showRecording } from '../recorded.ts';
import { openStation, useLab } from '../store.ts';
import { Gimbal } from './Gimbal.tsx';

/** What stands beside the button: loading, probing, or the time. */
function Time(): ReactElement {
  const connection = useLab((state) => state.connection);
  const loading = useLab((state) => state.loading);
  const estimate = useLab((state) => state.estimate);
  const config = useLab((state) => state.config);
  const obstacle = useLab(() => startObstacle());
  const what = `${formatCounted(config.steps, 'step')} of ${choiceName(config)} on the demo data`;
  if (connection !== 'ready') {
    const bytes = loading === undefined ? '' : `, ${loading.done < loading.total ? phaseCount(loading) : formatBytes(loading.done)}`;
    return (
      <span className="hero-time">
        <Ring state="live" />
        {connection === 'connecting' ? 'Looking for a graphics adapter' : `Loading the model${bytes}`}
      </span>
    );
  }
  if (obstacle !== undefined) return <span className="hero-time">{obstacle}</span>;
  return (
    <span>
      {estimate?.seconds === undefined ? (
        <span className="hero-time">
          <Ring state="live" />
          Running three steps to know the time
        </span>
      ) : (
        `${formatAbout(estimate.seconds)} here`
      )}
      <br />
      <small>{what}</small>
    </span>
  );
}

export function FirstRun(): ReactElement {
  const software = useLab((state) => state.diagnosis?.adapter?.software ?? false);
  const obstacle = useLab(() => startObstacle());
  useEffect(() => void showRecording(), []);
  return (
    <div className="hero">
      <div>
        <h2>Fine-tune a small language model in this page.</h2>
        <p className="hero-sub">See what it gains on your task and what it forgets of everything else. Nothing is installed, and nothing leaves this machine.</p>
        <div className="hero-go">
          <button type="button" className="btn primary big" disabled={obstacle !== undefined} onClick={() => void startRun()}>
            <Icon name="play" />
            Fine-tune the built-in model
            <kbd>{commandKey}↵</kbd>
          </button>
          <Time />
        </div>
        <p className="hero-alt">
          Or drop a dataset or a model anywhere on the page.{' '}
          <button type="button" className="link" onClick={() => openStation('model')}>
            Open another model
          </button>
        </p>
        {software ? <p className="hero-alt">This graphics adapter is software: it computes on the processor. Everything works, many times slower than on a graphics card.</p> : null}
      </div>
      <Gimbal />
    </div>
  );
}
