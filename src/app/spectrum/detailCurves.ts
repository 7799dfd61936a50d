/** @file The curves of one matrix: sorted principal angles, singular values before and after. */
import { linearDomain, type Axis } from '../charts/scales.ts';
import type { LineSeries } from '../charts/plotModel.ts';
import { formatAngleTick, formatParameter } from '../format.ts';
import type { RunMatrix } from './spectrumRun.ts';

const base = ({ id, name, method, emphasis }: RunMatrix): Pick<LineSeries, 'id' | 'name' | 'method' | 'emphasis'> => ({
  id,
  name,
  method,
  emphasis,
});

/** Principal angles from the smallest to the largest. */
export const angleCurve = (run: RunMatrix, side: 'leftAngles' | 'rightAngles'): LineSeries => ({
  ...base(run),
  line: [...run.matrix[side]].sort((a, b) => a - b).map((angle, index) => ({ x: index + 1, y: Number.isFinite(angle) ? angle : null })),
});

/** Relative change of each of the top k singular values, as fractions. */
export const sigmaChangeCurve = (run: RunMatrix): LineSeries => ({
  ...base(run),
  line: run.matrix.sigma0.map((before, index) => ({
    x: index + 1,
    y: before > 0 ? (run.matrix.sigma[index] ?? before) / before - 1 : null,
  })),
});

/** Singular values after training as a line, before as rings at about a dozen places. */
export function sigmaCurve(run: RunMatrix): LineSeries {
  const { sigma, sigma0 } = run.matrix;
  const every = Math.max(1, Math.round(sigma0.length / 12));
  return {
    ...base(run),
    line: sigma.map((value, index) => ({ x: index + 1, y: value })),
    rings: sigma0.flatMap((value, index) => (index % every === 0 || index === sigma0.length - 1 ? [{ x: index + 1, y: value }] : [])),
    detail: (index) => `before ${formatParameter(sigma0[index - 1])}`,
  };
}

const values = (series: readonly LineSeries[]): readonly number[] =>
  series.flatMap(({ line, rings = [] }) => [...line, ...rings].flatMap(({ y }) => (y === null ? [] : [y])));

/** From 0° to a round angle above the largest, 90° at most. */
export function angleAxis(series: readonly LineSeries[]): Axis {
  const most = Math.max(1, ...values(series));
  const step = [1, 2, 5, 10, 15].find((candidate) => candidate * 6 >= most) ?? 15;
  const end = Math.min(90, Math.ceil(most / step) * step);
  return {
    kind: 'linear',
    domain: [0, end],
    ticks: Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step),
    format: formatAngleTick,
  };
}

/** Signed percent with two digits at most: +4%, −0.5%, 0. */
export function signedPercent(value: number): string {
  const rounded = Number((value * 100).toPrecision(2));
  return rounded === 0 ? '0' : `${rounded > 0 ? '+' : ''}${formatParameter(rounded)}%`;
}

/** The same distance above and below zero. */
export function changeAxis(series: readonly LineSeries[]): Axis {
  const most = Math.max(1e-4, ...values(series).map(Math.abs));
  const { domain } = linearDomain([most], true, 3);
  const end = domain[1];
  return { kind: 'linear', domain: [-end, end], ticks: [-end, -end / 2, 0, end / 2, end], format: signedPercent };
}

/** Singular values from zero. */
export function sigmaAxis(series: readonly LineSeries[]): Axis {
  return { kind: 'linear', format: formatParameter, ...linearDomain(values(series), true, 5) };
}
