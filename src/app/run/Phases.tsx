/** @file The phases of a run as a list: done, going on with its bar, still to come. */
import type { ReactElement } from 'react';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import type { LabRun } from '../runs.ts';
import { phaseLines, type PhaseLine } from './phases.ts';

const spoken = { done: 'Done: ', now: 'Now: ', todo: 'To do: ' } as const;

function Mark({ state, paused }: { readonly state: PhaseLine['state']; readonly paused: boolean }): ReactElement {
  if (state === 'done') return <Icon name="check" />;
  if (state === 'todo') return <span className="dot" />;
  return <Ring state={paused ? 'ready' : 'live'} />;
}

export function Phases({ run }: { readonly run: LabRun }): ReactElement {
  return (
    <ol className="phases" aria-label="Phases">
      {phaseLines(run).map(({ phase, name, state, count, share }) => (
        <li key={phase} className={`ph-${state}`}>
          <Mark state={state} paused={run.state === 'paused'} />
          <span>
            <span className="vh">{spoken[state]}</span>
            {name}
          </span>
          <span className="c">{count}</span>
          {state === 'now' ? (
            <span className="pbar">
              <i style={{ width: `${share * 100}%` }} />
            </span>
          ) : null}
        </li>
      ))}
    </ol>
  );
}
