/** @file The settings in which the groups differ, and nothing else. */
import type { ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { Swatch } from '../charts/Swatch.tsx';
import type { RunGroup } from './groups.ts';
import type { SettingsTable } from './settings.ts';

export function SettingsPlate({ groups, settings }: { readonly groups: readonly RunGroup[]; readonly settings: SettingsTable }): ReactElement | null {
  if (groups.length < 2 || settings.columns.length === 0) return null;
  const { columns, rows } = settings;
  return (
    <Plate
      title="What differs"
      unit="settings that are not the same in all runs"
      legend={[]}
      table={() => ({ columns: ['Run', ...columns].map((title) => ({ title })), rows: groups.map(({ name }, index) => [name, ...rows[index]!.map((value) => value ?? '')]) })}
      span={12}
      height={240}
    >
      <div className="compare-scroll" role="region" aria-label="What differs" tabIndex={0}>
        <table className="tbl">
          <thead>
            <tr>
              <th scope="col">Run</th>
              {columns.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {groups.map((group, index) => (
              <tr key={group.id}>
                <th scope="row">
                  <Swatch method={group.config.method} />
                  {group.name}
                </th>
                {columns.map((name, column) => (
                  <td key={name} className={rows[index]![column] === undefined ? 'na' : undefined}>
                    {rows[index]![column] ?? '–'}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Plate>
  );
}
