/** @file What the marks under and around answer tokens mean, and against which answer they are drawn. */
import type { ReactElement } from 'react';
import { Segments } from '../parts/Segments.tsx';
import { useLab } from '../store.ts';
import { edit } from './session.ts';

export function MarksKey(): ReactElement {
  const reference = useLab((state) => state.playground.reference);
  const answers = useLab((state) => state.playground.trials[0]?.answers);
  const options = (answers ?? []).map(({ column, name }) => ({ value: column, label: column === 'base' ? 'Base' : name }));
  return (
    <div className="play-key">
      <span>
        <span className="gtok p90">token</span> line under it: its probability
      </span>
      {options.length < 2 ? null : (
        <>
          <span>
            <span className="gtok diff parts p90">token</span> first that differs
          </span>
          <span>
            <span className="gtok diff p90">token</span> later ones that differ
          </span>
          <span className="against">
            Mark against <Segments legend="Reference for marks" options={options} value={reference} onChange={(column) => edit({ reference: column })} />
          </span>
        </>
      )}
    </div>
  );
}
