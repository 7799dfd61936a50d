/**
 * @file The sentence that the Train view opens with, and the numbers in it. Pure functions of the evaluations; a finding is worded no
 * stronger than its data, also where another method is ahead.
 */
import type { Accuracy, Evaluation, RunConfig } from '../../worker/protocol.ts';
import type { BalanceRow, Change } from '../charts/Balance.tsx';
import type { Phrase } from '../charts/Phrases.tsx';
import { formatCount, formatInterval, formatPercent, formatPointsSize } from '../format.ts';
import { isLive, type LabRun } from '../runs.ts';

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

/** The base model's evaluation and the latest one after it. */
export function firstAndLast(run: LabRun): { readonly base: Evaluation; readonly last: Evaluation } | undefined {
  const base = run.evaluations.find((evaluation) => evaluation.step === 0);
  const last = run.evaluations.at(-1);
  return base && last && last.step > 0 ? { base, last } : undefined;
}

/** The rows of the balance: runs with an evaluation besides the base model's. */
export function balanceRows(runs: readonly NamedRun[]): readonly BalanceRow[] {
  return runs.flatMap(({ run, name }) => {
    const ends = firstAndLast(run);
    if (!ends) return [];
    const { base, last } = ends;
    return [
      {
        id: run.id,
        name,
        method: run.config.method,
        inDomain: changeBetween(base.inDomain, last.inDomain),
        outOfDomain: changeBetween(base.outOfDomain, last.outOfDomain),
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

/** Where a run first reaches an in-domain accuracy, and its out-of-domain accuracy there. Between evaluations both are interpolated linearly. */
export function outOfDomainAt(run: LabRun, inDomain: number): { readonly share: number; readonly interpolated: boolean } | undefined {
  for (const [index, evaluation] of run.evaluations.entries()) {
    const reached = share(evaluation.inDomain);
    if (reached < inDomain) continue;
    const before = run.evaluations[index - 1];
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
  if (directionOf(changeBetween(ends.base.inDomain, ends.last.inDomain)) !== 'gained') return '';
  const there = outOfDomainAt(other.run, share(ends.last.inDomain));
  if (!there)
    return `${other.name} ${isLive(other.run) ? 'has not reached this in-domain gain yet' : 'did not reach this in-domain gain'}.`;
  const change = there.share - share(theirs.base.outOfDomain);
  const size = `${there.interpolated ? 'about ' : ''}${formatPointsSize(change)}`;
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
  const { base, last } = ends;
  const detail = [
    `${name} ${whereSentence(run, last.step)}, against the base model.`,
    ...others.map((other) => comparisonSentence(run, other)),
    `95% intervals: ${withItems('in-domain', last.inDomain, ' items')}, ${withItems('out-of-domain', last.outOfDomain)}.`,
    seedSentence([run, ...others.map((other) => other.run)]),
  ];
  return {
    line: changeSentence(changeBetween(base.inDomain, last.inDomain), changeBetween(base.outOfDomain, last.outOfDomain)),
    detail: detail.filter((sentence) => sentence !== '').join(' '),
  };
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
  const measured = (accuracy: Accuracy, place: string): string =>
    `${formatPercent(share(accuracy), accuracy.items)} ${place} on ${formatCount(accuracy.items)}`;
  const sentences = [
    ...(isLive(run) ? [`First evaluation at step ${formatCount(Math.min(config.evaluateEvery, config.steps))}.`] : []),
    ...(base ? [`The base model: ${measured(base.inDomain, 'in-domain')} items, ${measured(base.outOfDomain, 'out-of-domain')}.`] : []),
  ];
  return { line: [`${name} ${verb}.`], detail: sentences.join(' ') };
}

/** The view before any run: what the next one will be. */
export function readyFinding(config: RunConfig, method: string, dataset: string, about: string | undefined): Finding {
  const time = about === undefined ? '' : `, ${about} here`;
  const size = `${formatCount(config.steps)} steps of ${formatCount(config.batchSize)} rows${time}.`;
  const every = `every ${formatCount(config.evaluateEvery)} steps on ${formatCount(config.evaluationItems)} items of each suite`;
  return {
    line: [`Ready to run ${method} on ${dataset}.`],
    detail: `${size} Charts fill from the first step; accuracy is measured ${every}, and on all of them at the end.`,
  };
}
