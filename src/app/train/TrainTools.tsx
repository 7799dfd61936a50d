/** @file The few controls over the Train figures: scale of the loss, smoothing, and which runs are laid over the current one. */
import { useId, type ReactElement } from 'react';
import { Swatch } from '../charts/Swatch.tsx';
import { formatProbability } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Segments } from '../parts/Segments.tsx';
import type { NamedRun } from './findings.ts';
import { setLossScale, setSmoothing, useTrainSettings } from './settings.ts';

interface OverlaysProps {
  readonly overlays: readonly NamedRun[];
  /** Runs that could be laid over. */
  readonly others: readonly NamedRun[];
  readonly show: (id: string, visible: boolean) => void;
}

interface ToolsProps extends OverlaysProps {
  /** There is something drawn that could be scaled and smoothed. */
  readonly hasRun: boolean;
  readonly onEvaluate: (() => void) | undefined;
}

function Overlays({ overlays, others, show }: OverlaysProps): ReactElement | null {
  if (overlays.length === 0 && others.length === 0) return null;
  return (
    <div className="train-tool train-overlays">
      <span>Overlay</span>
      {overlays.map(({ run, name }) => (
        <span key={run.id} className="train-chip">
          <Swatch method={run.config.method} />
          {name}
          <button type="button" className="ib" aria-label={`Take ${name} out of the figures`} onClick={() => show(run.id, false)}>
            <Icon name="x" />
          </button>
        </span>
      ))}
      {others.length > 0 && (
        <select aria-label="Lay another run over the figures" value="" onChange={(event) => show(event.target.value, true)}>
          <option value="">Add run</option>
          {others.map(({ run, name }) => (
            <option key={run.id} value={run.id}>
              {name}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

/** Scale and smoothing of the loss. */
function LossTools(): ReactElement {
  const { lossScale, smoothing } = useTrainSettings();
  const slider = useId();
  return (
    <>
      <div className="train-tool">
        <span>Loss</span>
        <Segments
          legend="Scale of the loss axis"
          value={lossScale}
          onChange={setLossScale}
          options={[
            { value: 'linear', label: 'Linear' },
            { value: 'log', label: 'Log' },
          ]}
        />
      </div>
      <div className="train-tool">
        <label htmlFor={slider}>Smoothing</label>
        <input
          id={slider}
          type="range"
          min="0"
          max="0.98"
          step="0.02"
          value={smoothing}
          onChange={(event) => setSmoothing(Number(event.target.value))}
        />
        <span>{formatProbability(smoothing)}</span>
      </div>
    </>
  );
}

/** One line of controls. */
export function TrainTools({ hasRun, onEvaluate, ...overlays }: ToolsProps): ReactElement | null {
  if (!hasRun && onEvaluate === undefined) return null;
  return (
    <div className="train-tools">
      {hasRun ? <LossTools /> : null}
      {onEvaluate === undefined ? null : (
        <button type="button" className="btn" title="Base model and runs on a suite, item by item" onClick={onEvaluate}>
          Evaluate…
        </button>
      )}
      {hasRun ? <Overlays {...overlays} /> : null}
    </div>
  );
}
