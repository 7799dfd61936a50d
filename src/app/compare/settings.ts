/** @file The settings in which runs differ, and those they share. Pure. */
import { configRows } from '../run/configRows.ts';
import { isUnknown } from '../runs.ts';
import type { KeptRuns, RunGroup } from './groups.ts';

/** A table of settings: a column each, a row a group. */
export interface SettingsTable {
  readonly columns: readonly string[];
  /** In the order of the groups; undefined where a group has no such setting. */
  readonly rows: readonly (readonly (string | undefined)[])[];
  /** Settings that all groups share, by name. */
  readonly shared: readonly (readonly [name: string, value: string])[];
}

/** Every setting, its model, data and where it ran, by name; the seed tells runs of one group apart, not groups. */
function rowsOf({ config, runs: [first] }: RunGroup, kept: KeptRuns): ReadonlyMap<string, string> {
  const place = first && kept[first.id]?.environment.adapter;
  const known: readonly (readonly [string, string])[] = first !== undefined && isUnknown(first) ? [] : configRows(config);
  return new Map([
    ...known.filter(([name]) => name !== 'Seed'),
    ...(first === undefined ? [] : [['Model', first.model], ['Data', first.dataset]] as const),
    ...(place === undefined || place === '' ? [] : [['Adapter', place] as const]),
  ]);
}

/** Splits all settings into those that differ between groups and those that do not. */
export function settingsTable(groups: readonly RunGroup[], kept: KeptRuns = {}): SettingsTable {
  const all = groups.map((group) => rowsOf(group, kept));
  const names = [...new Set(all.flatMap((rows) => [...rows.keys()]))];
  const differs = (name: string): boolean => new Set(all.map((rows) => rows.get(name))).size > 1;
  const columns = names.filter(differs);
  return {
    columns,
    rows: all.map((rows) => columns.map((name) => rows.get(name))),
    shared: names.filter((name) => !differs(name)).map((name) => [name, all[0]?.get(name) ?? '']),
  };
}

/** "The same in all: SFT, 400 steps of 16 rows." Empty without groups. */
export const sharedSentence = ({ shared }: SettingsTable): string =>
  shared.length === 0 ? '' : `The same in all: ${shared.map(([name, value]) => `${name.replace(/^[A-Z](?=[a-z, -]+$)/, (letter) => letter.toLowerCase())} ${value}`).join('; ')}.`;
