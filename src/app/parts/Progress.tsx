/** @file What the page is waiting for, with its count, a bar, and a button that ends it. */
import type { ReactElement } from 'react';
import { phaseCount, phaseDoing } from '../run/phases.ts';
import type { PhaseProgress } from '../runs.ts';
import { Icon } from './Icon.tsx';
import { Ring } from './Ring.tsx';

export interface ProgressProps {
  readonly progress: PhaseProgress | undefined;
  /** What is said before the first report. */
  readonly waiting: string;
  readonly onCancel: () => void;
  /** It has been cancelled and ends soon. */
  readonly cancelling?: boolean;
}

export function Progress({ progress, waiting, onCancel, cancelling = false }: ProgressProps): ReactElement {
  const counted = progress?.decoding ?? progress;
  const share = counted === undefined || counted.total === 0 ? 0 : Math.min(1, counted.done / counted.total);
  return (
    <div className="progress">
      <Ring state="live" />
      <span>
        <b>{cancelling ? 'Cancelling' : progress === undefined ? waiting : phaseDoing(progress.phase)}</b> {progress === undefined ? '' : phaseCount(progress)}
      </span>
      <span className="pbar">
        <i style={{ width: `${share * 100}%` }} />
      </span>
      <button type="button" className="btn" disabled={cancelling} onClick={onCancel}>
        <Icon name="x" />
        Cancel
      </button>
    </div>
  );
}
