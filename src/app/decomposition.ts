/** @file What is known of the singular bases of a run, in words. */
import type { DecompositionSummary } from '../worker/protocol.ts';
import { formatCounted, formatParameter, formatTime } from './format.ts';

/** "211 matrices decomposed in 14 s; worst: layers.14.mlp.down_proj, at least 0.9999 of the exact subspace, at most 2e-7 of its energy missing." */
export function decompositionLine({ matrices, from, seconds, worst }: DecompositionSummary): string {
  const count = formatCounted(matrices, 'matrix', 'matrices');
  // A line of the narrow rail may end here, and not before the unit alone.
  const time = formatTime(seconds).replaceAll(' ', '\u00a0');
  const whence = {
    decomposed: `${count} decomposed in ${time}`,
    kept: `Bases of ${count} read from this browser in ${time}`,
    device: `Bases of ${count} taken over from the run before`,
  }[from];
  if (worst === undefined) return `${whence}.`;
  const name = worst.name.replace(/^model\./, '').replace(/\.weight$/, '');
  // A lower estimate is not rounded up.
  const overlap = (Math.floor(worst.overlap * 1e4) / 1e4).toFixed(4);
  return `${whence}; worst: ${name}, at least ${overlap} of the exact subspace, at most ${formatParameter(Number(worst.lostEnergy.toPrecision(1)))} of its energy missing.`;
}
