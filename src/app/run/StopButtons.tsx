/** @file Ends the live run: with its weights kept, or without a trace, which is asked first. */
import { useState, type ReactElement } from 'react';
import { formatCounted } from '../format.ts';
import { stopRun } from './control.ts';
import { Alert } from '../parts/Alert.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import type { LabRun } from '../runs.ts';
import { useLab } from '../store.ts';

/** What would be lost, named: "480 steps and 8 evaluations". */
export function whatIsDiscarded({ completedSteps, evaluations }: Pick<LabRun, 'completedSteps' | 'evaluations'>): string {
  const own = evaluations.filter(({ step }) => step > 0).length;
  return own === 0 ? formatCounted(completedSteps, 'step') : `${formatCounted(completedSteps, 'step')} and ${formatCounted(own, 'evaluation')}`;
}

export function StopButtons({ run }: { readonly run: LabRun }): ReactElement {
  const [asking, setAsking] = useState(false);
  const asked = useLab((state) => state.asked);
  const stopping = asked === 'keep' || asked === 'discard';
  if (asking) {
    return (
      <Alert
        title={`Discard ${whatIsDiscarded(run)}?`}
        actions={
          <>
            <button
              type="button"
              className="btn danger"
              onClick={() => {
                setAsking(false);
                void stopRun(false);
              }}
            >
              Discard them
            </button>
            {/* The safe answer has the focus. */}
            {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
            <button type="button" className="btn" autoFocus onClick={() => setAsking(false)}>
              Keep the run
            </button>
          </>
        }
      >
        <p>The weights and curves of this run will be gone. Other runs stay.</p>
      </Alert>
    );
  }
  return (
    <>
      <div className="acts run-acts">
        <button type="button" className="btn" disabled={stopping || run.completedSteps === 0} onClick={() => void stopRun(true)}>
          {stopping ? <Ring state="live" /> : <Icon name="stop" />}
          {asked === 'discard' ? 'Discarding' : stopping ? 'Stopping' : 'Stop and keep'}
        </button>
        <button type="button" className="btn danger" disabled={stopping} onClick={() => setAsking(true)}>
          <Icon name="x" />
          Stop and discard
        </button>
      </div>
      <p className="help">Stopping and keeping evaluates the run on all items where it stands; its weights can then be tried and exported, and the run can go on later.</p>
    </>
  );
}
