/** @file What a run has reached, in words: accuracies, or the loss of a suite that is plain text and has no right answers. Pure, with tests. */
import type { Evaluation, Measure, SuiteMeasures } from '../worker/protocol.ts';
import { formatLoss, formatPercent } from './format.ts';

export type Suite = keyof SuiteMeasures;

/** Plain text has no right answers: its suite is followed by its loss, never by an accuracy. */
export const isAccuracy = (measure: Measure): boolean => measure !== 'perplexity';

export const suitePlaces: Readonly<Record<Suite, string>> = { inDomain: 'in-domain', outOfDomain: 'out-of-domain' };

/** Loss a token of a suite; NaN where no item has a completion, also in a recording, whose JSON says null. */
export function suiteLoss({ heldOutLoss, outOfDomainLoss }: Evaluation, suite: Suite): number {
  const loss = suite === 'inDomain' ? heldOutLoss : outOfDomainLoss;
  return Number.isFinite(loss) ? loss : Number.NaN;
}

/** "in-domain 79.0%", or "in-domain loss 2.871". */
export function suiteResult(evaluation: Evaluation, suite: Suite, measures: SuiteMeasures): string {
  const place = suitePlaces[suite];
  if (!isAccuracy(measures[suite])) return `${place} loss ${formatLoss(suiteLoss(evaluation, suite))}`;
  const { correct, items } = evaluation[suite];
  return `${place} ${formatPercent(correct / items, items)}`;
}

/** Both suites: "in-domain 79.0%, out-of-domain 79.8%". */
export const resultText = (evaluation: Evaluation, measures: SuiteMeasures): string => `${suiteResult(evaluation, 'inDomain', measures)}, ${suiteResult(evaluation, 'outOfDomain', measures)}`;
