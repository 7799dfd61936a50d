/** @file From the accuracy of a suite to the items that the current run got wrong. */
import type { ReactElement } from 'react';
import type { RunId } from '../../worker/protocol.ts';
import { suitePlaces, type Suite } from '../results.ts';
import type { FigureSet } from './figureSet.ts';

export interface SuitePlateProps {
  readonly suite: Suite;
  readonly figures: FigureSet;
  /** Undefined where nothing can be measured. */
  readonly onFailures: ((suite: Suite, run: RunId) => void) | undefined;
}

/** Nothing for a run without weights to ask. */
export function FailuresButton({ suite, figures, onFailures }: SuitePlateProps): ReactElement | null {
  const run = figures.drawn.at(-1)?.run;
  if (run === undefined || onFailures === undefined || run.recorded || run.state === 'failed' || run.evaluations.length === 0) return null;
  return (
    <button type="button" className="link" aria-label={`Show failures ${suitePlaces[suite]}`} title="Measures the suite item by item, if that has not been done, and lists what is wrong" onClick={() => onFailures(suite, run.id)}>
      Show failures
    </button>
  );
}
