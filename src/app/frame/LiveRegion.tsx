/** @file The one place from which screen readers are told of milestones. */
import { useEffect, useState, type ReactElement } from 'react';
import { useLab } from '../store.ts';
import { milestones, modelMilestones } from './milestones.ts';

/** Polite: it waits until the reader has finished its sentence. */
export function LiveRegion(): ReactElement {
  const [text, setText] = useState('');
  useEffect(
    () =>
      useLab.subscribe((now, before) => {
        const ofRuns = now.runs === before.runs ? [] : now.runs.flatMap((run) => milestones(before.runs.find((other) => other.id === run.id), run));
        const said = [...modelMilestones(before, now), ...ofRuns];
        if (said.length > 0) setText(said.join(' '));
      }),
    [],
  );
  return (
    <div className="vh" role="status" aria-live="polite">
      {text}
    </div>
  );
}
