/** @file The figure of gain against forgetting as numbers: paths, frame, labels. Drawn by ScatterDrawing on the page and in the report. Pure. */
import type { MethodId } from '../../worker/protocol.ts';
import type { Change } from '../charts/Balance.tsx';
import { pixelX, pixelY, type PlotBox } from '../charts/plotModel.ts';
import { linearTicks, type Axis } from '../charts/scales.ts';
import { formatPoints } from '../format.ts';
import type { ComparedGroup, Comparison } from './comparison.ts';
import type { Frame } from './state.ts';
import type { Place } from './statistics.ts';

/** A group in the figure. */
export interface ScatterPath {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
  /** Not ticked: faint and without a label. */
  readonly faint: boolean;
  readonly selected: boolean;
  readonly points: readonly (Place & { readonly step: number })[];
  /** It begins at another run's end, not at the base model. */
  readonly goesOn: boolean;
  /** Where each seed ends; empty for one seed. */
  readonly seeds: readonly Place[];
  /** 95% intervals over items where the path ends. */
  readonly gain: Change;
  readonly change: Change;
}

export interface ScatterModel {
  readonly x: Axis;
  readonly y: Axis;
  readonly paths: readonly ScatterPath[];
  readonly front: readonly Place[];
}

const tick = (value: number): string => formatPoints(value).replace(/\.0$/, '');

/** Free of binary noise, down or up to a tenth. */
const tenthBelow = (value: number): number => Math.floor(value * 10 + 1e-9) / 10;
const tenthAbove = (value: number): number => Math.ceil(value * 10 - 1e-9) / 10;

const axis = (low: number, high: number): Axis => ({ kind: 'linear', domain: [low, high], ticks: linearTicks(low, high, 6), format: tick });

function pathOf({ group, runs, path, last, gain, change }: ComparedGroup, faint: boolean, selected: boolean): ScatterPath {
  const end = runs.map(({ evaluations }): Place | undefined => {
    const [base, at] = [evaluations.find(({ step }) => step === 0), evaluations.find(({ step }) => step === last.step)];
    return base && at && { gain: at.inDomain.correct / at.inDomain.items - base.inDomain.correct / base.inDomain.items, change: at.outOfDomain.correct / at.outOfDomain.items - base.outOfDomain.correct / base.outOfDomain.items };
  });
  return {
    id: group.id, name: group.name, method: group.config.method, faint, selected, gain, change,
    points: path.map((point) => ({ step: point.step, gain: point.gain.mean, change: point.change.mean })),
    goesOn: runs.some(({ start }) => start !== undefined),
    seeds: runs.length > 1 ? end.filter((place) => place !== undefined) : [],
  };
}

/**
 * The figure of a comparison. `near` ends the vertical axis a little under the front, so that what is close to it can be told apart; `all` shows every
 * checkpoint. The selected group is drawn last.
 */
export function scatterModel(comparison: Comparison, frame: Frame, selected?: string): ScatterModel {
  const paths = [...comparison.faint.map((one) => pathOf(one, true, false)), ...comparison.groups.map((one) => pathOf(one, false, one.group.id === selected))].toSorted(
    (a, b) => Number(a.selected) - Number(b.selected),
  );
  const places = paths.flatMap(({ points, seeds }) => [...points, ...seeds]);
  const lowest = Math.min(0, ...(frame === 'near' ? comparison.front.map(({ change }) => change - 0.05) : places.map(({ change }) => change)));
  const gains = places.map(({ gain }) => gain);
  return {
    paths,
    front: comparison.front,
    x: axis(Math.min(0, tenthBelow(Math.min(0, ...gains))), Math.max(0.1, tenthAbove(Math.max(0, ...gains)))),
    y: axis(Math.min(-0.1, tenthBelow(lowest)), Math.max(0, tenthAbove(Math.max(0, ...places.map(({ change }) => change))))),
  };
}

/** The pieces of a path above `floor`, cut where it crosses. */
export function above(points: readonly Place[], floor: number): readonly (readonly Place[])[] {
  const pieces: Place[][] = [];
  let piece: Place[] = [];
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (before !== undefined && before.change < floor !== point.change < floor) {
      const part = (floor - before.change) / (point.change - before.change);
      const edge = { gain: before.gain + part * (point.gain - before.gain), change: floor };
      piece.push(edge);
      if (point.change < floor) {
        pieces.push(piece);
        piece = [];
      }
    }
    if (point.change >= floor) piece.push(point);
  });
  return piece.length > 0 ? [...pieces, piece] : pieces;
}

/** Where a path leaves the frame for good, and the change it ends with; undefined when it ends inside. */
export function exitOf({ points }: Pick<ScatterPath, 'points'>, floor: number): { readonly gain: number; readonly final: number } | undefined {
  const last = points.at(-1);
  if (last === undefined || last.change >= floor) return undefined;
  return { gain: above(points, floor).at(-1)?.at(-1)?.gain ?? last.gain, final: last.change };
}

/** The corners of the front as a staircase from the left edge of the figure. */
export const frontSteps = (front: readonly Place[], left: number): readonly Place[] =>
  front.flatMap((place, index) => [{ gain: front[index - 1]?.gain ?? left, change: place.change }, place]);

/** About the width of a letter of 11 px. */
const letterWidth = 5.6;
const labelHeight = 13;

/** A name in the figure: its left or right end at `x`, and a line from the point that it belongs to where it stands apart. */
export interface PointLabel {
  readonly id: string;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'end';
  readonly leader: { readonly x: number; readonly y: number } | undefined;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Places around a point that are tried in turn: to the right first, then over and under it, then further away. */
const offsets = [[8, 0], [8, -13], [8, 13], [-8, -13], [-8, 13], [14, -27], [14, 27], [-14, -27], [-14, 27], [20, -42], [20, 42], [-20, -42], [-20, 42]] as const;

/**
 * Names at the ends of the paths, and at the edge with the final value for those that leave the frame. Each is tried at several places and left out where
 * every one of them would cover another name or a marker: the tables name all.
 */
export function pointLabels({ x, y, paths }: ScatterModel, box: PlotBox, right: number): readonly PointLabel[] {
  const floor = y.domain[0];
  const taken: Box[] = [];
  const markers = paths.filter(({ faint }) => !faint).flatMap(({ points }) => points.filter(({ change }) => change >= floor).map(({ gain, change }) => ({ x: pixelX(box, x, gain), y: pixelY(box, y, change) })));
  const isFree = (area: Box): boolean =>
    area.left >= box.left && area.right <= box.left + box.width + right && area.top >= 0 && area.bottom <= box.top + box.height &&
    !taken.some((other) => area.left < other.right && area.right > other.left && area.top < other.bottom && area.bottom > other.top) &&
    !markers.some((marker) => marker.x > area.left - 3 && marker.x < area.right + 3 && marker.y > area.top && marker.y < area.bottom);
  const labels: PointLabel[] = [];
  for (const path of paths.toReversed()) {
    const exit = exitOf(path, floor);
    const last = path.points.at(-1);
    if (path.faint || last === undefined) continue;
    const text = exit === undefined ? path.name : `${path.name} ↓ ${tick(Math.round(exit.final * 100) / 100)}`;
    const [atX, atY] = [pixelX(box, x, exit?.gain ?? last.gain), pixelY(box, y, exit === undefined ? last.change : floor)];
    const width = text.length * letterWidth;
    for (const [dx, dy] of exit === undefined ? offsets : offsets.map(([across, down]) => [across, -Math.abs(down) - 8] as const)) {
      const left = dx > 0 ? atX + dx : atX + dx - width;
      const area = { left, right: left + width, top: atY + dy - labelHeight / 2, bottom: atY + dy + labelHeight / 2 };
      if (!isFree(area)) continue;
      taken.push(area);
      labels.push({ id: path.id, text, x: atX + dx, y: atY + dy, anchor: dx > 0 ? 'start' : 'end', leader: Math.abs(dy) > 20 ? { x: atX, y: atY } : undefined });
      break;
    }
  }
  return labels;
}
