/** @file One matrix in full: the turn of its top subspaces, its singular values, and where its change lies. */
import { useMemo, useState, type ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { Protractor } from '../charts/Protractor.tsx';
import { formatAngle, formatAngleTick, formatCount, formatParameter } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Segments } from '../parts/Segments.tsx';
import { angleAxis, angleCurve, changeAxis, sigmaAxis, sigmaChangeCurve, sigmaCurve, signedPercent } from './detailCurves.ts';
import { AlignmentPlate } from './AlignmentPlate.tsx';
import { EnergyPlate } from './EnergyPlate.tsx';
import { IndexPlate } from './IndexPlate.tsx';
import { matrixLabel } from './mapCells.ts';
import { metricOf } from './metrics.ts';
import { NumbersPlate } from './NumbersPlate.tsx';
import type { RunMatrix } from './spectrumRun.ts';

interface MatrixDetailProps {
  /** The matrix in each run, the run in focus first. */
  readonly runs: readonly RunMatrix[];
  /** To the matrix before or after, in the order of the map. */
  readonly onMove: (by: -1 | 1) => void;
  readonly narrow: boolean;
}

const left = metricOf('leftAngle');

function TurnPlate({ runs, label }: { readonly runs: readonly RunMatrix[]; readonly label: string }): ReactElement {
  const turns = runs.map(({ id, name, method, emphasis, matrix }) => ({
    id,
    name,
    method,
    emphasis,
    mean: left.value(matrix),
    largest: Math.max(...matrix.leftAngles),
  }));
  const spoken = turns
    .map(({ name, mean, largest }) => `${name} mean ${formatAngle(mean)}, largest ${formatAngleTick(largest)}`)
    .join('; ');
  return (
    <Plate
      title="Turn of the subspace"
      unit="left, to scale"
      span={3}
      height={196}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => ({
        columns: [{ title: 'Run' }, { title: 'Mean', format: formatAngle }, { title: 'Largest', format: formatAngle }],
        rows: turns.map(({ name, mean, largest }) => [name, mean, largest]),
      })}
      foot={`Rays: mean ${turns.map(({ mean }) => formatAngle(mean)).join(' and ')}. Arcs end at the largest. ${left.meansNot}`}
    >
      <Protractor turns={turns} label={`Left principal angles of ${label}: ${spoken}`} />
    </Plate>
  );
}

/** Figures of one matrix under the run and its reference. */
export function MatrixDetail({ runs, onMove, narrow }: MatrixDetailProps): ReactElement | null {
  const [sigmaView, setSigmaView] = useState<'change' | 'values'>('change');
  // The run in focus is drawn last, on top.
  const drawn = useMemo(() => [...runs].reverse(), [runs]);
  const angles = useMemo(
    () => ({ left: drawn.map((run) => angleCurve(run, 'leftAngles')), right: drawn.map((run) => angleCurve(run, 'rightAngles')) }),
    [drawn],
  );
  const angleScale = useMemo(() => angleAxis([...angles.left, ...angles.right]), [angles]);
  const sigma = useMemo(() => drawn.map(sigmaView === 'change' ? sigmaChangeCurve : sigmaCurve), [drawn, sigmaView]);
  const sigmaScale = useMemo(() => (sigmaView === 'change' ? changeAxis(sigma) : sigmaAxis(sigma)), [sigma, sigmaView]);
  const matrix = runs[0]?.matrix;
  if (!matrix) return null;
  const label = matrixLabel(matrix);
  const ranks = [...new Set(runs.map((run) => run.matrix.k))].map(formatCount).join(' and ');
  return (
    <section className="spectrum-detail" aria-label={`Matrix ${label}`}>
      <div className="spectrum-detail-head">
        <h3>{label}</h3>
        <span>
          {matrix.shape.map(formatCount).join(' × ')}, <i className="mv">k</i> = {ranks}
        </span>
        <span className="spectrum-pager">
          <button type="button" className="ib" aria-label="Previous matrix" onClick={() => onMove(-1)}>
            <Icon name="left" />
          </button>
          <button type="button" className="ib" aria-label="Next matrix" onClick={() => onMove(1)}>
            <Icon name="right" />
          </button>
        </span>
      </div>
      <div className="figure-grid">
        <TurnPlate runs={runs} label={label} />
        <IndexPlate
          title="Left angles"
          unit="sorted, degrees"
          series={angles.left}
          y={angleScale}
          value={formatAngleTick}
          endLabels={narrow ? 'none' : 'values'}
          foot={`${left.means} The last few vectors border on the rest of the spectrum and turn most.`}
        />
        <IndexPlate
          title="Right angles"
          unit="sorted, degrees"
          series={angles.right}
          y={angleScale}
          value={formatAngleTick}
          endLabels={narrow ? 'none' : 'values'}
          foot={metricOf('rightAngle').means}
        />
        <IndexPlate
          title="Singular values"
          unit={sigmaView === 'change' ? 'Δσ / σ' : '○ before'}
          series={sigma}
          y={sigmaScale}
          value={sigmaView === 'change' ? signedPercent : formatParameter}
          endLabels={narrow ? 'none' : 'names'}
          controls={
            <Segments
              legend="Singular values as"
              value={sigmaView}
              onChange={setSigmaView}
              options={[
                { value: 'change', label: 'Change' },
                { value: 'values', label: 'σ' },
              ]}
            />
          }
          foot={metricOf('singularValues').meansNot}
        />
        <AlignmentPlate runs={runs} label={label} />
        <EnergyPlate runs={runs} />
        <NumbersPlate runs={runs} />
      </div>
    </section>
  );
}
