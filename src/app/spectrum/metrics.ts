/**
 * @file What the maps can show of a matrix. Each metric says in one sentence what it means and in one what it does not, because the penalty
 * controls some of them and leaves others free.
 */
import type { MatrixDrift } from '../../worker/protocol.ts';
import { formatAngle, formatCell, formatParameter, formatProbability, formatSignedCell } from '../format.ts';

export const metricIds = [
  'vectorAlignment',
  'matchedAlignment',
  'leftAngle',
  'rightAngle',
  'blockEnergy',
  'offDiagonal',
  'singularValues',
  'relativeChange',
] as const;
export type MetricId = (typeof metricIds)[number];

export interface Metric {
  readonly id: MetricId;
  /** In the picker. */
  readonly label: string;
  /** In sentences: "the mean vector alignment". */
  readonly noun: string;
  /** In the caption of a map. */
  readonly unit: string;
  readonly value: (matrix: MatrixDrift) => number;
  /** The value of a matrix that has not changed: ink counts from here. */
  readonly unchanged: 0 | 1;
  /** In sentences and labels. */
  readonly text: (value: number) => string;
  readonly means: string;
  readonly meansNot: string;
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean size of the relative change of a singular value, in percent; a value of zero has none. */
export function singularValueChange({ sigma0, sigma }: MatrixDrift): number {
  return mean(sigma0.flatMap((before, index) => (before > 0 ? [Math.abs((sigma[index] ?? before) - before) / before] : []))) * 100;
}

const percent = (value: number): string => `${formatParameter(value)}%`;
const times = (value: number): string => `${formatParameter(Number(value.toPrecision(2)))} times chance`;

const list: readonly Metric[] = [
  {
    id: 'vectorAlignment',
    label: 'Vector alignment',
    noun: 'mean vector alignment',
    unit: 'mean |⟨uᵢ, u′ᵢ⟩|',
    value: ({ vectorAlignment }) => vectorAlignment,
    unchanged: 1,
    text: formatProbability,
    means: '1 means that each top singular vector still points where it did before training.',
    meansNot:
      'It reads low where singular values nearly coincide: such vectors swap at the smallest change, and nothing need be lost by it.',
  },
  {
    id: 'matchedAlignment',
    label: 'Matched',
    noun: 'mean matched alignment',
    unit: 'mean maxⱼ |⟨uᵢ, u′ⱼ⟩|',
    value: ({ matchedAlignment }) => matchedAlignment,
    unchanged: 1,
    text: formatProbability,
    means:
      'As vector alignment, with each vector compared to the most similar one after training, so that a mere change of order does not count.',
    meansNot: 'Two vectors that mix evenly still read as turned, although the plane they span has not moved.',
  },
  {
    id: 'leftAngle',
    label: 'Left angle',
    noun: 'mean left principal angle',
    unit: 'mean, degrees',
    value: ({ leftAngles }) => mean(leftAngles),
    unchanged: 0,
    text: formatAngle,
    means: 'How far the space of the top k left singular vectors has turned against what it was.',
    meansNot: 'RPSFT need not lower it: the penalty holds the block inside the space, and the turn against the rest is left free.',
  },
  {
    id: 'rightAngle',
    label: 'Right angle',
    noun: 'mean right principal angle',
    unit: 'mean, degrees',
    value: ({ rightAngles }) => mean(rightAngles),
    unchanged: 0,
    text: formatAngle,
    means: 'How far the space of the top k right singular vectors has turned against what it was.',
    meansNot: 'RPSFT need not lower it: the penalty holds the block inside the space, and the turn against the rest is left free.',
  },
  {
    id: 'blockEnergy',
    label: 'Block energy',
    noun: 'mean block energy',
    unit: '‖UᵀΔWV‖² / ‖ΔW‖², times chance',
    value: ({ block }) => block.share / block.chance,
    unchanged: 0,
    text: times,
    means: 'How much of the change lies in the top singular block, against a change of random direction (1).',
    meansNot: 'It is a share: a small value does not say that the weights moved little.',
  },
  {
    id: 'offDiagonal',
    label: 'Off-diagonal',
    noun: 'mean off-diagonal share',
    unit: 'of ‖ΔW‖², %',
    value: ({ block }) => block.offDiagonal * 100,
    unchanged: 0,
    text: percent,
    means: 'The part of the change that mixes top singular vectors with each other; the diagonal of the block changes singular values.',
    meansNot: 'The turn of the whole space against the rest is not in it; that is the principal angles.',
  },
  {
    id: 'singularValues',
    label: 'Singular values',
    noun: 'mean singular-value change',
    unit: 'mean |Δσ| / σ of the top k, %',
    value: singularValueChange,
    unchanged: 0,
    text: percent,
    means: 'How much the top k singular values have changed.',
    meansNot: 'Values can stand still while every vector turns; look at the alignment for that.',
  },
  {
    id: 'relativeChange',
    label: 'Relative change',
    noun: 'mean relative change',
    unit: '‖ΔW‖ / ‖W₀‖, %',
    value: ({ relativeChange }) => relativeChange * 100,
    unchanged: 0,
    text: percent,
    means: 'How far the weights moved, against their size.',
    meansNot: 'Where they moved is not in it: the same distance can cost much or little out-of-domain.',
  },
];

const byId = new Map(list.map((metric) => [metric.id, metric]));

/** In the order of the picker. */
export const metrics: readonly Metric[] = list;

export const metricOf = (id: MetricId): Metric => byId.get(id)!;

/** Two digits for a cell: .89, 8.3, 37. */
export function cellNumber(value: number): string {
  if (!Number.isFinite(value)) return formatCell(value);
  if (Math.abs(value) >= 9.95) return String(Math.round(value)).replace('-', '\u2212');
  return Math.abs(value) >= 0.995 ? formatCell(Number(value.toFixed(1))) : formatCell(value);
}

/** The same with a sign, for differences. */
export function signedCellNumber(value: number): string {
  const text = cellNumber(value);
  return Math.abs(value) < 0.995 ? formatSignedCell(value) : value > 0 ? `+${text}` : text;
}
