/** @file The rows of "Kept at equal gain": their order, their reference, and which of them are marked. Pure, for the page and the report. */
import { formatPercentValue, formatInterval } from '../format.ts';
import type { ComparedGroup, Comparison } from './comparison.ts';
import { verdict, type Kept } from './statistics.ts';

export interface KeptRow {
  readonly one: ComparedGroup;
  /** By level. */
  readonly kept: readonly Kept[];
  /** Against the reference, by level. */
  readonly marks: readonly ('up' | 'down' | undefined)[];
}

/** "79–82%", "1 seed", "2 of 3": what stands beside a value. */
export function seedText({ value, reached, of }: Kept, items = Infinity): string {
  if (reached < of) return `${reached} of ${of}`;
  if (of === 1 || value === undefined) return '1 seed';
  const [low, high] = [formatPercentValue(value.low, items), formatPercentValue(value.high, items)];
  return low === high ? `${of} seeds` : formatInterval(value.low, value.high, items).replace('%', '');
}

/**
 * Groups that reach the lowest level, best first there. Without a chosen reference it is SFT where there is one, in full before
 * LoRA and the one whose most seeds get there, because everything is said against it; else the first row.
 */
export function keptRows(comparison: Comparison, wanted: string | undefined): { readonly rows: readonly KeptRow[]; readonly reference: ComparedGroup | undefined; readonly absent: string } {
  const reaching = comparison.groups.filter((one) => comparison.kept.get(one)?.[0]?.value !== undefined);
  const at = (one: ComparedGroup): number => comparison.kept.get(one)?.[0]?.value?.mean ?? 0;
  const sorted = reaching.toSorted((a, b) => at(b) - at(a));
  const seeds = (one: ComparedGroup): number => comparison.kept.get(one)?.[0]?.reached ?? 0;
  const isAdapter = ({ group: { config } }: ComparedGroup): number => Number(config.lora !== undefined);
  const plain = sorted.filter(({ group: { config } }) => config.method === 'sft' && config.penalty === undefined && config.reinforce === undefined).toSorted((a, b) => isAdapter(a) - isAdapter(b) || seeds(b) - seeds(a));
  const reference = sorted.find(({ group }) => group.id === wanted) ?? plain[0] ?? sorted[0];
  const theirs = reference && comparison.kept.get(reference);
  const absent = comparison.groups.filter((one) => !reaching.includes(one)).map(({ group }) => group.name);
  return {
    reference,
    rows: sorted.map((one) => {
      const kept = comparison.kept.get(one) ?? [];
      return { one, kept, marks: kept.map((own, index) => (one === reference || theirs?.[index] === undefined ? undefined : verdict(own, theirs[index]))) };
    }),
    absent: absent.length === 0 || comparison.levels.length === 0 ? '' : `${new Intl.ListFormat('en-GB').format(absent)} ${absent.length === 1 ? 'does' : 'do'} not reach any of these.`,
  };
}
