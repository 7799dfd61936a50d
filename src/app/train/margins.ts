/** @file Heights and margins of the Train figures, so that at 1440 by 900 the whole view stands without scrolling. */
import type { Margins } from '../charts/plotModel.ts';

export const heights = { accuracy: 216, loss: 172, small: 120, emptyAccuracy: 236, emptyLoss: 190 } as const;

/** Room at the right for names and values at the ends of the lines: a short name, "RPSFT LoRA", one with a setting. A plot is drawn anew when its margins are another object. */
const wideMargins: readonly Margins[] = [84, 112, 150].map((right) => ({ top: 12, right, bottom: 20, left: 34 }));

/** On a narrow page there is no room for names; the balance above says the same. */
const narrowMargins: Margins = { top: 12, right: 12, bottom: 20, left: 34 };

/** The margins of a figure with these names at the ends of its lines. */
export function lineMargins(names: readonly string[], narrow: boolean): Margins {
  const longest = Math.max(0, ...names.map((name) => name.length));
  return (narrow ? undefined : wideMargins[longest <= 6 ? 0 : longest <= 10 ? 1 : 2]) ?? narrowMargins;
}

export const smallMargins: Margins = { top: 12, right: 10, bottom: 20, left: 44 };
