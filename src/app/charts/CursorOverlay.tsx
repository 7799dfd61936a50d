/**
 * @file The cursor line, the marked data and the tooltip over one figure. They follow the shared cursor through the DOM: React renders
 * this once for each change of the data, never for a movement.
 */
import { useEffect, useLayoutEffect, useRef, type ReactElement } from 'react';
import { cursor } from '../cursor.ts';
import { datumAt, pixelX, pixelY, plotBox, type LinePlotProps, type Margins } from './plotModel.ts';
import { along, reduce, type Point } from './points.ts';
import { markerPath, seriesColour } from './series.ts';
import { Swatch } from './Swatch.tsx';
import { placeTooltip } from './tooltipPlace.ts';

interface OverlayProps extends LinePlotProps {
  readonly figure: string;
  readonly width: number;
  readonly height: number;
  readonly margins: Margins;
  /** First line of the tooltip, such as "Step 360". */
  readonly title: (x: number) => string;
}

/** As many points of a line as are enough to see where it runs. */
const roughly = 120;

/** Moves what belongs to the cursor to where the cursor is. */
function follow(root: HTMLElement, props: OverlayProps): void {
  const { step, figure } = cursor.get();
  const { x, y, series } = props;
  const line = root.querySelector('line')!;
  const tooltip = root.querySelector<HTMLElement>('.figure-tooltip')!;
  const inside = step !== undefined && step >= x.domain[0] && step <= x.domain[1];
  line.style.display = inside ? '' : 'none';
  const box = plotBox(props.width, props.height, props.margins);
  const left = inside ? pixelX(box, x, step) : 0;
  if (inside) {
    line.setAttribute('x1', String(left));
    line.setAttribute('x2', String(left));
  }
  const markers = root.querySelectorAll<SVGPathElement>('path[data-marker]');
  const rows = tooltip.querySelectorAll<HTMLTableRowElement>('tbody tr');
  let shown = 0;
  series.forEach((one, index) => {
    const datum = inside && one.emphasis !== 'faint' ? datumAt(one, step) : undefined;
    const value = datum?.y ?? undefined;
    const marker = markers[index];
    const row = rows[series.length - 1 - index];
    if (marker) {
      // Zero has no place on a logarithmic axis.
      const drawn = value !== undefined && (y.kind === 'linear' || value > 0);
      marker.style.display = drawn ? '' : 'none';
      if (drawn) marker.setAttribute('transform', `translate(${left} ${pixelY(box, y, value)})`);
    }
    if (row) {
      row.hidden = value === undefined;
      if (value !== undefined && step !== undefined) {
        shown++;
        row.cells[2]!.textContent = props.value(value);
        row.cells[3]!.textContent = one.detail?.(step) ?? '';
      }
    }
  });
  const open = inside && figure === props.figure && shown > 0;
  tooltip.style.visibility = open ? 'visible' : 'hidden';
  if (!open) return;
  tooltip.querySelector('caption')!.textContent = props.title(step);
  const inPlot = (point: Point): readonly { readonly x: number; readonly y: number }[] =>
    point.y === null ? [] : [{ x: pixelX(box, x, point.x) - box.left, y: pixelY(box, y, point.y) - box.top }];
  const points = series.flatMap((one) => along(reduce(one.line, roughly).flatMap(inPlot), 8));
  const place = placeTooltip(left - box.left, { width: tooltip.offsetWidth, height: tooltip.offsetHeight }, box, points);
  tooltip.style.transform = `translate(${box.left + place.left}px, ${box.top + place.top}px)`;
}

/** Lies over the drawing and takes no pointer. */
export function CursorOverlay(props: OverlayProps): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  useLayoutEffect(() => {
    latest.current = props;
    if (root.current) follow(root.current, props);
  });
  useEffect(() => cursor.subscribe(() => root.current && follow(root.current, latest.current)), []);
  // A figure that goes away, such as into its table, takes its cursor along.
  useEffect(
    () => () => {
      if (cursor.get().figure === latest.current.figure) cursor.leave();
    },
    [],
  );
  const { width, height, margins, series } = props;
  return (
    <div className="figure-overlay" ref={root} aria-hidden="true">
      <svg width={width} height={height}>
        <line className="figure-cursor" y1={margins.top} y2={height - margins.bottom} />
        {series.map((one) => (
          <path key={one.id} data-marker="" className="figure-hot" d={markerPath(one.method)} fill={seriesColour(one.method)} />
        ))}
      </svg>
      <div className="figure-tooltip">
        <table>
          <caption />
          <tbody>
            {[...series].reverse().map((one) => (
              <tr key={one.id}>
                <td>
                  <Swatch method={one.method} />
                </td>
                <td>{one.name}</td>
                <td className="figure-tooltip-value" />
                <td className="figure-tooltip-detail" />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
