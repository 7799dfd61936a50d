/**
 * @file How a method looks in every figure: colour, dash and marker belong to the method, never to a quantity.
 * The colours and dashes themselves are tokens (`--series-*`, `--dash-*`).
 */
import type { MethodId } from '../../worker/protocol.ts';

/** Weight of a run in a figure: the run in focus, one laid over it, or one that only gives context. */
export type Emphasis = 'current' | 'overlay' | 'faint';

/** Marker outlines around the origin, about 7 px across, of equal visual weight. */
const markers: Readonly<Record<MethodId, string>> = {
  rpsft: 'M3.2 0a3.2 3.2 0 1 1-6.4 0a3.2 3.2 0 1 1 6.4 0z',
  sft: 'M-2.9-2.9h5.8v5.8h-5.8z',
  l2sp: 'M0-3.8L3.7 2.7H-3.7z',
  'two-sided-rpsft': 'M0 3.8L3.7-2.7H-3.7z',
  dft: 'M-1.1-3.6h2.2v2.5h2.5v2.2h-2.5v2.5h-2.2v-2.5h-2.5v-2.2h2.5z',
  'iw-sft': 'M-3.3-1.8L-1.8-3.3L0-1.5L1.8-3.3L3.3-1.8L1.5 0L3.3 1.8L1.8 3.3L0 1.5L-1.8 3.3L-3.3 1.8L-1.5 0z',
  'kl-sft': 'M0-4L3.4 0L0 4L-3.4 0z',
  'random-basis': 'M0-4.6L1.6-1.6L4.6 0L1.6 1.6L0 4.6L-1.6 1.6L-4.6 0L-1.6-1.6z',
  'tail-basis': 'M-3.8-3.8H3.8L-3.8 3.8H3.8z',
  projection: 'M-1.6-4.4h3.2v8.8h-3.2z',
};

/** Path data of the method's marker. */
export const markerPath = (method: MethodId): string => markers[method];

export const seriesColour = (method: MethodId): string => `var(--series-${method})`;

export const seriesDash = (method: MethodId): string => `var(--dash-${method})`;

/** Width of the line of a run. */
export const strokeWidth = (emphasis: Emphasis): number => (emphasis === 'current' ? 2 : 1.5);
