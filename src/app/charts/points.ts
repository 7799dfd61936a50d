/** @file Points of a curve: looking one up, and reducing many to as many as a figure can show. */

/** One datum. `y` is null where the value is missing or not finite; the line has a gap there. */
export interface Point {
  readonly x: number;
  readonly y: number | null;
  /** Ends of the 95% interval. */
  readonly low?: number;
  readonly high?: number;
}

/** Neighbouring steps without a usable value, and why. */
export interface Break {
  readonly from: number;
  readonly to: number;
  /** "step 301: NaN, update skipped" */
  readonly reason: string;
  /** The same where there is little room: "NaN". */
  readonly short: string;
}

/**
 * At most `limit` points that keep every spike: equal buckets by index, of each its smallest and largest value in
 * their order, plus the first and last point. A gap inside a bucket stays a gap.
 */
export function reduce(points: readonly Point[], limit: number): readonly Point[] {
  if (points.length <= limit || limit < 6) return points;
  const first = points[0]!;
  const last = points[points.length - 1]!;
  const inner = points.length - 2;
  // Up to three points a bucket: smallest, largest, and a gap if there is one.
  const buckets = Math.floor((limit - 2) / 3);
  const kept: Point[] = [first];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = 1 + Math.floor((bucket * inner) / buckets);
    const to = 1 + Math.floor(((bucket + 1) * inner) / buckets);
    let least = -1;
    let most = -1;
    let gap = -1;
    for (let index = from; index < to; index++) {
      const { y } = points[index]!;
      if (y === null) {
        if (gap < 0) gap = index;
        continue;
      }
      if (least < 0 || y < points[least]!.y!) least = index;
      if (most < 0 || y > points[most]!.y!) most = index;
    }
    const order = [...new Set([least, most, gap])].filter((index) => index >= 0).sort((a, b) => a - b);
    for (const index of order) kept.push(points[index]!);
  }
  kept.push(last);
  return kept;
}

/** Index of the point whose x is nearest; -1 of none. Points are sorted by x. */
export function nearestIndex(points: readonly { readonly x: number }[], x: number): number {
  let low = 0;
  let high = points.length - 1;
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle]!.x <= x) low = middle;
    else high = middle;
  }
  return Math.abs(points[high]!.x - x) < Math.abs(points[low]!.x - x) ? high : low;
}

/** The point at exactly this x. */
export function pointAt<P extends { readonly x: number }>(points: readonly P[], x: number): P | undefined {
  const point = points[nearestIndex(points, x)];
  return point?.x === x ? point : undefined;
}

/** Points on the lines between the data, at most `gap` apart in x, in whatever unit the points are. */
export function along(
  points: readonly { readonly x: number; readonly y: number }[],
  gap: number,
): readonly { readonly x: number; readonly y: number }[] {
  return points.flatMap((point, index) => {
    const before = points[index - 1];
    if (!before) return [point];
    const parts = Math.max(1, Math.ceil((point.x - before.x) / gap));
    return Array.from({ length: parts }, (_, part) => {
      const share = (part + 1) / parts;
      return { x: before.x + (point.x - before.x) * share, y: before.y + (point.y - before.y) * share };
    });
  });
}

/** All x of several curves, sorted, each once: where the cursor can stand. */
export function stopsOf(curves: readonly (readonly { readonly x: number }[])[]): readonly number[] {
  return [...new Set(curves.flatMap((curve) => curve.map((point) => point.x)))].sort((a, b) => a - b);
}
