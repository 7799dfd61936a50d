/** @file An alignment matrix as something to draw and to list. Pure functions, with tests. */

/** More vectors than this are drawn by the largest value of each block of neighbours. */
const mostCells = 64;
/** Shades of ink; what is fainter than half of one is not drawn. */
const shades = 16;

export interface AlignmentDrawing {
  /** Cells a side. */
  readonly size: number;
  /** Cells of one shade, in units of a cell. */
  readonly paths: readonly { readonly opacity: number; readonly d: string }[];
}

/** One path for each shade. @param alignment [k, k] row-major, values in [0, 1] */
export function alignmentPaths(alignment: ArrayLike<number>, k: number): AlignmentDrawing {
  const block = Math.ceil(k / mostCells);
  const size = Math.ceil(k / block);
  const cells = new Float32Array(size * size);
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++) {
      const cell = Math.floor(i / block) * size + Math.floor(j / block);
      cells[cell] = Math.max(cells[cell]!, alignment[i * k + j]!);
    }
  const byShade = new Map<number, string>();
  cells.forEach((value, cell) => {
    const shade = Math.min(shades, Math.round(value * shades));
    if (shade > 0) byShade.set(shade, `${byShade.get(shade) ?? ''}M${cell % size} ${Math.floor(cell / size)}h1v1h-1z`);
  });
  return { size, paths: [...byShade].sort(([a], [b]) => a - b).map(([shade, d]) => ({ opacity: shade / shades, d })) };
}

/** Of each vector before: how much of it is in the one of its own place now, and in the one most like it. */
export function bestMatches(alignment: ArrayLike<number>, k: number): readonly { readonly own: number; readonly index: number; readonly best: number }[] {
  return Array.from({ length: k }, (_, i) => {
    let index = 0;
    for (let j = 1; j < k; j++) if (alignment[i * k + j]! > alignment[i * k + index]!) index = j;
    return { own: alignment[i * k + i]!, index, best: alignment[i * k + index]! };
  });
}
