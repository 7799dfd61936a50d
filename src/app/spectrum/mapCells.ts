/** @file From recorded drift to the cells of the maps, on one scale for all runs and steps. */
import type { Drift, MatrixDrift } from '../../worker/protocol.ts';
import type { HeatCell, HeatRow } from '../charts/Heatmap.tsx';
import { nearestIndex } from '../charts/points.ts';
import { niceStep } from '../charts/scales.ts';
import { cellNumber, signedCellNumber, type Metric } from './metrics.ts';

/** Where paper and full ink stand. */
export interface MapScale {
  readonly none: number;
  readonly most: number;
}

/** Where a matrix stands in the model. */
export type MatrixPlace = Pick<MatrixDrift, 'name' | 'layer' | 'module'>;

/** What a matrix is called on the page: "layer 2, gate_proj", or its module where it has no layer. */
export const matrixLabel = ({ layer, module }: Pick<MatrixPlace, 'layer' | 'module'>): string => (layer === undefined ? module : `layer ${layer}, ${module}`);

/** Round end of the ink for a largest distance from "unchanged". */
const roundEnd = (distance: number): number => {
  if (!(distance > 0)) return 1;
  const step = niceStep(distance / 8);
  return Number((Math.ceil(distance / step - 1e-9) * step).toPrecision(6));
};

function largest(drifts: readonly Drift[], distance: (matrix: MatrixDrift) => number): number {
  let most = 0;
  for (const { matrices } of drifts)
    for (const matrix of matrices) {
      const value = distance(matrix);
      if (Number.isFinite(value)) most = Math.max(most, value);
    }
  return most;
}

/** One scale for all runs compared and all their steps, so that the slider never changes what a colour means. */
export function mapScale(metric: Metric, drifts: readonly Drift[]): MapScale {
  const end = roundEnd(largest(drifts, (matrix) => Math.abs(metric.value(matrix) - metric.unchanged)));
  return metric.unchanged === 1 ? { none: 1, most: Math.max(0, Number((1 - end).toPrecision(6))) } : { none: 0, most: end };
}

/** The drift recorded at this step, or else nearest to it. */
export const driftAt = (drifts: readonly Drift[], step: number): Drift | undefined =>
  drifts[
    nearestIndex(
      drifts.map((drift) => ({ x: drift.step })),
      step,
    )
  ];

/** Layers of a model, ascending. */
export const layersOf = ({ matrices }: { readonly matrices: readonly MatrixPlace[] }): readonly number[] =>
  [...new Set(matrices.flatMap(({ layer }) => (layer === undefined ? [] : [layer])))].sort((a, b) => a - b);

/** Modules down, layers across, matrices without a layer in rows of their own. */
export function rowsOf<Matrix extends MatrixPlace>(matrices: readonly Matrix[], cell: (matrix: Matrix) => HeatCell): readonly HeatRow[] {
  const layers = layersOf({ matrices });
  const inLayers = matrices.filter(({ layer }) => layer !== undefined);
  const modules = [...new Set(inLayers.map(({ module }) => module))];
  const byPlace = new Map(inLayers.map((matrix) => [`${matrix.layer} ${matrix.module}`, matrix]));
  const missing = (layer: number, module: string): HeatCell => ({
    key: `${layer} ${module}`,
    text: '',
    label: `layer ${layer}, ${module}: not there`,
    position: null,
  });
  return [
    ...modules.map((module) => ({
      name: module,
      cells: layers.map((layer) => {
        const matrix = byPlace.get(`${layer} ${module}`);
        return matrix ? cell(matrix) : missing(layer, module);
      }),
    })),
    ...matrices
      .filter(({ layer }) => layer === undefined)
      .map((matrix) => ({ name: matrix.module.replace('_tokens', ''), cells: [cell(matrix)] })),
  ];
}

/** The map of one run: more ink means more change. */
export function runRows(metric: Metric, drift: Drift, { none, most }: MapScale): readonly HeatRow[] {
  return rowsOf(drift.matrices, (matrix) => {
    const value = metric.value(matrix);
    return {
      key: matrix.name,
      text: cellNumber(value),
      label: `${matrixLabel(matrix)}: ${metric.text(value)}`,
      position: Number.isFinite(value) ? (value - none) / (most - none) : null,
    };
  });
}

/** Change of a run beyond that of the reference: above zero means changed more, for every metric. */
export const beyond = (metric: Metric, matrix: MatrixDrift, reference: MatrixDrift): number => {
  const difference = metric.value(matrix) - metric.value(reference);
  return metric.unchanged === 1 ? -difference : difference;
};

const byName = ({ matrices }: Drift): ReadonlyMap<string, MatrixDrift> => new Map(matrices.map((matrix) => [matrix.name, matrix]));

/** Matrices of both runs, in pairs. */
export function pairs(drift: Drift, reference: Drift): readonly (readonly [MatrixDrift, MatrixDrift])[] {
  const others = byName(reference);
  return drift.matrices.flatMap((matrix) => {
    const other = others.get(matrix.name);
    return other ? [[matrix, other] as const] : [];
  });
}

/** The same end on both sides of the difference map, over all steps that both runs recorded. */
export function differenceEnd(metric: Metric, drifts: readonly Drift[], references: readonly Drift[]): number {
  let most = 0;
  for (const drift of drifts) {
    const reference = driftAt(references, drift.step);
    if (!reference) continue;
    for (const [matrix, other] of pairs(drift, reference)) {
      const size = Math.abs(beyond(metric, matrix, other));
      if (Number.isFinite(size)) most = Math.max(most, size);
    }
  }
  return roundEnd(most);
}

/** The map of the difference: the number is run minus reference, the colour says whether the run changed less or more. */
export function differenceRows(metric: Metric, drift: Drift, reference: Drift, end: number): readonly HeatRow[] {
  const others = byName(reference);
  return rowsOf(drift.matrices, (matrix) => {
    const other = others.get(matrix.name);
    if (!other) return { key: matrix.name, text: '', label: `${matrixLabel(matrix)}: not in the reference`, position: null };
    const difference = metric.value(matrix) - metric.value(other);
    const more = beyond(metric, matrix, other);
    const verdict = more === 0 ? 'as much' : more < 0 ? 'changed less' : 'changed more';
    return {
      key: matrix.name,
      text: signedCellNumber(difference),
      label: `${matrixLabel(matrix)}: ${signedCellNumber(difference)}, ${verdict}`,
      position: Number.isFinite(more) ? 0.5 + more / (2 * end) : null,
    };
  });
}
