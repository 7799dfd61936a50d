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
};

/** Path data of the method's marker. */
export const markerPath = (method: MethodId): string => markers[method];

export const seriesColour = (method: MethodId): string => `var(--series-${method})`;

export const seriesDash = (method: MethodId): string => `var(--dash-${method})`;

/** Width of the line of a run. */
export const strokeWidth = (emphasis: Emphasis): number => (emphasis === 'current' ? 2 : 1.5);
