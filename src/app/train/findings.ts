/**
 * @file The sentence that the Train view opens with, and the numbers in it. Pure functions of the evaluations; a finding is worded no
 * stronger than its data, also where another method is ahead.
 */
import type { Accuracy, Evaluation, Measure, RunConfig, SuiteMeasures } from '../../worker/protocol.ts';
import type { BalanceRow, Change } from '../charts/Balance.tsx';
import type { Phrase } from '../charts/Phrases.tsx';
import { formatCount, formatInterval, formatLoss, formatPercent, formatPoints, formatPointsSize } from '../format.ts';
import { stepsText } from '../method/reinforce.ts';
import { isAccuracy, suiteLoss, suitePlaces, type Suite } from '../results.ts';
import { exactMeasures, isLive, pathOf, type LabRun } from '../runs.ts';

/** A run and its name among those in the figures. */
export interface NamedRun {
  readonly run: LabRun;
  readonly name: string;
}

export interface Finding {
  readonly line: readonly Phrase[];
  readonly detail: string;
}

const share = ({ correct, items }: Accuracy): number => (items === 0 ? 0 : correct / items);

/**
 * Change from `before` to `after` with a 95% interval from the intervals of both (Newcombe 1998, method 10). It takes the two as independent; they share
 * items, so the true interval is rather narrower than wider.
 */
export function changeBetween(before: Accuracy, after: Accuracy): Change {
  const [p, q] = [share(before), share(after)];
  const value = q - p;
  return { value, low: value - Math.hypot(q - after.low, before.high - p), high: value + Math.hypot(after.high - q, p - before.low) };
}

interface Ends {
  readonly base: Evaluation;
  readonly last: Evaluation;
}

/** The base model's evaluation and the latest one after it. */
export function firstAndLast(run: LabRun): Ends | undefined {
  const base = run.evaluations.find((evaluation) => evaluation.step === 0);
  const last = run.evaluations.at(-1);
  return base && last && last.step > 0 ? { base, last } : undefined;
}

/** Change of a suite's accuracy; undefined for one that is measured by its loss. */
const accuracyChange = ({ measures }: LabRun, { base, last }: Ends, suite: Suite): Change | undefined =>
  isAccuracy(measures[suite]) ? changeBetween(base[suite], last[suite]) : undefined;

/** The rows of the balance: runs with an evaluation besides the base model's, and an accuracy in it. */
export function balanceRows(runs: readonly NamedRun[]): readonly BalanceRow[] {
  return runs.flatMap(({ run, name }) => {
    const ends = firstAndLast(run);
    if (!ends) return [];
    const [inDomain, outOfDomain] = [accuracyChange(run, ends, 'inDomain'), accuracyChange(run, ends, 'outOfDomain')];
    if (inDomain === undefined && outOfDomain === undefined) return [];
    return [
      {
        id: run.id,
        name,
        method: run.config.method,
        inDomain,
        outOfDomain,
      },
    ];
  });
}

type Direction = 'gained' | 'lost' | 'open';

/** A change counts as one only when its interval leaves out zero. */
const directionOf = ({ low, high }: Change): Direction => (low > 0 ? 'gained' : high < 0 ? 'lost' : 'open');

/** "Gained 55.5 points in-domain, lost 13.1 out-of-domain." */
export function changeSentence(inDomain: Change, outOfDomain: Change): readonly Phrase[] {
  const parts = [
    { place: 'in-domain', direction: directionOf(inDomain), size: formatPointsSize(inDomain.value) },
    { place: 'out-of-domain', direction: directionOf(outOfDomain), size: formatPointsSize(outOfDomain.value) },
  ];
  const clear = parts.filter(({ direction }) => direction !== 'open');
  const open = parts.find(({ direction }) => direction === 'open');
  const capital = (direction: Direction): string => (direction === 'gained' ? 'Gained ' : 'Lost ');
  const [first, second] = clear;
  if (!first) return ['No change beyond the uncertainty, in-domain or out-of-domain.'];
  const opening: Phrase[] = [capital(first.direction), { strong: first.size }, ` points ${first.place}`];
  if (second) return [...opening, `, ${second.direction} `, { strong: second.size }, ` ${second.place}.`];
  return [...opening, `; the change ${open?.place} is within its uncertainty.`];
}

/** How the loss of a suite went. It has no interval here, so the two values are all that is said. */
function lossClause(ends: Ends, suite: Suite): readonly Phrase[] {
  const place = suitePlaces[suite];
  const [before, after] = [suiteLoss(ends.base, suite), suiteLoss(ends.last, suite)];
  if (!Number.isFinite(before) || !Number.isFinite(after)) return [`the ${place} loss was not measured`];
  const [from, to] = [formatLoss(before), formatLoss(after)];
  if (from === to) return [`${place} loss stayed at `, { strong: to }];
  return [`${place} loss ${after < before ? 'fell' : 'rose'} from `, { strong: from }, ' to ', { strong: to }];
}

function accuracyClause(change: Change, suite: Suite): readonly Phrase[] {
  const direction = directionOf(change);
  if (direction === 'open') return [`the ${suitePlaces[suite]} change of accuracy is within its uncertainty`];
  return [`${direction} `, { strong: formatPointsSize(change.value) }, ` points ${suitePlaces[suite]}`];
}

const capitalised = ([first = '', ...rest]: readonly Phrase[]): readonly Phrase[] => (typeof first === 'string' ? [first.slice(0, 1).toUpperCase() + first.slice(1), ...rest] : [first, ...rest]);

const uncapitalised = ([first = '', ...rest]: readonly Phrase[]): readonly Phrase[] => (typeof first === 'string' ? [first.slice(0, 1).toLowerCase() + first.slice(1), ...rest] : [first, ...rest]);

/** "In-domain loss fell from 3.214 to 2.871; lost 13.1 points out-of-domain." */
function lineOf(run: LabRun, ends: Ends): readonly Phrase[] {
  // A run that goes on from another is read against where it starts.
  if (run.start !== undefined) return ['Since its start: ', ...uncapitalised(changesOf(run, { ...ends, base: run.start }))];
  return changesOf(run, ends);
}

function changesOf(run: LabRun, ends: Ends): readonly Phrase[] {
  const [inDomain, outOfDomain] = [accuracyChange(run, ends, 'inDomain'), accuracyChange(run, ends, 'outOfDomain')];
  if (inDomain !== undefined && outOfDomain !== undefined) return changeSentence(inDomain, outOfDomain);
  const clause = (change: Change | undefined, suite: Suite): readonly Phrase[] => (change === undefined ? lossClause(ends, suite) : accuracyClause(change, suite));
  return [...capitalised(clause(inDomain, 'inDomain')), '; ', ...clause(outOfDomain, 'outOfDomain'), '.'];
}

/** What the numbers rest on: intervals of accuracies, items of losses. */
function evidence({ measures }: LabRun, last: Evaluation): string {
  const suites = ['inDomain', 'outOfDomain'] as const;
  const accuracies = suites.filter((suite) => isAccuracy(measures[suite]));
  const losses = suites.filter((suite) => !isAccuracy(measures[suite]));
  const intervals = accuracies.map((suite, index) => withItems(suitePlaces[suite], last[suite], index === 0 ? ' items' : ''));
  const means = losses.map((suite) => `${formatCount(last[suite].items)} ${suitePlaces[suite]} items`);
  return [
    ...(intervals.length > 0 ? [`95% ${intervals.length === 1 ? 'interval' : 'intervals'}: ${intervals.join(', ')}.`] : []),
    ...(means.length > 0 ? [`Loss a token over ${means.join(' and ')}, without interval; Evaluate gives one of the perplexity.`] : []),
  ].join(' ');
}

/** Where a run first reaches an in-domain accuracy, which may be where it starts, and its out-of-domain accuracy there. Between evaluations both are interpolated linearly. */
export function outOfDomainAt(run: Pick<LabRun, 'evaluations' | 'start'>, inDomain: number): { readonly share: number; readonly interpolated: boolean } | undefined {
  const path = pathOf(run);
  for (const [index, evaluation] of path.entries()) {
    const reached = share(evaluation.inDomain);
    if (reached < inDomain) continue;
    const before = path[index - 1];
    if (!before || reached === inDomain) return { share: share(evaluation.outOfDomain), interpolated: false };
    const start = share(before.inDomain);
    const part = (inDomain - start) / (reached - start);
    return { share: share(before.outOfDomain) + part * (share(evaluation.outOfDomain) - share(before.outOfDomain)), interpolated: true };
  }
  return undefined;
}

/** "At this in-domain gain SFT had lost about 20.2." */
export function comparisonSentence(current: LabRun, other: NamedRun): string {
  const ends = firstAndLast(current);
  const theirs = firstAndLast(other.run);
  if (!ends || !theirs) return '';
  const comparable = [current, other.run].every(({ measures }) => isAccuracy(measures.inDomain) && isAccuracy(measures.outOfDomain));
  if (!comparable) return '';
  if (directionOf(changeBetween(ends.base.inDomain, ends.last.inDomain)) !== 'gained') return '';
  const there = outOfDomainAt(other.run, share(ends.last.inDomain));
  if (!there)
    return `${other.name} ${isLive(other.run) ? 'has not reached this in-domain gain yet' : 'did not reach this in-domain gain'}.`;
  const change = there.share - share(theirs.base.outOfDomain);
  const size = `${there.interpolated ? 'about ' : ''}${formatPointsSize(change)}`;
  if (current.start !== undefined || other.run.start !== undefined) return `At its in-domain accuracy ${other.name} had ${change <= 0 ? 'lost' : 'gained'} ${size} against the base model.`;
  return `At this in-domain gain ${other.name} had ${change <= 0 ? 'lost' : 'gained'} ${size}.`;
}

/** How many seeds of each setting are drawn, and what that leaves open. Ranges over seeds are not drawn here, so no order is claimed. */
export function seedSentence(runs: readonly LabRun[]): string {
  const settings = ({ config }: LabRun): string => JSON.stringify({ ...config, seed: 0 });
  const seeds = new Map<string, Set<number>>();
  for (const run of runs) seeds.set(settings(run), (seeds.get(settings(run)) ?? new Set()).add(run.config.seed));
  const counts = [...seeds.values()].map(({ size }) => size);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (seeds.size === 1) return most === 1 ? '1 seed.' : `${most} seeds of one setting.`;
  if (most === 1) return `1 seed each: which of the ${seeds.size === 2 ? 'two' : 'runs'} is ahead is open.`;
  return `${least === most ? least : `${least} to ${most}`} seeds a setting: which is ahead is open.`;
}

/** "at step 480 of 600", "after 600 steps", "stopped at step 480 of 600". */
export function whereSentence(run: LabRun, step: number): string {
  const { steps } = run.config;
  if (step >= steps) return `after ${formatCount(steps)} steps`;
  return `${isLive(run) ? '' : 'stopped, '}at step ${formatCount(step)} of ${formatCount(steps)}`;
}

const withItems = (name: string, { low, high, items }: Accuracy, noun = ''): string =>
  `${name} ${formatInterval(low, high, items)} on ${formatCount(items)}${noun}`;

/** What the current run has shown so far, against the base model and the runs laid over it. */
export function findingOf(current: NamedRun, others: readonly NamedRun[]): Finding {
  const { run, name } = current;
  const ends = firstAndLast(run);
  if (!ends) return beforeFirstEvaluation(current);
  const { last } = ends;
  const detail = [
    `${name} ${whereSentence(run, last.step)}, against the ${run.start === undefined ? 'base model' : 'run it starts from'}.`,
    againstBase(run, ends),
    ...others.map((other) => comparisonSentence(run, other)),
    evidence(run, last),
    seedSentence([run, ...others.map((other) => other.run)]),
  ];
  return {
    line: lineOf(run, ends),
    detail: detail.filter((sentence) => sentence !== '').join(' '),
  };
}

/** "Against the base model +50.1 points in-domain, −12.4 out-of-domain." Empty where the finding says that already. */
function againstBase(run: LabRun, ends: Ends): string {
  if (run.start === undefined) return '';
  const changes = (['inDomain', 'outOfDomain'] as const).flatMap((suite) => {
    const change = accuracyChange(run, ends, suite);
    return change === undefined ? [] : [{ suite, points: formatPoints(change.value) }];
  });
  return changes.length === 0 ? '' : `Against the base model ${changes.map(({ suite, points }, index) => `${points}${index === 0 ? ' points' : ''} ${suitePlaces[suite]}`).join(', ')}.`;
}

function beforeFirstEvaluation({ run, name }: NamedRun): Finding {
  const base = run.evaluations.find((evaluation) => evaluation.step === 0);
  const { config } = run;
  const verb =
    run.state === 'failed'
      ? 'failed before its first evaluation'
      : run.state === 'stopped'
        ? 'was stopped before its first evaluation'
        : 'is training';
  const measured = (evaluation: Evaluation, suite: Suite): string => {
    const accuracy = evaluation[suite];
    const value = isAccuracy(run.measures[suite]) ? formatPercent(share(accuracy), accuracy.items) : `loss ${formatLoss(suiteLoss(evaluation, suite))}`;
    return `${value} ${suitePlaces[suite]} on ${formatCount(accuracy.items)}`;
  };
  const sentences = [
    ...(isLive(run) ? [`First evaluation at step ${formatCount(Math.min(config.evaluateEvery, config.steps))}.`] : []),
    ...(base ? [`The base model: ${measured(base, 'inDomain')} items, ${measured(base, 'outOfDomain')}.`] : []),
    ...(run.start ? [`Where it starts: ${measured(run.start, 'inDomain')} items, ${measured(run.start, 'outOfDomain')}.`] : []),
  ];
  return { line: [`${name} ${verb}.`], detail: sentences.join(' ') };
}

/** "accuracy is", "in-domain loss and out-of-domain accuracy are" */
function whatIsMeasured({ inDomain, outOfDomain }: SuiteMeasures): string {
  const name = (measure: Measure): string => (isAccuracy(measure) ? 'accuracy' : 'loss');
  if (name(inDomain) === name(outOfDomain)) return isAccuracy(inDomain) ? 'accuracy is' : 'the loss of both suites is';
  return `in-domain ${name(inDomain)} and out-of-domain ${name(outOfDomain)} are`;
}

/** The view before any run: what the next one will be. */
export function readyFinding(config: RunConfig, method: string, dataset: string, about: string | undefined, measures: SuiteMeasures = exactMeasures): Finding {
  const time = about === undefined ? '' : `, ${about} here`;
  const size = `${stepsText(config)}${time}.`;
  const every = `every ${formatCount(config.evaluateEvery)} steps on ${formatCount(config.evaluationItems)} items of each suite`;
  return {
    line: [`Ready to run ${method} on ${dataset}.`],
    detail: `${size} Charts fill from the first step; ${whatIsMeasured(measures)} measured ${every}, and on all of them at the end.`,
  };
}
