/** @file A run that does not fit: what was needed, where it stopped, and buttons that make it smaller. */
import type { ReactElement } from 'react';
import type { Fit, WayToFit } from '../../worker/protocol.ts';
import { formatBytes } from '../format.ts';
import { Alert } from '../parts/Alert.tsx';
import { requestModel } from '../model/opening.ts';
import { useLab } from '../store.ts';
import { applyWay } from './fit.ts';

type Misfitting = Extract<Fit, { fits: false }>;

/** "saves 2.05 GB, steps slower, then fits"; without the last part where more is needed. */
export function wayDetail({ saves, cost, total }: Pick<WayToFit, 'saves' | 'cost' | 'total'>, stoppedAt: number): string {
  const then = total <= stoppedAt ? 'then it should fit' : `then still ${formatBytes(total)}`;
  return `saves ${formatBytes(saves)}, ${cost}; ${then}`;
}

/** The sentence of the trial, below the memory bar that shows it. */
export function MisfitAlert({ fit }: { readonly fit: Misfitting }): ReactElement {
  return (
    <Alert title="This run does not fit">
      <p>
        It needs about {formatBytes(fit.needed)}. The trial allocation stopped at {formatBytes(fit.stoppedAt)}. {fit.message}
      </p>
      <p>Nothing was started. The model, the data and the runs you have are as they were.</p>
    </Alert>
  );
}

/** What can be done, each with what it saves and costs. */
export function WaysToFit({ fit }: { readonly fit: Misfitting }): ReactElement {
  const builtIn = useLab((state) => state.model?.source === 'built-in');
  return (
    <ul className="fixes" aria-label="Ways to make it fit">
      {fit.ways.map((way) => (
        <li key={way.change}>
          <button type="button" className="btn" onClick={() => void applyWay(way)}>
            {way.label}
          </button>
          <span>{wayDetail(way, fit.stoppedAt)}</span>
        </li>
      ))}
      {builtIn ? null : (
        <li>
          <button type="button" className="btn" onClick={() => void requestModel({ origin: { kind: 'built-in' }, precision: 'f32' })}>
            Take the built-in model
          </button>
          <span>fits nearly everywhere</span>
        </li>
      )}
    </ul>
  );
}
