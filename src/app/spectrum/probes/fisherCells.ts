/** @file From Fisher shares to the cells of a map. */
import type { MatrixFisher } from '../../../worker/protocol.ts';
import type { HeatRow } from '../../charts/Heatmap.tsx';
import { niceStep } from '../../charts/scales.ts';
import { matrixLabel, rowsOf } from '../mapCells.ts';
import { formatTimes } from './findings.ts';

/** Round end of the ink, in times chance, for all maps that are compared. */
export function fisherEnd(matrices: readonly MatrixFisher[]): number {
  const most = Math.max(2, ...matrices.map(({ top }) => top.ratio));
  const step = niceStep(most / 8);
  return Math.ceil(most / step - 1e-9) * step;
}

/** Ink from chance on; at and below it is paper. */
export const fisherRows = (matrices: readonly MatrixFisher[], end: number): readonly HeatRow[] =>
  rowsOf(matrices, (matrix) => ({
    key: matrix.name,
    text: formatTimes(matrix.top.ratio),
    label: `${matrixLabel(matrix)}: ${formatTimes(matrix.top.ratio).replace('×', '')} times chance`,
    position: (matrix.top.ratio - 1) / (end - 1),
  }));
