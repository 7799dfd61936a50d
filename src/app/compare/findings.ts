/**
 * @file The sentence that the Compare view and the report open with, and what it leaves open. Pure functions of a comparison; worded no stronger than
 * the data, whichever method is ahead.
 */
import type { Phrase } from '../charts/Phrases.tsx';
import { formatCount, formatCounted, formatInterval, formatPercent, formatPointsSize } from '../format.ts';
import type { Finding } from '../train/findings.ts';
import type { ComparedGroup, Comparison } from './comparison.ts';
import { familyOf } from '../charts/names.ts';
import { hasRange, verdict, type Kept, type Level, type Spread } from './statistics.ts';

/** A group in the sentence: by its method where it is the best of it, else by its name. */
interface Entry {
  readonly name: string;
  readonly one: ComparedGroup;
  readonly kept: Kept;
  readonly value: Spread;
}

/** More than these make no sentence. */
const mostEntries = 5;

const byValue = (a: Entry, b: Entry): number => b.value.mean - a.value.mean;

const listOf = (parts: readonly string[]): string => new Intl.ListFormat('en-GB').format(parts);

/** The last evaluation's items, which say how finely an accuracy can be told. */
const itemsOf = (one: ComparedGroup, suite: 'inDomain' | 'outOfDomain'): number => one.runs[0]?.evaluations.at(-1)?.[suite].items ?? Infinity;

/** The groups that reach a level, best first. */
function entriesAt({ groups, kept }: Comparison, index: number): readonly Entry[] {
  return groups
    .flatMap((one): Entry[] => {
      const at = kept.get(one)?.[index];
      return at?.value === undefined ? [] : [{ name: one.group.name, one, kept: at, value: at.value }];
    })
    .toSorted(byValue);
}

/** The best of each method. */
const bestOfEach = (entries: readonly Entry[]): readonly Entry[] =>
  entries.filter((entry, index) => entries.findIndex((other) => familyOf(other.one.group.config) === familyOf(entry.one.group.config)) === index);

/** Why nothing can be said of an order: "RPSFT has 1 seed", "SFT reaches this level in 2 of 3". Empty when something can. */
function gapsOf(entries: readonly Entry[]): readonly string[] {
  const single = entries.filter(({ kept }) => kept.reached === kept.of && !hasRange(kept)).map(({ one }) => one.group.name);
  const partly = entries.filter(({ kept }) => kept.reached < kept.of).map(({ one, kept }) => `${one.group.name} reaches this level in ${kept.reached} of ${kept.of}`);
  return [...(single.length === 0 ? [] : [single.length === 1 ? `${single[0]} has 1 seed` : `${listOf(single)} have 1 seed each`]), ...partly];
}

/** What is known of the order of the best two, and whether more seeds would tell more. */
function orderOf(first: Entry, second: Entry): { readonly sentence: string; readonly wantsSeeds: boolean } {
  const names = [first.one.group.name, second.one.group.name] as const;
  const gaps = gapsOf([first, second]);
  if (gaps.length > 0) return { sentence: `${listOf(gaps)}, so which of the two is ahead is open.`, wantsSeeds: true };
  const ranges = [first, second].map(({ value, one }) => formatInterval(value.low, value.high, itemsOf(one, 'outOfDomain')));
  const seeds = Math.min(first.kept.of, second.kept.of);
  const said = `${ranges[0]} for ${names[0]} and ${ranges[1]} for ${names[1]}`;
  const most = Math.max(first.kept.of, second.kept.of);
  const over = seeds === most ? `${seeds} seeds each` : `${seeds} and ${most} seeds`;
  if (verdict(first.kept, second.kept) === 'up') return { sentence: `Their ranges over ${over} are apart, ${said}: ${names[0]} is ahead at this level.`, wantsSeeds: false };
  return { sentence: `Their ranges over ${over} overlap, ${said}, so which of the two is ahead is open.`, wantsSeeds: seeds < 3 };
}

const levelText = ({ inDomain }: Level): string => formatPercent(inDomain, 0);

const reachedByAll = ({ kept }: Entry): boolean => kept.reached === kept.of;

/**
 * Two methods if they reach a level together: at the highest level that every seed of the best two reaches, for of others nothing is known; where there is
 * none, at the highest that some seed of two reaches. Else the settings of one method; else the best alone.
 */
function chooseLevel(comparison: Comparison): { readonly index: number; readonly entries: readonly Entry[]; readonly perMethod: boolean } | undefined {
  const at = comparison.levels.map((_, index) => ({ index, all: entriesAt(comparison, index) })).reverse();
  const several = at.filter(({ all }) => bestOfEach(all).length > 1);
  const methods = several.find(({ all }) => bestOfEach(all).slice(0, 2).every(reachedByAll)) ?? several[0];
  if (methods !== undefined) return { index: methods.index, entries: bestOfEach(methods.all), perMethod: true };
  const settings = at.find(({ all }) => all.length > 1) ?? at.find(({ all }) => all.length > 0);
  return settings === undefined ? undefined : { index: settings.index, entries: settings.all, perMethod: false };
}

/** "At 85% in-domain, L2-SP keeps 79.3% out-of-domain, RPSFT 78.8%." */
function keptSentence(level: Level, entries: readonly Entry[], perMethod: boolean): readonly Phrase[] {
  const [first, ...others] = entries.slice(0, mostEntries);
  if (first === undefined) return [];
  const name = ({ one }: Entry): string => (perMethod ? familyOf(one.group.config) : one.group.name);
  const value = ({ value: { mean }, one }: Entry): Phrase => ({ strong: formatPercent(mean, itemsOf(one, 'outOfDomain')) });
  return [`At ${levelText(level)} in-domain, ${name(first)} keeps `, value(first), ' out-of-domain', ...others.flatMap((entry): Phrase[] => [`, ${name(entry)} `, value(entry)]), '.'];
}

/** Methods, or groups of one method, that never get to a level. */
function absentSentence({ groups }: Comparison, entries: readonly Entry[], perMethod: boolean): string {
  const name = (one: ComparedGroup): string => (perMethod ? familyOf(one.group.config) : one.group.name);
  const present = new Set(entries.map(({ one }) => name(one)));
  const absent = [...new Set(groups.map(name))].filter((one) => !present.has(one));
  return absent.length === 0 ? '' : `${listOf(absent)} ${absent.length === 1 ? 'does' : 'do'} not reach this level.`;
}

const runsIn = (groups: readonly ComparedGroup[]): number => groups.reduce((sum, { runs }) => sum + runs.length, 0);

const leftOutSentence = ({ leftOut }: Comparison): string =>
  leftOut === 0 ? '' : `${formatCounted(leftOut, 'group')} ${leftOut === 1 ? 'was' : 'were'} measured on other data or another model and ${leftOut === 1 ? 'stays' : 'stay'} out of the comparison.`;

const inWords = (sentences: readonly string[]): string => sentences.filter(Boolean).join(' ');

/** No group has gained anything that could be held equal. */
function gainless(comparison: Comparison, onPage: boolean): Finding {
  const { groups } = comparison;
  const least = groups.reduce<ComparedGroup | undefined>((most, one) => (most === undefined || one.last.change.mean > most.last.change.mean ? one : most), undefined);
  const kept = least === undefined ? '' : `${least.group.name} ${least.last.change.mean < 0 ? 'lost least' : 'kept most'} out-of-domain: ${formatPointsSize(least.last.change.mean)} points ${least.last.change.mean < 0 ? 'lost' : 'gained'}.`;
  return { line: ['No run has gained in-domain, so there is nothing to hold equal yet.'], detail: inWords([kept, onPage ? 'More steps or a higher learning rate may help.' : '', leftOutSentence(comparison)]) };
}

/** What the comparison shows, and how far it can be trusted; with what to do next where there is a page to do it on. */
export function comparisonFinding(comparison: Comparison, onPage = false): Finding {
  const { groups, levels } = comparison;
  if (groups.length === 0) {
    const line = comparison.leftOut > 0 ? 'The runs here cannot be compared by accuracy.' : 'No run has been measured yet.';
    return { line: [line], detail: comparison.leftOut > 0 ? 'Their suites are plain text or differ from run to run. The curves and the table below still show each.' : 'A run appears here with its first evaluation. Two runs make a comparison.' };
  }
  const chosen = chooseLevel(comparison);
  const level = levels[chosen?.index ?? -1];
  if (chosen === undefined || level === undefined) return gainless(comparison, onPage);
  const { entries, perMethod } = chosen;
  const [first, second] = entries;
  const count = `${formatCounted(runsIn(groups), 'run')} in ${formatCounted(groups.length, 'group')}${perMethod && groups.length > new Set(groups.map(({ group }) => familyOf(group.config))).size ? ', the best of each method' : ''}.`;
  const order = first !== undefined && second !== undefined ? orderOf(first, second) : undefined;
  const next = !onPage ? '' : order === undefined ? 'Another method, in the queue or in Method, makes a comparison.' : order.wantsSeeds ? 'Add seeds to the queue.' : '';
  const items = first === undefined ? '' : `Measured on ${formatCount(itemsOf(first.one, 'inDomain'))} items in-domain and ${formatCount(itemsOf(first.one, 'outOfDomain'))} out-of-domain.`;
  return { line: keptSentence(level, entries, perMethod), detail: inWords([count, order?.sentence ?? '', next, absentSentence(comparison, entries, perMethod), items, leftOutSentence(comparison)]) };
}
