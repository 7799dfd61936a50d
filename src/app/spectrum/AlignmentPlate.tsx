/** @file The alignment of one matrix: how much of each singular vector before is in each after. Read from the weights on demand. */
import { useEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import type { MatrixDriftDetail } from '../../worker/protocol.ts';
import { Plate } from '../charts/Plate.tsx';
import { seriesColour } from '../charts/series.ts';
import { Swatch } from '../charts/Swatch.tsx';
import type { TableData } from '../charts/table.ts';
import { formatCount, formatProbability } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Segments } from '../parts/Segments.tsx';
import { useLab } from '../store.ts';
import { alignmentPaths, bestMatches } from './alignment.ts';
import { obstacle } from './probes/probes.ts';
import { readDetails } from './probes/session.ts';
import type { RunMatrix } from './spectrumRun.ts';

type Side = 'left' | 'right';

const sideOf = (matrix: MatrixDriftDetail, side: Side): Float32Array => (side === 'left' ? matrix.leftAlignment : matrix.rightAlignment);

function AlignmentMap({ run, step, matrix, side }: { readonly run: RunMatrix; readonly step: number; readonly matrix: MatrixDriftDetail; readonly side: Side }): ReactElement {
  const { size, paths } = useMemo(() => alignmentPaths(sideOf(matrix, side), matrix.k), [matrix, side]);
  const matches = useMemo(() => bestMatches(sideOf(matrix, side), matrix.k), [matrix, side]);
  const mean = matches.reduce((sum, { own }) => sum + own, 0) / matches.length;
  return (
    <div className="alignment-map">
      <Swatch method={run.method} /> {run.name}, step {formatCount(step)}, {formatProbability(mean)} on the diagonal
      <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={`Alignment of the ${side} singular vectors under ${run.name}: ${formatProbability(mean)} on the diagonal in the mean`}>
        {paths.map(({ opacity, d }) => (
          <path key={opacity} d={d} fill={seriesColour(run.method)} fillOpacity={opacity} />
        ))}
      </svg>
    </div>
  );
}

const tableOf = (shown: readonly { readonly run: RunMatrix; readonly matrix: MatrixDriftDetail }[], side: Side): TableData => ({
  columns: [{ title: 'Vector' }, ...['With itself', 'Most like', 'With that'].map((title, column) => (column === 1 ? { title } : { title, format: formatProbability }))],
  rows: shown.flatMap(({ run, matrix }) => bestMatches(sideOf(matrix, side), matrix.k).map(({ own, index, best }, i) => [`${run.name}: ${i + 1}`, own, index + 1, best])),
});

/** Once it was asked for, it follows the matrix that is selected. */
export function AlignmentPlate({ runs, label }: { readonly runs: readonly RunMatrix[]; readonly label: string }): ReactElement {
  const [side, setSide] = useState<Side>('left');
  const { details, followsSelection, readingDetail, detailProblem } = useLab((state) => state.probes);
  const labRuns = useLab((state) => state.runs);
  const name = runs[0]!.matrix.name;
  const able = runs.flatMap((run) => {
    const lab = labRuns.find(({ id }) => id === run.id);
    return lab && obstacle(lab) === undefined ? [{ run, live: lab.state === 'running' || lab.state === 'paused' }] : [];
  });
  const shown = able.flatMap(({ run }) => {
    const found = details.find((one) => one.run === run.id && one.detail.matrix.name === name);
    return found ? [{ run, ...found.detail }] : [];
  });
  const missing = able.filter(({ run }) => !shown.some((one) => one.run === run)).map(({ run }) => run.id);
  const missingKey = missing.join(' ');
  useEffect(() => {
    if (followsSelection && missingKey !== '' && !readingDetail && detailProblem === undefined) void readDetails(missingKey.split(' '), name);
  }, [followsSelection, missingKey, name, readingDetail, detailProblem]);
  const maps = useRef<HTMLDivElement>(null);
  const wasReading = useRef(readingDetail);
  // The button that was pressed has gone with the answer, and its focus goes to that.
  useEffect(() => {
    if (wasReading.current && !readingDetail && document.activeElement === document.body) maps.current?.focus({ preventScroll: true });
    wasReading.current = readingDetail;
  }, [readingDetail]);
  const [first] = able;
  const again = able.filter(({ live }) => live).map(({ run }) => run.id);
  const reason = labRuns.find(({ id }) => id === runs[0]!.id);
  return (
    <Plate
      title="Alignment"
      unit={side === 'left' ? '|⟨uᵢ, u′ⱼ⟩|, left' : '|⟨vᵢ, v′ⱼ⟩|, right'}
      span={6}
      height={240}
      controls={<Segments legend="Singular vectors" value={side} onChange={setSide} options={[{ value: 'left', label: 'Left' }, { value: 'right', label: 'Right' }]} />}
      legend={runs.map(({ name: title, method }) => ({ name: title, method }))}
      {...(shown.length > 0 ? { table: () => tableOf(shown, side) } : {})}
      foot="Down: vectors before, across: vectors now, strongest first; more ink, more alike. Blots off the diagonal are vectors that swapped or mixed inside the block, mostly where singular values nearly coincide. What left the block is not in it."
    >
      {shown.length > 0 ? (
        <div className="alignment" ref={maps} tabIndex={-1}>
          {shown.map(({ run, step, matrix }) => (
            <AlignmentMap key={run.id} run={run} step={step} matrix={matrix} side={side} />
          ))}
        </div>
      ) : null}
      {first === undefined ? <p className="help">{reason && obstacle(reason)}</p> : null}
      <div className="alignment-start">
        {detailProblem === undefined ? null : (
          <p className="note bad" role="alert">
            <Icon name="alert" />
            {detailProblem}
          </p>
        )}
        {first !== undefined && (shown.length === 0 || again.length > 0) ? (
          <button
            type="button"
            className="btn"
            disabled={readingDetail}
            onClick={() => void readDetails(shown.length === 0 ? missing : again, name)}
          >
            <Icon name="play" />
            {readingDetail ? 'Measuring' : shown.length === 0 ? `Measure ${label}` : 'Measure again'}
          </button>
        ) : null}
        {first !== undefined && shown.length === 0 ? <span className="help">Takes one decomposition of this matrix for each run, and of all where the bases are not there yet. Then it follows the selection.</span> : null}
      </div>
    </Plate>
  );
}
