/** @file A report in words, tables and files. Pure functions, with tests; a difference is worded no stronger than its interval. */
import type { EvaluatedItem, EvaluationReport, Score } from '../../worker/protocol.ts';
import type { Phrase } from '../charts/Phrases.tsx';
import type { TableData } from '../charts/table.ts';
import { measureInfo } from '../data/measures.ts';
import { roleName } from '../data/roles.ts';
import { formatCount, formatInterval, formatPercent, formatPointsSize } from '../format.ts';
import type { NamedReport } from './form.ts';

type ReportColumn = EvaluationReport['columns'][number];

const isPerplexity = ({ request }: Pick<EvaluationReport, 'request'>): boolean => request.measure === 'perplexity';

/** Two decimals while they say something. */
export const formatPerplexity = (value: number): string => (!Number.isFinite(value) ? '\u2013' : value < 100 ? value.toFixed(2) : formatCount(value));

/** The score of a column as its measure is written: 82.1%, or a perplexity. */
export const scoreText = (report: Pick<EvaluationReport, 'request'>, { value, items }: Score): string => (isPerplexity(report) ? formatPerplexity(value) : formatPercent(value, items));

export const intervalText = (report: Pick<EvaluationReport, 'request'>, { low, high, items }: Score): string =>
  isPerplexity(report) ? `${formatPerplexity(low)}\u2013${formatPerplexity(high)}` : formatInterval(low, high, items);

/** What the number in the score column is: "Right", "Right, mean of 4 samples", "Perplexity". */
export function scoreTitle({ request }: Pick<EvaluationReport, 'request'>): string {
  if (request.measure === 'perplexity') return 'Perplexity';
  return request.samples > 1 ? `avg@${request.samples}` : 'Right';
}

/** The base model first, then the runs as they were asked. */
export const orderedColumns = ({ columns }: Pick<EvaluationReport, 'columns'>): readonly ReportColumn[] => [...columns.filter(({ column }) => column === 'base'), ...columns.filter(({ column }) => column !== 'base')];

interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * From one score to another with a 95% interval from those of both (Newcombe 1998, method 10; Donner and Zou 2012 for other measures). It takes the two
 * as independent; they share items, so the true interval is rather narrower than wider. Of perplexities the difference is that of their logarithms.
 */
export function differenceOf(before: Score, after: Score, logarithmic = false): Difference {
  const [from, to] = [before, after].map(({ value, low, high }) => (logarithmic ? { value: Math.log(value), low: Math.log(low), high: Math.log(high) } : { value, low, high })) as [Difference, Difference];
  const value = to.value - from.value;
  return { value, low: value - Math.hypot(to.value - to.low, from.high - from.value), high: value + Math.hypot(to.high - to.value, from.value - from.low) };
}

const isOpen = ({ low, high }: Difference): boolean => !(low > 0 || high < 0);

/** "RPSFT and SFT" */
const list = (names: readonly string[]): string => new Intl.ListFormat('en-GB').format(names);

/** "RPSFT is 12.3 points above the base model." */
function clause({ report, names }: NamedReport, reference: ReportColumn, column: ReportColumn): readonly Phrase[] {
  const own = names[column.column] ?? column.column;
  const other = reference.column === 'base' ? 'the base model' : (names[reference.column] ?? reference.column);
  const { value } = differenceOf(reference.score, column.score, isPerplexity(report));
  if (isPerplexity(report)) return [`${own} has a ${value > 0 ? 'higher' : 'lower'} perplexity than ${other}, `, { strong: scoreText(report, column.score) }, ' against ', { strong: scoreText(report, reference.score) }];
  return [`${own} is `, { strong: formatPointsSize(value) }, ` points ${value > 0 ? 'above' : 'below'} ${other}`];
}

/** Which columns differ from the base model by more than the uncertainty. With one column, what it scored. */
export function reportSentence(named: NamedReport): readonly Phrase[] {
  const { report, names } = named;
  const [base, ...others] = orderedColumns(report);
  if (base === undefined) return [];
  if (others.length === 0) {
    const name = base.column === 'base' ? 'The base model' : (names[base.column] ?? base.column);
    return isPerplexity(report) ? [`${name} has a perplexity of `, { strong: scoreText(report, base.score) }, '.'] : [`${name} has `, { strong: scoreText(report, base.score) }, ' right.'];
  }
  const clear = others.filter(({ score }) => !isOpen(differenceOf(base.score, score, isPerplexity(report))));
  if (clear.length === 0) return [`${list(others.map(({ column }) => names[column] ?? column))} ${others.length === 1 ? 'does' : 'do'} not differ from the base model beyond the uncertainty.`];
  const open = others.filter((column) => !clear.includes(column)).map(({ column }) => names[column] ?? column);
  const clauses = clear.flatMap((column, index): readonly Phrase[] => [...(index === 0 ? [] : ['; ']), ...clause(named, base, column)]);
  return [...clauses, open.length === 0 ? '.' : `; the difference of ${list(open)} is within the uncertainty.`];
}

/** Which runs differ from each other by more than the uncertainty; nothing where there are fewer than two. */
export function runsSentence(named: NamedReport): string {
  const { report } = named;
  const runs = orderedColumns(report).filter(({ column }) => column !== 'base');
  const pairs = runs.flatMap((run, index) => runs.slice(index + 1).map((other) => [run, other] as const));
  if (pairs.length === 0) return '';
  const clear = pairs.filter(([run, other]) => !isOpen(differenceOf(other.score, run.score, isPerplexity(report))));
  if (clear.length === 0) return `Between the runs no difference exceeds the uncertainty: which is ahead is open.`;
  return `${clear.map(([run, other]) => clause(named, other, run).map((phrase) => (typeof phrase === 'string' ? phrase : phrase.strong)).join('')).join('; ')}${clear.length < pairs.length ? '; between the others it is open' : ''}.`;
}

/** "Held-out, 100 items of measured.jsonl, by generated answer: 4 samples at temperature 0.7, at most 256 tokens, seed 1." */
export function reportDetail({ dataset, request, columns }: EvaluationReport): string {
  const items = columns[0]?.score.items ?? 0;
  const sampling = request.samples > 1 || request.temperature > 0 ? `${formatCount(request.samples)} ${request.samples === 1 ? 'sample' : 'samples'} at temperature ${request.temperature}` : 'greedy';
  const generated = request.measure === 'generation' ? `: ${sampling}, at most ${formatCount(request.maxNewTokens)} tokens${request.temperature > 0 ? `, seed ${request.seed}` : ''}` : '';
  return `${roleName(request.role)}, ${formatCount(items)} ${items === 1 ? 'item' : 'items'} of ${dataset}, by ${measureInfo(request.measure).words}${generated}.`;
}

const shares = (title: string, pick: (column: ReportColumn) => Score | undefined): { readonly title: string; readonly pick: (column: ReportColumn) => Score | undefined } => ({ title, pick });

/** Further scores that a measure has beside its own. */
export const furtherScores = ({ columns }: Pick<EvaluationReport, 'columns'>): readonly { readonly title: string; readonly pick: (column: ReportColumn) => Score | undefined }[] =>
  [shares('Right by byte (acc_norm)', ({ normalised }) => normalised), shares('Ended by itself', ({ stopRate }) => stopRate)].filter(({ pick }) => columns.some((column) => pick(column) !== undefined));

/** Every score of a report, one a row, for a spreadsheet. */
export function reportTable({ report, names }: NamedReport): TableData {
  const row = (name: string, what: string, { value, low, high, items }: Score): readonly (string | number)[] => [name, report.dataset, what, items, value, low, high];
  const rows = orderedColumns(report).flatMap((column) => {
    const name = names[column.column] ?? column.column;
    const further = furtherScores(report).flatMap(({ title, pick }) => {
      const score = pick(column);
      return score === undefined ? [] : [row(name, title, score)];
    });
    return [row(name, measureInfo(report.request.measure).name, column.score), ...further, ...column.groups.map((score) => row(name, `Group ${score.group}`, score))];
  });
  return { columns: ['Column', 'Data', 'Score', 'Items', 'Value', '95% low', '95% high'].map((title) => ({ title })), rows };
}

/** Groups of a report with the score of each column, in the order of its columns. */
export function groupRows(report: EvaluationReport): readonly { readonly group: string; readonly scores: readonly (Score | undefined)[] }[] {
  const columns = orderedColumns(report);
  const groups = [...new Set(columns.flatMap((column) => column.groups.map(({ group }) => group)))];
  return groups.map((group) => ({ group, scores: columns.map((column) => column.groups.find((score) => score.group === group)) }));
}

/** The items as JSON lines: what was asked, what is right, and what each column answered under its name. */
export const itemLines = (items: readonly EvaluatedItem[], names: NamedReport['names']): string =>
  items.map(({ answers, ...item }) => `${JSON.stringify({ ...item, answers: answers.map(({ column, ...answer }) => ({ model: names[column] ?? column, ...answer })) })}\n`).join('');

export type Verdict = 'correct' | 'incorrect' | 'partly';

/** How an answer came out, with its words; undefined where there is no right or wrong. */
export function verdictOf(score: number | undefined, samples: number): { readonly verdict: Verdict; readonly words: string } | undefined {
  if (score === undefined) return undefined;
  if (samples <= 1) return score >= 1 ? { verdict: 'correct', words: 'correct' } : { verdict: 'incorrect', words: 'incorrect' };
  const right = Math.round(score * samples);
  return { verdict: right === samples ? 'correct' : right === 0 ? 'incorrect' : 'partly', words: `${formatCount(right)} of ${formatCount(samples)} correct` };
}
