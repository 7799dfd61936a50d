/** @file The frames of the report: a drawing with its title, and a table. */
import type { ReactElement, ReactNode } from 'react';
import type { MethodId } from '../../worker/protocol.ts';
import { Swatch } from '../charts/Swatch.tsx';
import { cellText, type TableData } from '../charts/table.ts';

interface FigureProps {
  readonly title: string;
  readonly unit: string;
  readonly label: string;
  readonly width: number;
  readonly height: number;
  readonly foot?: string;
  readonly children: ReactNode;
}

/** A drawing of `width` by `height` pixels. */
export function Figure({ title, unit, label, width, height, foot, children }: FigureProps): ReactElement {
  return (
    <figure>
      <figcaption>
        <b>{title}</b> <span>{unit}</span>
      </figcaption>
      <svg className="drawing" role="img" aria-label={label} viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
        {children}
      </svg>
      {foot === undefined ? null : <p className="foot">{foot}</p>}
    </figure>
  );
}

interface RowsProps {
  readonly data: TableData;
  /** The method of each row. */
  readonly methods?: readonly MethodId[];
}

/** The table itself; the first cell of a row is its name. */
export function Rows({ data, methods = [] }: RowsProps): ReactElement {
  return (
    <table>
      <thead>
        <tr>
          {data.columns.map((column, index) => (
            <th key={`${index}-${column.title}`} scope="col">
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {data.rows.map((row, place) => {
          const method = methods[place];
          return (
            <tr key={`${place}-${row[0]}`}>
              {row.map((cell, index) =>
                index === 0 ? (
                  <th key={data.columns[index]!.title} scope="row">
                    {method === undefined ? null : <Swatch method={method} />} {cellText(data.columns[index], cell)}
                  </th>
                ) : (
                  <td key={`${index}-${data.columns[index]!.title}`}>{cellText(data.columns[index], cell)}</td>
                ),
              )}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** A table with its title. */
export function Table({ title, unit, data, foot, methods }: Required<RowsProps> & { readonly title: string; readonly unit: string; readonly foot?: string }): ReactElement {
  return (
    <figure>
      <figcaption>
        <b>{title}</b> <span>{unit}</span>
      </figcaption>
      <Rows data={data} methods={methods} />
      {foot === undefined || foot === '' ? null : <p className="foot">{foot}</p>}
    </figure>
  );
}
