/** @file How far hidden states have moved, layer by layer. */
import { useMemo, useState, type ReactElement } from 'react';
import { LineChart } from '../../charts/LineChart.tsx';
import { latestValues, type LineSeries, type Margins } from '../../charts/plotModel.ts';
import type { Axis } from '../../charts/scales.ts';
import { formatProbability } from '../../format.ts';
import { Segments } from '../../parts/Segments.tsx';
import { stateAxis, stateMeasures, type StateMeasure } from '../followed.ts';
import { statesFinding } from './findings.ts';
import { comparable } from './reports.ts';
import { ProbePlate } from './ProbePlate.tsx';
import { shownRun, type ShownRun } from './shown.ts';
import { statesTable } from './tables.ts';
import { useReports } from './useReports.ts';

const height = 196;
const margins: Margins = { top: 10, right: 84, bottom: 20, left: 36 };
const narrowMargins: Margins = { ...margins, right: 12 };

/** Layers from 0, and after them the states that the head reads. */
function placeAxis(layers: number): Axis {
  const every = Math.max(1, Math.ceil(layers / 4));
  const inner = Array.from({ length: Math.ceil(layers / every) }, (_, index) => index * every).filter((layer) => layers - layer >= every / 2);
  return { kind: 'linear', domain: [0, Math.max(1, layers)], ticks: [...inner, layers], format: (place) => (place === layers ? 'head' : String(place)) };
}

/** One line for each run. */
export function StatesPlate({ runs, narrow }: { readonly runs: readonly ShownRun[]; readonly narrow: boolean }): ReactElement {
  const [measure, setMeasure] = useState<StateMeasure>('cka');
  const all = useReports();
  const reports = useMemo(() => comparable('representation', all, runs.map(({ id }) => id)), [all, runs]);
  const series = useMemo(
    () =>
      reports
        .map(({ request, states }, index): LineSeries => ({
          ...shownRun(runs, request.run),
          emphasis: index === 0 ? 'current' : 'overlay',
          markers: true,
          line: states.map((state) => ({ x: state.layer ?? states.length - 1, y: state[measure] })),
        }))
        .reverse(),
    [reports, runs, measure],
  );
  const layers = Math.max(1, ...reports.map(({ states }) => states.length - 1));
  const x = useMemo(() => placeAxis(layers), [layers]);
  const y = useMemo(() => stateAxis(measure, series), [measure, series]);
  const label = stateMeasures.find(({ value }) => value === measure)!.label;
  return (
    <ProbePlate
      kind="representation"
      targets={runs.map(({ id, name }) => ({ run: id, of: 'run', name }))}
      reports={reports}
      findings={reports.map((report) => statesFinding(shownRun(runs, report.request.run).name, report))}
      controls={<Segments legend="Drift of states as" value={measure} onChange={setMeasure} options={stateMeasures} />}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => statesTable(reports, runs)}
      height={height}
    >
      <LineChart
        label={`${label} of hidden states by layer; before the head: ${latestValues(series, formatProbability)}`}
        height={height}
        margins={narrow ? narrowMargins : margins}
        x={x}
        y={y}
        series={series}
        value={formatProbability}
        endLabels={narrow ? 'none' : 'values'}
        title={(place) => (place === layers ? 'before the head' : `after layer ${place}`)}
      />
    </ProbePlate>
  );
}
