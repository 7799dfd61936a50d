/** @file The Spectrum view from plain data: the finding, the maps, and the matrix that is selected in them. */
import { memo, useCallback, useMemo, useState, type ReactElement } from 'react';
import { Phrases } from '../charts/Phrases.tsx';
import { decompositionLine } from '../decomposition.ts';
import { Segments } from '../parts/Segments.tsx';
import { FisherMaps } from './FisherMaps.tsx';
import { spectrumFinding } from './findings.ts';
import { Maps } from './Maps.tsx';
import { driftAt } from './mapCells.ts';
import { MatrixDetail } from './MatrixDetail.tsx';
import { metricOf, metrics, type MetricId } from './metrics.ts';
import { fisherFinding, probeInfos } from './probes/findings.ts';
import { MeasureMore } from './probes/MeasureMore.tsx';
import { comparable } from './probes/reports.ts';
import type { RunMatrix, SpectrumRun } from './spectrumRun.ts';
import { StepSlider } from './StepSlider.tsx';
import { fisherName } from './probes/tables.ts';
import { useReports } from './probes/useReports.ts';
import './spectrum.css';

export interface SpectrumViewProps {
  readonly run: SpectrumRun;
  /** Runs that it can be compared with. */
  readonly others: readonly SpectrumRun[];
  readonly narrow: boolean;
}

/** Fisher shares are measured on demand and belong to no step. */
type Shown = MetricId | 'fisher';

const options: readonly { readonly value: Shown; readonly label: string }[] = metrics.map(({ id, label }) => ({ value: id, label }));
const withFisher = [...options, { value: 'fisher', label: 'Fisher share' } as const];

/** The matrix that opens with the view: the one that has changed most. */
function mostChanged({ drifts }: SpectrumRun): string | undefined {
  const matrices = drifts.at(-1)?.matrices ?? [];
  const first = matrices[0];
  return first && matrices.reduce((most, matrix) => (matrix.relativeChange > most.relativeChange ? matrix : most), first).name;
}

const sameRun = (a: SpectrumRun, b: SpectrumRun): boolean => a.id === b.id && a.name === b.name && a.drifts === b.drifts && a.decomposition === b.decomposition;

/** Steps stream in four times a second; the maps change only with the drift. */
const sameProps = (a: SpectrumViewProps, b: SpectrumViewProps): boolean =>
  a.narrow === b.narrow &&
  sameRun(a.run, b.run) &&
  a.others.length === b.others.length &&
  a.others.every((other, index) => sameRun(other, b.others[index]!));

/** Follows the newest step until the slider is moved. */
export const SpectrumView = memo(function SpectrumView({ run, others, narrow }: SpectrumViewProps): ReactElement {
  const [metricId, setMetric] = useState<Shown>('vectorAlignment');
  const [chosenStep, setChosenStep] = useState<number>();
  const [chosenMatrix, setMatrix] = useState<string>();
  const [referenceId, setReference] = useState<string>();
  const reference = referenceId === '' ? undefined : (others.find(({ id }) => id === referenceId) ?? others[0]);
  const runs = useMemo(() => [run, ...(reference ? [reference] : [])], [run, reference]);
  const reports = useReports();
  const fisher = useMemo(() => comparable('fisher', reports, runs.map(({ id }) => id)), [reports, runs]);
  const metric = metricId === 'fisher' ? undefined : metricOf(metricId);
  const steps = useMemo(() => run.drifts.map(({ step }) => step), [run]);
  const found = chosenStep === undefined ? -1 : steps.indexOf(chosenStep);
  const index = found < 0 ? steps.length - 1 : found;
  const step = steps[index] ?? 0;
  const moveTo = useCallback((to: number) => setChosenStep(to === steps.length - 1 ? undefined : steps[to]), [steps]);

  const drift = driftAt(run.drifts, step);
  const selected = chosenMatrix ?? mostChanged(run);
  const referenceDrift = reference && driftAt(reference.drifts, step);
  const detail = useMemo(
    () =>
      runs.flatMap((one, place): RunMatrix[] => {
        const matrix = driftAt(one.drifts, step)?.matrices.find(({ name }) => name === selected);
        return matrix ? [{ id: one.id, name: one.name, method: one.method, emphasis: place === 0 ? 'current' : 'overlay', matrix }] : [];
      }),
    [runs, step, selected],
  );
  if (!drift) return <p className="spectrum-say">Nothing recorded yet.</p>;
  const [measured] = fisher;
  const finding = metric
    ? spectrumFinding(
        metric,
        { name: run.name, drift, adapted: run.adapted },
        reference && referenceDrift ? { name: reference.name, drift: referenceDrift } : undefined,
      )
    : { line: measured ? fisherFinding(fisherName(measured, runs), measured) : ['No Fisher share is measured for these runs.'], detail: 'Whatever the step: it was measured on the weights as they were then.' };
  const move = (by: -1 | 1): void => {
    const names = drift.matrices.map(({ name }) => name);
    const at = names.indexOf(selected ?? '');
    setMatrix(names[(at + by + names.length) % names.length]);
  };
  return (
    <>
      <header className="spectrum-lead">
        <h2 className="spectrum-line">
          <Phrases phrases={finding.line} />
        </h2>
        <p className="spectrum-detail-line">{finding.detail}</p>
        {run.decomposition === undefined ? null : <p className="spectrum-detail-line">{decompositionLine(run.decomposition)}</p>}
      </header>
      <div className="spectrum-tools">
        <Segments legend="Metric" options={fisher.length > 0 || metricId === 'fisher' ? withFisher : options} value={metricId} onChange={setMetric} />
        <StepSlider steps={steps} index={index} onChange={moveTo} />
        {others.length > 0 && (
          <label className="spectrum-reference">
            Reference
            <select value={reference?.id ?? ''} onChange={(event) => setReference(event.target.value)}>
              {others.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
              <option value="">none</option>
            </select>
          </label>
        )}
      </div>
      {metric ? (
        <>
          <Maps metric={metric} run={run} reference={reference} step={step} selected={selected} onSelect={setMatrix} />
          <p className="spectrum-say">
            {metric.means} {metric.meansNot} More ink means more change
            {reference ? '; in the difference, teal changed less than the reference and brass more' : ''}.
          </p>
        </>
      ) : (
        <>
          <FisherMaps reports={fisher} runs={runs} selected={selected} onSelect={setMatrix} />
          <p className="spectrum-say">
            {probeInfos.fisher.means} {probeInfos.fisher.meansNot} More ink means more than chance.
          </p>
        </>
      )}
      {detail.length > 0 && <MatrixDetail runs={detail} onMove={move} narrow={narrow} />}
      <MeasureMore runs={runs} narrow={narrow} />
    </>
  );
}, sameProps);
