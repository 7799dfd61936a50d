/** @file The table "Type and numbers" of the design, row by row. */
import { describe, expect, it } from 'vitest';
import * as format from './format.ts';

describe('numbers as the page writes them', () => {
  it.each<[string, string, string]>([
    ['accuracy', format.formatPercent(0.8214), '82.1%'],
    ['accuracy below 100 items', format.formatPercent(0.8214, 99), '82%'],
    ['accuracy of 100 items', format.formatPercent(0.82, 100), '82.0%'],
    ['change with a true minus', format.formatPoints(-0.131), '\u221213.1'],
    ['gain', format.formatPoints(0.555), '+55.5'],
    ['change that rounds to zero', format.formatPoints(-0.0004), '0.0'],
    ['size of a change', format.formatPointsSize(-0.131), '13.1'],
    ['interval', format.formatInterval(0.791, 0.849), '79.1\u201384.9%'],
    ['interval with a negative end', format.formatInterval(-0.03, 0.021), '\u22123.0 to 2.1%'],
    ['range', format.formatRange(26, 64), '26\u201364'],
    ['range of one', format.formatRange(64, 64), '64'],
    ['loss', format.formatLoss(0.0971), '0.097'],
    ['penalty', format.formatNorm(0.007624), '0.00762'],
    ['small penalty', format.formatNorm(0.0000421), '4.21e-5'],
    ['large norm', format.formatNorm(15_234), '15,234'],
    ['no penalty', format.formatNorm(0), '0'],
    ['learning rate', format.formatRate(3e-4), '3e-4'],
    ['learning rate with two digits', format.formatRate(2.5e-4), '2.5e-4'],
    ['rate of zero', format.formatRate(0), '0'],
    ['parameter', format.formatParameter(10), '10'],
    ['small parameter', format.formatParameter(0.0005), '5e-4'],
    ['share', format.formatShare(0.5), '50%'],
    ['count', format.formatCount(87_330), '87,330'],
    ['millions', format.formatCount(134_515_008), '134.5 M'],
    ['one row', format.formatCounted(1, 'row'), '1 row'],
    ['rows', format.formatCounted(2000, 'row'), '2,000 rows'],
    ['bytes', format.formatBytes(512), '512 B'],
    ['kilobytes', format.formatBytes(46_200), '46 kB'],
    ['megabytes below 10', format.formatBytes(3_437_056), '3.4 MB'],
    ['megabytes', format.formatBytes(46_000_000), '46 MB'],
    ['megabytes that round up to 10', format.formatBytes(9_960_000), '10 MB'],
    ['kilobytes that round up to a megabyte', format.formatBytes(999_999), '1.0 MB'],
    ['gigabytes', format.formatBytes(4_812_000_000), '4.81 GB'],
    ['adapter limit', format.formatMebibytes(134_217_728), '128 MiB'],
    ['speed', format.formatSpeed(7503.6), '7,504'],
    ['GFLOP/s', format.formatFlops(38.7e9), '38.7 GFLOP/s'],
    ['TFLOP/s', format.formatFlops(1.23e12), '1.2 TFLOP/s'],
    ['seconds', format.formatTime(11.2), '11 s'],
    ['below two minutes', format.formatTime(119), '119 s'],
    ['minutes', format.formatTime(120), '2 min'],
    ['about', format.formatAbout(26 * 60), 'about 26 min'],
    ['hours', format.formatTime(3900), '1 h 5 min'],
    ['whole hours', format.formatTime(7200), '2 h'],
    ['hours that round up', format.formatTime(3599), '1 h'],
    ['short', format.formatTime(0.4), 'under 1 s'],
    ['zero time', format.formatTime(0), '0 s'],
    ['angle', format.formatAngle(8.31), '8.3°'],
    ['angle on an axis', format.formatAngleTick(8.31), '8°'],
    ['cell', format.formatCell(0.89), '.89'],
    ['cell of one', format.formatCell(1), '1.0'],
    ['difference', format.formatSignedCell(0.13), '+.13'],
    ['negative difference', format.formatSignedCell(-0.054), '\u2212.05'],
    ['difference that rounds to zero', format.formatSignedCell(-0.001), '.00'],
    ['positive difference that rounds to zero', format.formatSignedCell(0.001), '.00'],
    ['probability', format.formatProbability(0.9312), '0.93'],
    ['day', format.formatDay('2026-11-23T17:40:00Z'), '23 November 2026'],
    ['a date that is none', format.formatDay('soon'), 'soon'],
  ])('%s', (_, actual, expected) => expect(actual).toBe(expected));

  it('never writes NaN or undefined', () => {
    const { formatPercent, formatPoints, formatLoss, formatNorm, formatRate, formatCount, formatBytes, formatTime, formatCell, formatParameter } = format;
    for (const write of [formatPercent, formatPoints, formatLoss, formatNorm, formatRate, formatCount, formatBytes, formatTime, formatCell, formatParameter]) {
      expect(write(Number.NaN)).toBe(format.absent);
      expect(write(undefined)).toBe(format.absent);
    }
  });
});
