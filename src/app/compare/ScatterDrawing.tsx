/** @file The drawing of gain against forgetting: axes, Pareto front, a path a group, intervals and names. Without state, for the page and the report. */
import type { ReactElement } from 'react';
import { pixelX, pixelY, plotBox, type Margins, type PlotBox } from '../charts/plotModel.ts';
import { markerPath, seriesColour, seriesDash } from '../charts/series.ts';
import { above, frontSteps, pointLabels, type ScatterModel, type ScatterPath } from './scatterModel.ts';
import type { Place } from './statistics.ts';

interface Placed {
  readonly model: ScatterModel;
  readonly box: PlotBox;
}

const at = ({ model: { x, y }, box }: Placed, { gain, change }: Place): string => `${pixelX(box, x, gain).toFixed(1)} ${pixelY(box, y, change).toFixed(1)}`;

const polyline = (placed: Placed, points: readonly Place[]): string => `M${points.map((point) => at(placed, point)).join('L')}`;

function Axes({ model: { x, y }, box }: Placed): ReactElement {
  const bottom = box.top + box.height;
  return (
    <g>
      {y.ticks.map((value) => (
        <g key={value}>
          <line x1={box.left} x2={box.left + box.width} y1={pixelY(box, y, value)} y2={pixelY(box, y, value)} stroke="var(--grid)" />
          <text x={box.left - 6} y={pixelY(box, y, value)} dy=".34em" textAnchor="end">
            {y.format(value)}
          </text>
        </g>
      ))}
      <line x1={box.left} x2={box.left + box.width} y1={bottom} y2={bottom} stroke="var(--ink-3)" />
      {x.ticks.map((value) => (
        <text key={value} x={pixelX(box, x, value)} y={bottom + 15} textAnchor="middle">
          {x.format(value)}
        </text>
      ))}
    </g>
  );
}

function Front(placed: Placed): ReactElement | null {
  const { model, box } = placed;
  const [floor] = model.y.domain;
  const steps = above(frontSteps(model.front, model.x.domain[0]), floor);
  if (steps.length === 0) return null;
  return (
    <g>
      {steps.map((piece) => (
        <path key={at(placed, piece[0]!)} d={polyline(placed, piece)} fill="none" stroke="var(--ink)" />
      ))}
      <text x={box.left + box.width} y={box.top - 4} textAnchor="end">
        line: Pareto front
      </text>
    </g>
  );
}

/** The 95% intervals where a path ends, as far as the frame shows them. */
function Whiskers({ path, ...placed }: Placed & { readonly path: ScatterPath }): ReactElement | null {
  const { model, box } = placed;
  const last = path.points.at(-1);
  if (last === undefined || last.change < model.y.domain[0]) return null;
  const inside = (gain: number): number => Math.max(box.left, Math.min(box.left + box.width, pixelX(box, model.x, gain)));
  const [middleX, middleY] = [pixelX(box, model.x, last.gain), pixelY(box, model.y, last.change)];
  return (
    <path
      d={`M${inside(path.gain.low)} ${middleY}H${inside(path.gain.high)}M${middleX} ${pixelY(box, model.y, path.change.low)}V${pixelY(box, model.y, path.change.high)}`}
      stroke={seriesColour(path.method)}
      strokeOpacity="0.55"
      fill="none"
    />
  );
}

function Path({ path, ...placed }: Placed & { readonly path: ScatterPath }): ReactElement {
  const { model, box } = placed;
  const [floor] = model.y.domain;
  const colour = seriesColour(path.method);
  const marker = markerPath(path.method);
  const shown = path.points.filter(({ change }) => change >= floor);
  return (
    <g opacity={path.faint ? 0.42 : 1} data-group={path.id}>
      {above(path.points, floor).map((piece) => (
        <path key={at(placed, piece[0]!)} d={polyline(placed, piece)} fill="none" stroke={colour} strokeWidth={path.selected ? 2 : 1.5} strokeDasharray={seriesDash(path.method)} strokeLinejoin="round" />
      ))}
      {path.seeds
        .filter(({ change }) => change >= floor)
        .map((place, index) => (
          <path key={`${index}-${place.gain}`} d={marker} transform={`translate(${at(placed, place)})`} fill={colour} fillOpacity="0.45" />
        ))}
      {path.faint ? null : <Whiskers path={path} model={model} box={box} />}
      {shown.map((point) =>
        path.goesOn && point === path.points[0] ? (
          <path key={point.step} d={marker} transform={`translate(${at(placed, point)})`} fill="var(--paper)" stroke={colour} strokeWidth="1.4" />
        ) : (
          <path key={point.step} d={marker} transform={`translate(${at(placed, point)})${point === path.points.at(-1) ? '' : ' scale(.72)'}`} fill={colour} stroke="var(--paper)" />
        ),
      )}
    </g>
  );
}

/** The base model, from which every path starts that does not go on from another run; the start of those is hollow. */
function Base(placed: Placed): ReactElement {
  const place = at(placed, { gain: 0, change: 0 });
  return (
    <g transform={`translate(${place})`}>
      <circle r="4" fill="var(--paper)" stroke="var(--ink)" strokeWidth="1.4" />
      <circle r="1.5" fill="var(--ink)" />
      <text x="8" y="-7">
        base
      </text>
    </g>
  );
}

/** Everything of the figure, in a box of `width` by `height` pixels; text stays at 11 px. */
export function ScatterDrawing({ model, width, height, margins }: { readonly model: ScatterModel; readonly width: number; readonly height: number; readonly margins: Margins }): ReactElement {
  const box = plotBox(width, height, margins);
  return (
    <>
      <Axes model={model} box={box} />
      <Front model={model} box={box} />
      {model.paths.map((path) => (
        <Path key={path.id} path={path} model={model} box={box} />
      ))}
      <Base model={model} box={box} />
      {pointLabels(model, box, margins.right).map(({ id, text, x, y, anchor, leader }) => (
        <g key={id}>
          {leader === undefined ? null : <line className="figure-leader" x1={leader.x} y1={leader.y} x2={x} y2={y} />}
          <text className="figure-label" x={x} y={y} dy=".34em" textAnchor={anchor}>
            {text}
          </text>
        </g>
      ))}
    </>
  );
}
