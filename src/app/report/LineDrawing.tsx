/** @file A line figure without state, for the report: axes, bands, lines and names at their ends. The page draws the same series with recharts. */
import type { ReactElement } from 'react';
import { fitLabels } from '../charts/labels.ts';
import { MoreLabels } from '../charts/PlotNotes.tsx';
import { lastPoint, pixelX, pixelY, plotBox, type LineSeries, type Margins, type PlotBox } from '../charts/plotModel.ts';
import { reduce, type Point } from '../charts/points.ts';
import type { Axis } from '../charts/scales.ts';
import { markerPath, seriesColour, seriesDash } from '../charts/series.ts';

export interface LineFigure {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly LineSeries[];
}

const mostPoints = 400;

/** Runs of points that have a value. */
function pieces(points: readonly Point[]): readonly (readonly (Point & { readonly y: number })[])[] {
  const found: (Point & { readonly y: number })[][] = [[]];
  for (const { y, ...point } of points) {
    if (y === null) found.push([]);
    else found.at(-1)!.push({ ...point, y });
  }
  return found.filter(({ length }) => length > 0);
}

function Series({ one, x, y, box }: { readonly one: LineSeries; readonly x: Axis; readonly y: Axis; readonly box: PlotBox }): ReactElement {
  const colour = seriesColour(one.method);
  const place = (at: number, value: number): string => `${pixelX(box, x, at).toFixed(1)} ${pixelY(box, y, value).toFixed(1)}`;
  const points = reduce(one.line, mostPoints);
  return (
    <g opacity={one.emphasis === 'faint' ? 0.42 : 1}>
      {pieces(points).map((piece) => {
        const banded = piece.filter(({ low, high }) => low !== undefined && high !== undefined);
        const band = [...banded.map(({ x: at, high }) => place(at, high!)), ...banded.toReversed().map(({ x: at, low }) => place(at, low!))];
        return (
          <g key={piece[0]!.x}>
            {banded.length < 2 ? null : <path d={`M${band.join('L')}Z`} fill={colour} fillOpacity="0.13" />}
            <path d={`M${piece.map(({ x: at, y: value }) => place(at, value)).join('L')}`} fill="none" stroke={colour} strokeWidth={one.emphasis === 'current' ? 2 : 1.5} strokeDasharray={seriesDash(one.method)} strokeLinejoin="round" />
          </g>
        );
      })}
      {one.markers === true ? points.map(({ x: at, y: value }) => (value === null ? null : <path key={at} d={markerPath(one.method)} transform={`translate(${place(at, value)})`} fill={colour} stroke="var(--paper)" />)) : null}
    </g>
  );
}

function Names({ series, x, y, box }: LineFigure & { readonly box: PlotBox }): ReactElement {
  const ends = series.flatMap((one) => {
    const end = one.emphasis === 'faint' ? undefined : lastPoint(one.line);
    return end === undefined || end.y === null ? [] : [{ one, left: pixelX(box, x, end.x), top: pixelY(box, y, end.y) }];
  });
  const { placed, more } = fitLabels(ends.map(({ top }) => top), 13, box.top, box.top + box.height, (index) => ends[index]?.one.emphasis === 'current');
  return (
    <g>
      {placed.map(({ index, at }) => {
        const { one, left, top } = ends[index]!;
        return (
          <g key={one.id}>
            {Math.abs(at - top) > 3 ? <path className="figure-leader" d={`M${left + 4} ${top}L${left + 7} ${at}`} /> : null}
            <text className="figure-label" x={left + 9} y={at} dy=".34em">
              {one.name}
            </text>
          </g>
        );
      })}
      {more > 0 && <MoreLabels more={more} box={box} />}
    </g>
  );
}

/** The figure in a box of `width` by `height` pixels. */
export function LineDrawing({ x, y, series, width, height, margins }: LineFigure & { readonly width: number; readonly height: number; readonly margins: Margins }): ReactElement {
  const box = plotBox(width, height, margins);
  const bottom = box.top + box.height;
  return (
    <>
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
      {series.map((one) => (
        <Series key={one.id} one={one} x={x} y={y} box={box} />
      ))}
      <Names x={x} y={y} series={series} box={box} />
    </>
  );
}
