/** @file Exponential smoothing of a noisy curve. Runs on the full data, before any reduction, so nothing is hidden twice. */
import type { Point } from './points.ts';

/**
 * Exponential moving average with weight `factor` on the past, corrected for its empty start (as Adam corrects its
 * moments), so the first value is the first datum. A gap restarts the average. On a logarithmic axis the mean is taken
 * of the logarithms, which is what the eye averages there.
 */
export function smooth(points: readonly Point[], factor: number, logarithmic: boolean): readonly Point[] {
  if (factor <= 0) return points;
  let mean = 0;
  let weight = 0;
  return points.map((point) => {
    if (point.y === null || (logarithmic && point.y <= 0)) {
      mean = 0;
      weight = 0;
      return point;
    }
    const value = logarithmic ? Math.log(point.y) : point.y;
    mean = factor * mean + (1 - factor) * value;
    weight = factor * weight + (1 - factor);
    const average = mean / weight;
    return { x: point.x, y: logarithmic ? Math.exp(average) : average };
  });
}
