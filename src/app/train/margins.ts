/** @file Heights and margins of the Train figures, so that at 1440 by 900 the whole view stands without scrolling. */
import type { Margins } from '../charts/plotModel.ts';

export const heights = { accuracy: 216, loss: 172, small: 120, emptyAccuracy: 236, emptyLoss: 190 } as const;

/** Room at the right for names and values at the ends of the lines. */
export const wideMargins: Margins = { top: 12, right: 84, bottom: 20, left: 34 };

/** On a narrow page the names take a smaller share; the balance above says the same. */
export const narrowMargins: Margins = { top: 12, right: 12, bottom: 20, left: 34 };

export const smallMargins: Margins = { top: 12, right: 10, bottom: 20, left: 44 };
