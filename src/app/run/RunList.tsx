/** @file The runs of this session: which are drawn, which is drawn strongest, and how each ended. */
import { useState, type ReactElement } from 'react';
import { runNames } from '../charts/names.ts';
import { Swatch } from '../charts/Swatch.tsx';
import { formatCount } from '../format.ts';
import { loraLabel } from '../method/configLine.ts';
import { removeRun } from './control.ts';
import { Icon } from '../parts/Icon.tsx';
import { resultText } from '../results.ts';
import { isLive, type LabRun } from '../runs.ts';
import { selectRun, selectRunById, showRun, useLab } from '../store.ts';

const endings: Readonly<Record<LabRun['state'], string>> = {
  preparing: 'preparing',
  running: 'running',
  paused: 'paused',
  finished: 'finished',
  stopped: 'stopped',
  failed: 'failed',
};

/** How far it got where that needs saying, and what the last evaluation found. */
export function runResult({ evaluations, state, completedSteps, measures }: Pick<LabRun, 'evaluations' | 'state' | 'completedSteps' | 'measures'>): string {
  const last = evaluations.findLast(({ step }) => step > 0);
  const how = state === 'finished' ? [] : [`${endings[state]} at step ${formatCount(completedSteps)}`];
  if (last === undefined) return how.join('');
  return [...how, resultText(last, measures)].join(', ');
}

function Line({ run, name, selected }: { readonly run: LabRun; readonly name: string; readonly selected: boolean }): ReactElement {
  const [asking, setAsking] = useState(false);
  return (
    <li className="run-line" data-selected={selected}>
      <input type="checkbox" checked={run.visible} aria-label={`Draw ${name}`} title="Draw in the figures" onChange={(event) => showRun(run.id, event.target.checked)} />
      <button type="button" className="run-name" aria-pressed={selected} title="Draw strongest, and show its settings" onClick={() => selectRunById(run.id)}>
        <Swatch method={run.config.method} />
        <b>{name}</b>
        <span>{[run.config.lora === undefined ? '' : loraLabel(run.config.lora), run.importedFrom === undefined ? '' : `opened from ${run.importedFrom}`, runResult(run)].filter(Boolean).join(', ')}</span>
      </button>
      {isLive(run) ? null : asking ? (
        <span className="run-ask">
          <button type="button" className="btn danger" onClick={() => void removeRun(run.id)}>
            Remove it
          </button>
          <button type="button" className="btn" onClick={() => setAsking(false)}>
            Keep
          </button>
        </span>
      ) : (
        <button type="button" className="ib" aria-label={`Remove ${name}`} title="Remove with its weights" onClick={() => setAsking(true)}>
          <Icon name="x" />
        </button>
      )}
    </li>
  );
}

export function RunList(): ReactElement | null {
  const runs = useLab((state) => state.runs);
  const selected = useLab((state) => selectRun(state)?.id);
  if (runs.length === 0) return null;
  const names = runNames(runs);
  return (
    <div className="run-list">
      <h2>Runs</h2>
      <ul>
        {runs.map((run, index) => (
          <Line key={run.id} run={run} name={names[index] ?? run.id} selected={run.id === selected} />
        ))}
      </ul>
    </div>
  );
}
