/** @file What is written and ruled into a line figure: reference, live step, missing values, names at the ends of the lines. */
import type { ReactElement } from 'react';
import type { Break } from './points.ts';
import { fitLabels } from './labels.ts';
import { lastPoint, pixelX, pixelY, plotBox, type LinePlotProps, type Margins, type PlotBox } from './plotModel.ts';
import { markerPath, seriesColour } from './series.ts';

const labelGap = 13;

interface Placed {
  readonly plot: LinePlotProps;
  readonly box: PlotBox;
}

function Reference({ plot: { reference, y }, box }: Placed): ReactElement | null {
  if (!reference) return null;
  const at = pixelY(box, y, reference.value);
  // The label stands on the side of the line that has more room.
  const below = at - box.top < 14 || (at - box.top > box.height / 2 && box.top + box.height - at > 16);
  return (
    <g>
      <line className="figure-reference" x1={box.left} x2={box.left + box.width} y1={at} y2={at} />
      <text className="figure-halo" x={box.left + 2} y={below ? at + 12 : at - 5}>
        {reference.label}
      </text>
    </g>
  );
}

function VerticalLines({ plot: { now, mark, x }, box }: Placed): ReactElement {
  const bottom = box.top + box.height;
  return (
    <g>
      {mark && (
        <>
          <line className="figure-mark" x1={pixelX(box, x, mark.value)} x2={pixelX(box, x, mark.value)} y1={box.top} y2={bottom} />
          <text className="figure-halo" x={pixelX(box, x, mark.value) + 4} y={box.top + 9}>
            {mark.label}
          </text>
        </>
      )}
      {now && (
        <>
          <line className="figure-now" x1={pixelX(box, x, now.value)} x2={pixelX(box, x, now.value)} y1={box.top} y2={bottom} />
          {now.label !== '' && (
            <text className="figure-now-label" x={pixelX(box, x, now.value)} y={box.top - 3} textAnchor="middle">
              {now.label}
            </text>
          )}
        </>
      )}
    </g>
  );
}

/** About the width of a letter of 11 px. */
const letterWidth = 5.4;

/** A gap is never silent: red dotted ticks around it, and the reason of the first one where it fits. */
function Breaks({ plot: { series, x }, box }: Placed): ReactElement {
  const breaks = series.flatMap((one) => (one.breaks ?? []).map((gap) => ({ ...gap, key: `${one.id}-${gap.from}` })));
  const first = breaks[0];
  return (
    <g>
      {breaks.flatMap((gap) =>
        [...new Set([gap.from, gap.to])].map((step) => (
          <line
            key={`${gap.key}-${step}`}
            className="figure-break"
            x1={pixelX(box, x, step)}
            x2={pixelX(box, x, step)}
            y1={box.top}
            y2={box.top + box.height}
          />
        )),
      )}
      {first && (
        <BreakReason first={first} left={pixelX(box, x, first.from)} right={pixelX(box, x, first.to)} more={breaks.length - 1} box={box} />
      )}
    </g>
  );
}

function BreakReason({
  first,
  left,
  right,
  more,
  box,
}: {
  readonly first: Break;
  readonly left: number;
  readonly right: number;
  readonly more: number;
  readonly box: PlotBox;
}): ReactElement {
  const roomRight = box.left + box.width - right;
  const onLeft = left - box.left > roomRight;
  const room = Math.max(left - box.left, roomRight) - 4;
  const long = more > 0 ? `${first.reason}, and ${more} more` : first.reason;
  const text = long.length * letterWidth < room ? long : first.short;
  return (
    <text className="figure-halo" x={onLeft ? left - 4 : right + 4} y={box.top + 9} textAnchor={onLeft ? 'end' : 'start'}>
      {text}
    </text>
  );
}

function EndLabels({ plot: { series, x, y, value, endLabels }, box }: Placed): ReactElement | null {
  const ends = series
    .filter((one) => one.emphasis !== 'faint')
    .flatMap((one) => {
      const point = lastPoint(one.line);
      return point && point.y !== null ? [{ one, end: point.y, left: pixelX(box, x, point.x), top: pixelY(box, y, point.y) }] : [];
    });
  if (endLabels === 'none') return null;
  const { placed, more } = fitLabels(
    ends.map((end) => end.top),
    labelGap,
    box.top,
    box.top + box.height,
    (index) => ends[index]?.one.emphasis === 'current',
  );
  return (
    <g>
      {placed.map(({ index, at }) => {
        const { one, end, left, top } = ends[index]!;
        const moved = Math.abs(at - top) > 3;
        return (
          <g key={one.id}>
            {moved && <path className="figure-leader" d={`M${left + 4} ${top}L${left + 7} ${at}`} />}
            {!one.markers && !one.rings && (
              <path
                d={markerPath(one.method)}
                transform={`translate(${left} ${top})`}
                fill={seriesColour(one.method)}
                stroke="var(--paper)"
              />
            )}
            <text className="figure-label" x={left + 9} y={at} dy=".34em">
              {one.name} {endLabels === 'values' && <tspan className="figure-label-value">{value(end)}</tspan>}
            </text>
          </g>
        );
      })}
      {more > 0 && <MoreLabels more={more} box={box} />}
    </g>
  );
}

/** In the lowest place, which `fitLabels` leaves free. */
export function MoreLabels({ more, box }: { readonly more: number; readonly box: PlotBox }): ReactElement {
  return (
    <text className="figure-label figure-label-more" x={box.left + box.width + 9} y={box.top + box.height} dy=".34em">
      and {more} more
    </text>
  );
}

/** Everything above the lines of a plot, in the same pixels. */
export function PlotNotes({
  width,
  height,
  margins,
  ...plot
}: LinePlotProps & { readonly width: number; readonly height: number; readonly margins: Margins }): ReactElement {
  const box = plotBox(width, height, margins);
  return (
    <g className="figure-notes">
      <VerticalLines plot={plot} box={box} />
      <Reference plot={plot} box={box} />
      <Breaks plot={plot} box={box} />
      <EndLabels plot={plot} box={box} />
      {plot.note !== undefined && (
        <text className="figure-note" x={box.left + box.width / 2} y={box.top + box.height * 0.42} textAnchor="middle">
          {plot.note}
        </text>
      )}
    </g>
  );
}
