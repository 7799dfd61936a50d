/** @file The maps of a run, of its reference, and of their difference; with one run a single wide one. */
import { useMemo, type ReactElement } from 'react';
import type { Drift } from '../../worker/protocol.ts';
import type { TableData } from '../charts/table.ts';
import { MapPlate } from './MapPlate.tsx';
import { differenceEnd, differenceRows, driftAt, layersOf, mapScale, matrixLabel, pairs, runRows } from './mapCells.ts';
import type { Metric } from './metrics.ts';
import type { SpectrumRun } from './spectrumRun.ts';

interface MapsProps {
  readonly metric: Metric;
  readonly run: SpectrumRun;
  readonly reference: SpectrumRun | undefined;
  readonly step: number;
  readonly selected: string | undefined;
  readonly onSelect: (key: string) => void;
}

const runTable = (metric: Metric, drift: Drift): TableData => ({
  columns: [{ title: 'Matrix' }, { title: metric.label, format: metric.text }],
  rows: drift.matrices.map((matrix) => [matrixLabel(matrix), metric.value(matrix)]),
});

const differenceTable = (metric: Metric, drift: Drift, reference: Drift, names: readonly [string, string]): TableData => ({
  columns: [{ title: 'Matrix' }, { title: names[0], format: metric.text }, { title: names[1], format: metric.text }],
  rows: pairs(drift, reference).map(([matrix, other]) => [matrixLabel(matrix), metric.value(matrix), metric.value(other)]),
});

/** All maps share one selection; the scale of run and reference is the same and does not move with the step. */
export function Maps({ metric, run, reference, step, selected, onSelect }: MapsProps): ReactElement | null {
  const scale = useMemo(() => mapScale(metric, [...run.drifts, ...(reference?.drifts ?? [])]), [metric, run, reference]);
  const end = useMemo(() => (reference ? differenceEnd(metric, run.drifts, reference.drifts) : 1), [metric, run, reference]);
  const shown = [run, ...(reference ? [reference] : [])].flatMap((one) => {
    const drift = driftAt(one.drifts, step);
    return drift ? [{ ...one, drift }] : [];
  });
  const [own, other] = shown;
  if (!own) return null;
  const shared = { metric: metric.label, layers: layersOf(own.drift), selected, onSelect };
  return (
    <div className="figure-grid spectrum-maps">
      {shown.map(({ id, name, method, drift }) => (
        <MapPlate
          key={id}
          {...shared}
          title={name}
          method={method}
          unit={metric.unit}
          ramp="seq"
          from={String(scale.none)}
          to={String(scale.most)}
          rows={runRows(metric, drift, scale)}
          values={() => runTable(metric, drift)}
          span={other ? 4 : 12}
        />
      ))}
      {other && (
        <MapPlate
          {...shared}
          title={`${own.name} − ${other.name}`}
          unit="change"
          ramp="div"
          from="less"
          to="more"
          rows={differenceRows(metric, own.drift, other.drift, end)}
          values={() => differenceTable(metric, own.drift, other.drift, [own.name, other.name])}
          span={4}
        />
      )}
    </div>
  );
}
