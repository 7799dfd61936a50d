/** @file What the runs have measured on themselves, layer by layer and step by step. */
import { useMemo, useState, type ReactElement } from 'react';
import { MapPlate } from './MapPlate.tsx';
import { formatCount, formatProbability } from '../format.ts';
import { OutputCurvesPlate, StateCurvesPlate } from '../train/FollowedPlates.tsx';
import type { DrawnRun } from '../train/curves.ts';
import { figuresOf } from '../train/figureSet.ts';
import { followedText, layerOfCell, placeName, stateMap, stateMapEnd, stateMapEnds, stateMeasures, type StateMeasure } from './followed.ts';

interface FollowedSectionProps {
  /** Runs that followed anything, the current one last. */
  readonly drawn: readonly DrawnRun[];
  readonly narrow: boolean;
}

/** Maps of the current run and of the next one, on one scale; a cell chooses the layer of the curve. */
export function FollowedSection({ drawn, narrow }: FollowedSectionProps): ReactElement {
  const [measure, setMeasure] = useState<StateMeasure>('cka');
  const [cell, setCell] = useState<string>();
  const figures = useMemo(() => figuresOf(drawn, narrow), [drawn, narrow]);
  const mapped = useMemo(() => drawn.filter(({ run }) => run.followed.some(({ states }) => states !== undefined)).slice(-2).reverse(), [drawn]);
  const end = useMemo(() => stateMapEnd(mapped.map(({ run }) => run), measure), [mapped, measure]);
  const [from, to] = stateMapEnds(measure, end);
  const { label } = stateMeasures.find(({ value }) => value === measure)!;
  const layer = cell === undefined ? undefined : layerOfCell(cell);
  const leftOut = Math.max(0, ...mapped.map(({ run }) => stateMap(run, measure, end).leftOut));
  return (
    <section className="probes followed" aria-labelledby="followed-title">
      <h3 id="followed-title">During the run</h3>
      <p className="probes-say">
        {drawn.toReversed().map(({ run, name }) => `${name}: ${followedText(run)}`).join(' ')} Following a run only reads it: the steps are the same bits without.
      </p>
      <div className="figure-grid">
        {mapped.map(({ run, name }) => {
          const { places, rows } = stateMap(run, measure, end);
          return (
            <MapPlate
              key={run.id}
              title={name}
              method={run.config.method}
              metric="Representation drift"
              unit={`${label}, steps down`}
              ramp="seq"
              from={from}
              to={to}
              layers={places}
              corner="step, layer"
              rows={rows}
              values={() => ({
                columns: [{ title: 'Step and place' }, ...stateMeasures.map(({ label: title }) => ({ title, format: formatProbability }))],
                rows: run.followed.flatMap(({ step, states = [] }) => states.map((state) => [`${formatCount(step)}, ${placeName(state)}`, ...stateMeasures.map(({ value }) => state[value])])),
              })}
              span={mapped.length > 1 ? 6 : 12}
              selected={cell}
              onSelect={setCell}
            />
          );
        })}
        {mapped.length > 0 ? <StateCurvesPlate figures={figures} layer={layer} measure={measure} onMeasure={setMeasure} /> : null}
        {drawn.some(({ run }) => run.followed.some(({ outputs }) => outputs !== undefined)) ? <OutputCurvesPlate figures={figures} /> : null}
      </div>
      {mapped.length > 0 ? (
        <p className="spectrum-say">
          More ink, further from the base model; "head" is what the head reads. A cell chooses the layer of the curve.{leftOut > 0 ? ` ${formatCount(leftOut)} more steps are in the table.` : ''}
        </p>
      ) : null}
    </section>
  );
}
