/** @file What can be measured on demand beside the drift that a run records. */
import type { ReactElement } from 'react';
import { FisherPlate } from './FisherPlate.tsx';
import { OutputPlate } from './OutputPlate.tsx';
import { RestorePlate } from './RestorePlate.tsx';
import type { ShownRun } from './shown.ts';
import { StatesPlate } from './StatesPlate.tsx';
import './probes.css';

interface MeasureMoreProps {
  /** The run in focus first, then its reference. */
  readonly runs: readonly ShownRun[];
  readonly narrow: boolean;
}

/** The four measurements, each with its cost before and after. */
export function MeasureMore({ runs, narrow }: MeasureMoreProps): ReactElement {
  return (
    <section className="probes" aria-labelledby="measure-more">
      <h3 id="measure-more">Measure more</h3>
      <p className="probes-say">On demand, on the weights as they are now; nothing of it changes the run.</p>
      <div className="probes-grid">
        <FisherPlate runs={runs} />
        <StatesPlate runs={runs} narrow={narrow} />
        <OutputPlate runs={runs} />
        <RestorePlate runs={runs} />
      </div>
    </section>
  );
}
