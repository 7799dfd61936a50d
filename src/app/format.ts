/**
 * @file Numbers as the page writes them. One form for each kind of quantity, everywhere, so that two figures can be compared at a glance.
 * A value that is missing or not finite is an en dash, never "NaN".
 */

const minus = '\u2212';
const enDash = '\u2013';

/** What stands in the place of a value that is not there. */
export const absent = enDash;

const isNumber = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);

/** Fixed decimals with a true minus; a value that rounds to zero has no sign. */
function fixed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? minus + text : text;
}

/** Significant digits as short as they can be: 10, 0.5, 0.003, 5e-4. For parameters such as λ. */
export function formatParameter(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  if (value !== 0 && Math.abs(value) < 0.001) return formatExponent(value);
  return String(Number(value.toPrecision(3))).replace('-', minus);
}

/** 3e-4: as few digits of the mantissa as the value needs, at most three. */
function formatExponent(value: number): string {
  const [mantissa = '', exponent = ''] = value.toExponential(2).split('e');
  return `${String(Number(mantissa)).replace('-', minus)}e${exponent.replace('+', '')}`;
}

/** An accuracy in percent without its sign: one decimal, none below 100 items. `fraction` is in [0, 1]. */
export function formatPercentValue(fraction: number | undefined, items = Infinity): string {
  return isNumber(fraction) ? fixed(fraction * 100, items < 100 ? 0 : 1) : absent;
}

/** An accuracy: 82.1%, or 82% below 100 items. */
export function formatPercent(fraction: number | undefined, items = Infinity): string {
  return isNumber(fraction) ? `${formatPercentValue(fraction, items)}%` : absent;
}

/** A fraction that was chosen, such as k: 50%, 12.5%. */
export function formatShare(fraction: number | undefined): string {
  return isNumber(fraction) ? `${String(Number((fraction * 100).toPrecision(3)))}%` : absent;
}

/** A change of accuracy in points, always signed: +55.5, −13.1, 0.0. `change` is a difference of fractions. */
export function formatPoints(change: number | undefined): string {
  if (!isNumber(change)) return absent;
  const text = fixed(change * 100, 1);
  return change > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** The size of a change of accuracy, for sentences that say "lost" or "gained". */
export const formatPointsSize = (change: number): string => fixed(Math.abs(change) * 100, 1);

/** An interval of two fractions: 79.1–84.9%, or "−3.0 to 2.1%" when one is negative. */
export function formatInterval(low: number, high: number, items = Infinity): string {
  const between = low < 0 || high < 0 ? ' to ' : enDash;
  return `${formatPercentValue(low, items)}${between}${formatPercentValue(high, items)}%`;
}

/** A range of whole numbers: 26–64, or one number when both are the same. */
export const formatRange = (least: number, most: number): string =>
  least === most ? formatCount(least) : `${formatCount(least)}${enDash}${formatCount(most)}`;

/** Loss per token: 0.097. */
export const formatLoss = (value: number | undefined): string => (isNumber(value) ? fixed(value, 3) : absent);

/** Penalty or norm: three significant digits, with an exponent below 0.001. */
export function formatNorm(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.001) return value.toExponential(2).replace('e+', 'e').replace(/^-/, minus);
  if (size >= 1000) return formatCount(value);
  return value.toPrecision(3).replace(/^-/, minus);
}

/** Learning rate: 3e-4, 2.5e-4; 0 before warm-up. */
export function formatRate(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  return value === 0 ? '0' : formatExponent(value);
}

/** A count: 87,330; from a million on 134.5 M. */
export function formatCount(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  if (Math.abs(value) >= 1e6) return `${fixed(value / 1e6, 1)} M`;
  return Math.round(value).toLocaleString('en-US').replace('-', minus);
}

/** A count with its noun in the right number: "1 row", "2,000 rows". */
export const formatCounted = (value: number, noun: string, plural = `${noun}s`): string => `${formatCount(value)} ${value === 1 ? noun : plural}`;

/** Bytes in decimal units: 512 B, 3.4 MB, 46 MB, 4.81 GB. */
export function formatBytes(bytes: number | undefined): string {
  if (!isNumber(bytes)) return absent;
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  // The unit is chosen after rounding, so that 999,999 bytes are 1.0 MB and not 1000 kB.
  for (const [unit, name] of [[1e3, 'kB'], [1e6, 'MB']] as const) {
    const value = bytes / unit;
    if (Math.round(value) < 1000) return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${name}`;
  }
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Limits of the adapter, in MiB as WebGPU states them: 128 MiB. */
export const formatMebibytes = (bytes: number | undefined): string => (isNumber(bytes) ? `${formatCount(bytes / 2 ** 20)} MiB` : absent);

/** Tokens a second, without decimals: 7,504. */
export const formatSpeed = (tokensPerSecond: number | undefined): string => formatCount(tokensPerSecond);

/** Floating-point speed: 38.7 GFLOP/s, 1.2 TFLOP/s. */
export function formatFlops(flopsPerSecond: number | undefined): string {
  if (!isNumber(flopsPerSecond)) return absent;
  const giga = flopsPerSecond / 1e9;
  return giga < 999.95 ? `${giga.toFixed(1)} GFLOP/s` : `${(giga / 1000).toFixed(1)} TFLOP/s`;
}

/** A time span: 11 s, 26 min, 1 h 5 min. */
export function formatTime(seconds: number | undefined): string {
  if (!isNumber(seconds)) return absent;
  if (seconds < 10 && seconds > 0) return seconds < 0.95 ? 'under 1 s' : `${Math.round(seconds)} s`;
  if (Math.round(seconds) < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time that is not known yet: "about 26 min". */
export const formatAbout = (seconds: number): string => (seconds < 0.95 ? formatTime(seconds) : `about ${formatTime(seconds)}`);

/** An angle in text: 8.3°. */
export const formatAngle = (degrees: number | undefined): string => (isNumber(degrees) ? `${fixed(degrees, 1)}°` : absent);

/** An angle on an axis or label: 8°. */
export const formatAngleTick = (degrees: number): string => `${fixed(degrees, 0)}°`;

/** The number in a heatmap cell: .89, 1.0; a rounded zero has no sign. */
export function formatCell(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  if (Math.abs(value) >= 0.995) return fixed(value, 1);
  return fixed(value, 2).replace('0.', '.');
}

/** The number in a cell of a difference map: +.13, −.05, .00. */
export function formatSignedCell(value: number | undefined): string {
  if (!isNumber(value)) return absent;
  const text = formatCell(value);
  return value > 0 && !/^\.?0+(\.0+)?$/.test(text) ? `+${text}` : text;
}

/** A probability: 0.93. */
export const formatProbability = (value: number | undefined): string => (isNumber(value) ? fixed(value, 2) : absent);

/** A day as people write it: 23 November 2026. An unreadable date is returned as it came. */
export function formatDay(iso: string): string {
  const day = new Date(iso);
  if (Number.isNaN(day.getTime())) return iso;
  return day.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
}
