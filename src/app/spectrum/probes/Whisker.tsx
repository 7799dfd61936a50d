/** @file A value with its interval on a shared scale, as wide as its cell. */
import type { ReactElement } from 'react';

interface WhiskerProps {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Ends of the scale. */
  readonly from: number;
  readonly to: number;
  readonly colour: string;
  /** A level to read it against, such as chance. */
  readonly mark?: number;
  /** The value as a bar from the left end. */
  readonly bar?: boolean;
}

/** Says nothing to a screen reader: the numbers stand beside it. */
export function Whisker({ value, low, high, from, to, colour, mark, bar = false }: WhiskerProps): ReactElement {
  const at = (level: number): string => `${(100 * Math.max(0, Math.min(1, (level - from) / (to - from)))).toFixed(2)}%`;
  return (
    <svg className="probe-whisker" width="100%" height="20" aria-hidden="true">
      {bar ? <rect x="0" y="5" height="10" width={at(value)} fill={colour} fillOpacity="0.5" /> : null}
      {mark === undefined ? null : <line x1={at(mark)} x2={at(mark)} y1="0" y2="20" stroke="var(--ink)" />}
      <line x1={at(low)} x2={at(high)} y1="10" y2="10" stroke={colour} strokeWidth="2" />
      <circle cx={at(value)} cy="10" r="3.5" fill={colour} stroke="var(--paper)" />
    </svg>
  );
}
