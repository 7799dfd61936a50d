/** @file The Playground tab: the base model and the tuned ones answer the same prompt side by side. */
import type { ReactElement } from 'react';
import { selectLiveRun, useLab } from '../store.ts';
import { Icon } from '../parts/Icon.tsx';
import { AskForm } from './AskForm.tsx';
import { TrialView } from './TrialView.tsx';
import { MarksKey } from './MarksKey.tsx';

export function PlaygroundTab(): ReactElement {
  const ready = useLab((state) => state.connection === 'ready');
  const hasRuns = useLab((state) => state.runs.some((run) => !run.recorded));
  const live = useLab((state) => selectLiveRun(state)?.state === 'running');
  const trials = useLab((state) => state.playground.trials);
  if (!ready) {
    return (
      <div className="emptyview">
        <Icon name="prompt" className="big" />
        <p className="lead-line">Nothing to ask yet.</p>
        <p className="lead-sub">The playground needs the model, and the model a graphics adapter. A recorded run holds curves, not weights.</p>
      </div>
    );
  }
  return (
    <div className="play">
      <h2 className="vh">Playground</h2>
      <AskForm />
      {live ? <p className="help">Answers are computed between training steps: the run slows down, it does not stop.</p> : null}
      {trials.length === 0 ? (
        <p className="lead-sub">
          {hasRuns ? 'The models answer side by side, and where they part is marked.' : 'Ask the base model anything it knows. After a run the tuned model answers beside it, and differing tokens are marked.'}
        </p>
      ) : (
        <>
          <MarksKey />
          <div className="trials">
            {trials.map((trial) => (
              <TrialView key={trial.id} trial={trial} />
            ))}
          </div>
        </>
      )}
    </div>
  );
}
