/** @file What the measurements mean and what they do not, and the sentences that state their results. Pure functions, with tests. */
import type { Estimated, EstimatedDivergences, FisherShare, ProbeKind, RestoredWeights } from '../../../worker/protocol.ts';
import type { Phrase } from '../../charts/Phrases.tsx';
import { placeName } from '../followed.ts';
import { formatInterval, formatLoss, formatNorm, formatPoints, formatPointsSize, formatProbability } from '../../format.ts';
import type { ReportOf } from './reports.ts';

export interface ProbeInfo {
  readonly title: string;
  readonly unit: string;
  readonly means: string;
  readonly meansNot: string;
}

export const probeInfos: Readonly<Record<ProbeKind, ProbeInfo>> = {
  fisher: {
    title: 'Fisher alignment',
    unit: 'squared gradient in the block, times chance',
    means: 'How much of what the loss is sensitive to lies in the block of the top k singular vectors. RPSFT holds this block in place of the Fisher information, which would be dear: above 1 the block stands in for it better than one of that size anywhere, at 1 no better.',
    meansNot: 'The squared gradients are those of these examples, on the diagonal of the Fisher information; they say where their loss is steep, not that an ability sits there, nor that holding the block keeps it, and nothing of the turn of the block against the rest. Intervals are over examples, for one draw of the random block.',
  },
  representation: {
    title: 'Representation drift',
    unit: 'hidden states against the base model',
    means: 'How far the hidden states of the same tokens have moved from those of the base model, layer by layer; CKA and cosine are 1 where nothing moved.',
    meansNot: 'States that moved need not have lost anything: the layers after them may have moved along. CKA does not see a common rotation or scale; there is no interval.',
  },
  output: {
    title: 'Output drift',
    unit: 'nats a token',
    means: 'How differently the tuned and the base model predict the next token, over the whole vocabulary and all tokens of these examples; 0 is no difference.',
    meansNot: 'It does not say which of the two is right: what was learnt counts as much as what was forgotten.',
  },
  restore: {
    title: 'Causal restore',
    unit: 'accuracy with a part of the pretrained block put back',
    means: 'If accuracy comes back with the top-k block of the base model, or with its values or its rotation alone, that is where it went.',
    meansNot: 'What does not come back may lie outside the block: the turn of the subspaces against the rest is not put back. What was learnt inside the block goes with it.',
  },
};

export const restoredNames: Readonly<Record<RestoredWeights, string>> = {
  base: 'Base model',
  tuned: 'As tuned',
  values: 'Values put back',
  rotation: 'Rotation put back',
  block: 'Block put back',
};

/** Standard normal quantile of 0.975. */
const z95 = 1.959963984540054;

/** A share against chance, with its 95% interval where there are two examples or more. */
export function ratioOf({ share, ratio, standardError }: FisherShare): Estimated {
  const half = standardError === undefined || share === 0 ? 0 : z95 * standardError * (ratio / share);
  return { mean: ratio, low: Math.max(0, ratio - half), high: ratio + half };
}

/** 4.1×, 0.32×, 12×. */
export const formatTimes = (value: number): string => `${value >= 9.95 ? value.toFixed(0) : value >= 0.995 ? value.toFixed(1) : value.toFixed(2)}×`;

export const timesInterval = ({ low, high }: Estimated): string => `${formatTimes(low)} to ${formatTimes(high)}`;

export const divergenceNames: Readonly<Record<keyof EstimatedDivergences, string>> = {
  baseToTuned: 'KL(base ‖ tuned)',
  tunedToBase: 'KL(tuned ‖ base)',
  jensenShannon: 'Jensen–Shannon',
};

/** Divergences may be far below a thousandth. */
export const formatNats = (value: number): string => (value >= 0.001 || value === 0 ? formatLoss(value) : formatNorm(value));

export const natsInterval = ({ low, high }: Estimated): string => `${formatNats(low)} to ${formatNats(high)}`;

export function fisherFinding(name: string, { fisher: { whole } }: ReportOf<'fisher'>): readonly Phrase[] {
  const top = ratioOf(whole.top);
  const others = [whole.random && `a random block ${formatTimes(whole.random.ratio)}`, whole.tail && `the tail block ${formatTimes(whole.tail.ratio)}`].filter((text) => text !== undefined);
  const compared = others.length === 0 ? '' : `; ${others.join(', ')}`;
  const open = top.low <= 1 && top.high >= 1 ? ' The interval holds 1: these examples do not tell it from chance.' : '';
  return [`${name}: the top block holds `, { strong: formatTimes(top.mean) }, ` its share by chance (${timesInterval(top)})${compared}.${open}`];
}

export function statesFinding(name: string, { states }: ReportOf<'representation'>): readonly Phrase[] {
  const least = states.reduce((lowest, state) => (state.cka < lowest.cka ? state : lowest));
  const final = states.at(-1)!;
  const where = least === final ? '' : `, lowest ${placeName(least)} with ${formatProbability(least.cka)}`;
  return [`${name}: CKA is `, { strong: formatProbability(final.cka) }, ` before the head${where}.`];
}

export function outputFinding(name: string, { divergences: { baseToTuned } }: ReportOf<'output'>): readonly Phrase[] {
  return [`${name}: `, { strong: formatNats(baseToTuned.mean) }, ` nats a token from the base model (${natsInterval(baseToTuned)}).`];
}

/** "raises out-of-domain by 3.1 points (0.5–5.7)", or that it is open. */
function changeText(suite: string, change: Estimated): readonly Phrase[] {
  if (change.low === 0 && change.high === 0) return [`changes no ${suite} answer`];
  const range = formatInterval(change.low, change.high).replace('%', '');
  if (change.low > 0 || change.high < 0) return [`${change.low > 0 ? 'raises' : 'lowers'} ${suite} by `, { strong: formatPointsSize(change.mean) }, ` points (${range})`];
  return [`leaves open whether ${suite} changes (`, { strong: formatPoints(change.mean) }, ` points, ${range})`];
}

export function restoreFinding(name: string, { rows, measures }: ReportOf<'restore'>): readonly Phrase[] {
  const block = rows.find(({ weights }) => weights === 'block');
  const suites = [['out-of-domain', block?.outOfDomain.change], ['in-domain', block?.inDomain.change]] as const;
  const changes = suites.flatMap(([suite, change]) => (change ? [changeText(suite, change)] : []));
  if (changes.length === 0) return [`${name}: both suites are measured by perplexity (${measures.outOfDomain}), where lower is better.`];
  return [`${name}: putting the block back `, ...changes.flatMap((phrases, index) => (index === 0 ? phrases : [' and ', ...phrases])), '.'];
}

/** One for each report, and why parts of the block are missing where they are. */
export function restoreFindings(reports: readonly ReportOf<'restore'>[], nameOf: (report: ReportOf<'restore'>) => string): readonly (readonly Phrase[])[] {
  const whole = reports.some(({ rows }) => !rows.some(({ weights }) => weights === 'values'));
  return [
    ...reports.map((report) => restoreFinding(nameOf(report), report)),
    ...(whole ? [['k reaches the smaller side of a matrix, so that values and rotation cannot be told apart: only the block is put back.']] : []),
  ];
}
