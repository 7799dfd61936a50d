/** @file A line figure: its size, its pointer and keys, and around the drawing the overlay of the shared cursor. */
import { lazy, Suspense, useId, useMemo, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import { cursor } from '../cursor.ts';
import { CursorOverlay } from './CursorOverlay.tsx';
import { plotBox, snap, type LinePlotProps, type Margins } from './plotModel.ts';
import { stopsOf } from './points.ts';
import { valueAt } from './scales.ts';
import { useWidth } from './useWidth.ts';
import './figure.css';

const LinePlot = lazy(() => import('./LinePlot.tsx'));

export interface LineChartProps extends LinePlotProps {
  /** One sentence that says what the figure shows, for those who do not see it. */
  readonly label: string;
  readonly height: number;
  readonly margins: Margins;
  /** Where Shift with an arrow key stops: evaluated steps. Without it Shift moves by ten. */
  readonly checkpoints?: readonly number[];
  /** First line of the tooltip. */
  readonly title: (x: number) => string;
}

/** Where a key takes the cursor, among the stops of the figure. */
function target(
  event: KeyboardEvent,
  stops: readonly number[],
  checkpoints: readonly number[] | undefined,
  from: number | undefined,
): number | undefined {
  if (event.key === 'Home') return stops[0];
  if (event.key === 'End') return stops.at(-1);
  const back = event.key === 'ArrowLeft';
  if (!back && event.key !== 'ArrowRight') return undefined;
  if (from === undefined) return stops.at(-1);
  if (event.shiftKey && checkpoints) return back ? checkpoints.findLast((stop) => stop < from) : checkpoints.find((stop) => stop > from);
  const index = back ? stops.findLastIndex((stop) => stop < from) : stops.findIndex((stop) => stop > from);
  if (index < 0) return from;
  return stops[event.shiftKey ? Math.max(0, Math.min(stops.length - 1, index + (back ? -9 : 9))) : index];
}

/** Lines of runs over a shared axis, with the cursor that all figures of the view share. Fills the width it is given. */
export function LineChart({ label, height, margins, checkpoints, title, ...plot }: LineChartProps): ReactElement {
  const figure = useId();
  const { ref, width } = useWidth<HTMLDivElement>();
  const { x, series } = plot;
  const stops = useMemo(
    () =>
      stopsOf(series.filter((one) => one.emphasis !== 'faint').flatMap((one) => [one.line, one.rings ?? []])).filter(
        (stop) => stop >= x.domain[0] && stop <= x.domain[1],
      ),
    [series, x],
  );

  const stopUnder = (event: PointerEvent): number | undefined => {
    const box = plotBox(width, height, margins);
    const at = (event.clientX - event.currentTarget.getBoundingClientRect().left - box.left) / box.width;
    return at < -0.04 || at > 1.04 ? undefined : snap(stops, valueAt(x, at));
  };
  const onPointerMove = (event: PointerEvent): void => {
    const stop = stopUnder(event);
    if (stop === undefined) cursor.leave();
    else cursor.move(stop, figure);
  };
  const onPointerUp = (event: PointerEvent): void => {
    const stop = stopUnder(event);
    if (stop !== undefined) cursor.togglePin(stop, figure);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { step, pinned } = cursor.get();
    if (event.key === 'Enter' && step !== undefined) cursor.togglePin(step, figure);
    else if (event.key === 'Escape' && step !== undefined) cursor.release();
    else {
      const stop = target(event, stops, checkpoints, step);
      if (stop === undefined) return;
      if (pinned) cursor.release();
      if (pinned) cursor.togglePin(stop, figure);
      else cursor.move(stop, figure);
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      className="figure-plot"
      ref={ref}
      role="img"
      aria-label={label}
      tabIndex={0}
      style={{ height }}
      onPointerMove={onPointerMove}
      onPointerLeave={() => cursor.leave()}
      onPointerUp={onPointerUp}
      onKeyDown={onKeyDown}
      onBlur={() => cursor.leave()}
    >
      {width > 0 && (
        <>
          <Suspense fallback={null}>
            <LinePlot {...plot} width={width} height={height} margins={margins} />
          </Suspense>
          <CursorOverlay {...plot} figure={figure} width={width} height={height} margins={margins} title={title} />
        </>
      )}
    </div>
  );
}
