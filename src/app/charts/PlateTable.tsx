/** @file The numbers of a figure, in its place. */
import type { ReactElement } from 'react';
import { cellText, thinRows, type TableData } from './table.ts';

/** Beyond this many rows a table is evenly thinned; the CSV has all. */
const mostRows = 240;

interface PlateTableProps {
  readonly table: TableData;
  readonly label: string;
  readonly height: number;
}

/** Scrolls inside the height of the drawing, so that the page does not move. */
export function PlateTable({ table, label, height }: PlateTableProps): ReactElement {
  const rows = thinRows(table.rows, mostRows);
  return (
    // A region that scrolls has to take the focus, or the keyboard cannot scroll it.
    <section className="plate-table" aria-label={`${label}, as a table`} tabIndex={0} style={{ height }}>
      <table>
        <thead>
          <tr>
            {table.columns.map((column) => (
              <th key={column.title} scope="col">
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={String(row[0])}>
              {row.map((cell, index) => (
                <td key={table.columns[index]!.title} className={typeof cell === 'string' ? undefined : 'plate-number'}>
                  {cellText(table.columns[index], cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length < table.rows.length && (
        <p className="plate-foot">
          {rows.length} of {table.rows.length.toLocaleString('en-US')} rows, evenly chosen. The CSV has all.
        </p>
      )}
    </section>
  );
}
