/** @file What a line figure is made of. The drawing is LinePlot, the frame with cursor and keyboard LineChart. */
import type { MethodId } from '../../worker/protocol.ts';
import { pointAt, type Break, type Point } from './points.ts';
import { fraction, type Axis } from './scales.ts';
import type { Emphasis } from './series.ts';

/** One run in a line figure. Points are sorted by x; `line` is drawn over `raw`. */
export interface LineSeries {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
  readonly emphasis: Emphasis;
  readonly line: readonly Point[];
  /** The values before smoothing: thin and pale. */
  readonly raw?: readonly Point[];
  /** A second quantity on the same axis, as open markers without a line. */
  readonly rings?: readonly Point[];
  /** A marker at every point of the line; else none. */
  readonly markers?: boolean;
  readonly breaks?: readonly Break[];
  /** What the tooltip adds to the value at this x, such as the interval. */
  readonly detail?: (x: number) => string;
}

/** A level to read the lines against, such as the base model. */
export interface ReferenceLine {
  readonly value: number;
  readonly label: string;
}

export interface LinePlotProps {
  readonly x: Axis;
  readonly y: Axis;
  /** In drawing order: the current run last. */
  readonly series: readonly LineSeries[];
  readonly reference?: ReferenceLine | undefined;
  /** A vertical line with its label on the x axis, such as "k = 26". */
  readonly mark?: { readonly value: number; readonly label: string } | undefined;
  /** A live run stands here. */
  readonly now?: { readonly value: number; readonly label: string } | undefined;
  /** A sentence in the figure: why it is empty, or that a run has no such quantity. */
  readonly note?: string | undefined;
  /** How values are written in labels and tooltip. */
  readonly value: (value: number) => string;
  /** What stands at the ends of the lines. */
  readonly endLabels: 'values' | 'names' | 'none';
}

/** Free space around the plot, in pixels. */
export interface Margins {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

/** The plot inside its figure, in pixels. */
export interface PlotBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export const plotBox = (width: number, height: number, margins: Margins): PlotBox => ({
  left: margins.left,
  top: margins.top,
  width: Math.max(1, width - margins.left - margins.right),
  height: Math.max(1, height - margins.top - margins.bottom),
});

/** Pixel position of a datum. */
export const pixelX = (box: PlotBox, axis: Axis, x: number): number => box.left + fraction(axis, x) * box.width;

/** Values beyond the ends of the axis stay on its edge. */
export const pixelY = (box: PlotBox, axis: Axis, y: number): number =>
  box.top + (1 - Math.max(0, Math.min(1, fraction(axis, y)))) * box.height;

/** The last point of a line that has a value. */
export const lastPoint = (points: readonly Point[]): Point | undefined => points.findLast((point) => point.y !== null);

/** "RPSFT 77.0%, SFT 87.0%": the latest values of all lines, the current run first. */
export function latestValues(series: readonly LineSeries[], format: (value: number) => string): string {
  const latest = series.flatMap(({ name, line }) => {
    const value = lastPoint(line)?.y;
    return value === null || value === undefined ? [] : [`${name} ${format(value)}`];
  });
  return latest.reverse().join(', ');
}

/** The datum of a series under the cursor: on the line, or among its rings. */
export function datumAt(series: LineSeries, x: number): Point | undefined {
  return [pointAt(series.line, x), series.rings && pointAt(series.rings, x)].find((point) => point !== undefined && point.y !== null);
}

/** The stop nearest to x, among sorted ones. */
export function snap(stops: readonly number[], x: number): number | undefined {
  let low = 0;
  let high = stops.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stops[middle]! < x) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [stops[low - 1], stops[low]];
  return before !== undefined && (after === undefined || x - before < after - x) ? before : after;
}
