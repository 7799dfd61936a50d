/** @file The title of the page, which is all that is seen of a hidden tab: how far the live run is. */
import { useEffect } from 'react';
import { choiceName } from '../../worker/methods.ts';
import { selectLiveRun, useLab, type LabState } from '../store.ts';

/** "48% RPSFT, Gimbal" during a run. */
export function pageTitle(state: LabState): string {
  const run = selectLiveRun(state);
  if (run === undefined) return 'Gimbal';
  const progress = run.state === 'paused' ? 'Paused' : `${Math.floor((100 * run.completedSteps) / run.config.steps)}%`;
  return `${progress} ${choiceName(run.config)}, Gimbal`;
}

export function useTitle(): void {
  const title = useLab(pageTitle);
  useEffect(() => {
    document.title = title;
  }, [title]);
}
