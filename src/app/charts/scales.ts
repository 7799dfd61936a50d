/** @file Axes: pixel scales, round ticks, and domains that follow the data. */

export type ScaleKind = 'linear' | 'log';

export interface Axis {
  readonly kind: ScaleKind;
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

/** Two axes show the same. */
export const sameAxis = (a: Axis, b: Axis): boolean =>
  a === b || (a.kind === b.kind && a.domain.join() === b.domain.join() && a.ticks.join() === b.ticks.join() && a.format === b.format);

/** Where `value` lies between the ends of the axis, 0 to 1 (outside for values outside). */
export function fraction(axis: Pick<Axis, 'kind' | 'domain'>, value: number): number {
  const [low, high] = axis.domain;
  if (axis.kind === 'log') return Math.log(value / low) / Math.log(high / low);
  return (value - low) / (high - low);
}

/** The value at a fraction of the axis. */
export function valueAt(axis: Pick<Axis, 'kind' | 'domain'>, at: number): number {
  const [low, high] = axis.domain;
  return axis.kind === 'log' ? low * (high / low) ** at : low + (high - low) * at;
}

/** The least of 1, 2, 2.5, 5, 10 times a power of ten that is not below `size`. */
export function niceStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= size * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Free of the noise of binary fractions, so that labels and keys are exact. */
const tidy = (value: number): number => Number(value.toPrecision(12));

/** Multiples of a round step from `low` up to `high`, at most `most` of them. */
export function linearTicks(low: number, high: number, most: number): readonly number[] {
  if (!(high > low)) return [low];
  const step = niceStep((high - low) / (most - 1));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => tidy((first + index) * step));
}

/** Labels of the step axis: 0, round steps, and always the end of the run, which stands for what is left. */
export function stepTicks(end: number, most: number): readonly number[] {
  if (end <= 1) return [0, 1];
  const even = [most - 1, 3, 2, 4].find(
    (parts) => parts < most && end % parts === 0 && end / parts >= 1 && (end / parts) % niceUnit(end / parts) === 0,
  );
  if (even !== undefined) return Array.from({ length: even + 1 }, (_, index) => (index * end) / even);
  const step = Math.ceil(niceStep(end / (most - 1)));
  const inner = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => tidy(index * step));
  return [...inner.filter((tick) => end - tick > step * 0.6), end];
}

/** A step label is round when it divides by this. */
const niceUnit = (step: number): number => 10 ** Math.max(0, Math.floor(Math.log10(step)) - 1);

/** A linear axis from a round number below the data (or from zero) to a round number above. */
export function linearDomain(
  values: Iterable<number>,
  fromZero: boolean,
  most: number,
): { readonly domain: readonly [number, number]; readonly ticks: readonly number[] } {
  let low = fromZero ? 0 : Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(high > -Infinity)) [low, high] = [0, 1];
  if (high <= low) high = low + Math.max(Math.abs(low) * 0.1, 1e-9);
  const step = niceStep((high - low) / (most - 1));
  const domain = [tidy(Math.floor(low / step + 1e-9) * step), tidy(Math.ceil(high / step - 1e-9) * step)] as const;
  return { domain, ticks: linearTicks(domain[0], domain[1], most + 1) };
}

/** A logarithmic axis around the positive data, ends and ticks at 1 and 3 (or 1) times powers of ten. */
export function logDomain(
  values: Iterable<number>,
  most: number,
): { readonly domain: readonly [number, number]; readonly ticks: readonly number[] } {
  let low = Infinity;
  let high = 0;
  for (const value of values) {
    if (!(value > 0) || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (high === 0) [low, high] = [0.01, 10];
  const candidates: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++)
    candidates.push(tidy(10 ** power), tidy(3 * 10 ** power));
  const bottom = candidates.findLast((candidate) => candidate <= low) ?? low;
  const top = candidates.find((candidate) => candidate >= high && candidate > bottom) ?? high;
  const inside = candidates.filter((candidate) => candidate >= bottom && candidate <= top);
  const powers = inside.filter((candidate) => Number.isInteger(Math.round(Math.log10(candidate) * 1e6) / 1e6));
  if (inside.length <= most) return { domain: [bottom, top], ticks: inside };
  const every = Math.ceil(powers.length / most);
  return { domain: [bottom, top], ticks: powers.filter((_, index) => index % every === 0) };
}
