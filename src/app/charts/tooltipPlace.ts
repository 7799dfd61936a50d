/** @file Where the tooltip of a figure stands: beside the cursor, off the lines. */

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Upper left corner of a box of `size` in a plot of `plot` pixels, left or right of the cursor at `x`, at one of several
 * heights: the place that covers the fewest of `points`; ties go to the right and to the top.
 */
export function placeTooltip(
  x: number,
  size: Size,
  plot: Size,
  points: readonly { readonly x: number; readonly y: number }[],
  gap = 12,
): { readonly left: number; readonly top: number } {
  const lefts = [x + gap, x - gap - size.width].filter((left) => left >= 0 && left + size.width <= plot.width);
  if (lefts.length === 0) lefts.push(Math.max(0, Math.min(plot.width - size.width, x + gap)));
  const room = Math.max(0, plot.height - size.height);
  let best = { left: lefts[0]!, top: 0 };
  let fewest = Infinity;
  for (const left of lefts)
    for (const share of [0, 0.5, 1]) {
      const top = room * share;
      const covered = points.filter(
        (point) => point.x >= left - 4 && point.x <= left + size.width + 4 && point.y >= top - 4 && point.y <= top + size.height + 4,
      ).length;
      if (covered < fewest) {
        fewest = covered;
        best = { left, top };
      }
    }
  return best;
}
