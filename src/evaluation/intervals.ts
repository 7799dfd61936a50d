/**
 * @file How far an accuracy on this many items can be trusted.
 *
 * The page shows the percentile bootstrap over items (2,000 resamplings, fixed seed): it holds for any score per item, also for the mean over k samples
 * of avg@k, and two runs on the same items are compared by pairs, which cancels what makes an item hard for both. Where all items score the same, the
 * bootstrap has nothing to resample and would claim certainty; then, and only for scores of 0 or 1, the Wilson interval stands in.
 */
import { Random } from '../data/random.ts';

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Items it rests on. */
  readonly count: number;
}

const RESAMPLINGS = 2000;
/** Standard normal quantile of 0.975. */
const Z_95 = 1.959963984540054;

/** 95% interval of the mean of scores in [0, 1]. [items] @throws RangeError without items. */
export function scoreInterval(scores: ArrayLike<number>, seed = 0): Interval {
  const [first] = Array.from(scores);
  const isConstant = Array.prototype.every.call(scores, (score: unknown) => score === first);
  if (isConstant && (first === 0 || first === 1)) return wilsonInterval(first * scores.length, scores.length);
  return bootstrapInterval(scores, seed);
}

/** 95% percentile bootstrap of a mean, the same for the same seed. [items] @throws RangeError without items. */
export function bootstrapInterval(values: ArrayLike<number>, seed = 0): Interval {
  const count = values.length;
  if (count === 0) throw new RangeError('an interval needs at least one item');
  const random = new Random(seed);
  const means = Float64Array.from({ length: RESAMPLINGS }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[random.below(count)]!;
    return sum / count;
  }).sort();
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  return { mean: sum / count, low: quantile(means, 0.025), high: quantile(means, 0.975), count };
}

/**
 * Perplexity exp(Σ nll / Σ tokens) with the 95% percentile bootstrap over items; a ratio, since longer items count more.
 * [items], [items] @throws RangeError without items or tokens.
 */
export function perplexityInterval(nll: ArrayLike<number>, tokens: ArrayLike<number>, seed = 0): Interval {
  const count = nll.length;
  const perplexity = (draw: (i: number) => number): number => {
    let [sum, total] = [0, 0];
    for (let i = 0; i < count; i++) {
      const item = draw(i);
      sum += nll[item]!;
      total += tokens[item]!;
    }
    return Math.exp(sum / total);
  };
  const mean = perplexity((i) => i);
  if (count === 0 || Number.isNaN(mean)) throw new RangeError('a perplexity needs at least one token');
  const random = new Random(seed);
  // Items without a token cannot be resampled into a sample without any: such draws say nothing and are left out.
  const resampled = Float64Array.from({ length: RESAMPLINGS }, () => perplexity(() => random.below(count))).filter((value) => !Number.isNaN(value)).sort();
  return { mean, low: quantile(resampled, 0.025), high: quantile(resampled, 0.975), count };
}

/**
 * 95% interval of mean(a) - mean(b) over the same items in the same order. An interval that holds 0 leaves open which of the two is ahead.
 * [items], [items] @throws RangeError for different lengths.
 */
export function pairedDifference(a: ArrayLike<number>, b: ArrayLike<number>, seed = 0): Interval {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} scores cannot be paired`);
  return bootstrapInterval(Float64Array.from({ length: a.length }, (_, i) => a[i]! - b[i]!), seed);
}

/** 95% score interval of a proportion (Wilson 1927); never empty, also at 0 and at all. */
export function wilsonInterval(successes: number, count: number): Interval {
  if (count === 0) throw new RangeError('an interval needs at least one item');
  const mean = successes / count;
  const z2 = Z_95 ** 2;
  const centre = (mean + z2 / (2 * count)) / (1 + z2 / count);
  const half = (Z_95 / (1 + z2 / count)) * Math.sqrt((mean * (1 - mean)) / count + z2 / (4 * count * count));
  return { mean, low: successes === 0 ? 0 : centre - half, high: successes === count ? 1 : centre + half, count };
}

/** Linear between the two nearest, as NumPy's default. @param sorted rising. */
function quantile(sorted: Float64Array, probability: number): number {
  const place = (sorted.length - 1) * probability;
  const below = Math.floor(place);
  const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return sorted[below]! + (next - sorted[below]!) * (place - below);
}
