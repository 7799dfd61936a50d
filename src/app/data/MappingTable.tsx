/** @file Which column of the file plays which part, with what the first row holds there. */
import { useState, type ReactElement } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { changeMapping } from './importing.ts';
import { columnParts, partNames, partOf, withPart, type ColumnPart } from './mappingParts.ts';

export function MappingTable({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const { columns, mapping, firstRow, role } = dataset;
  const [refusal, setRefusal] = useState<string>();
  const choose = (column: string, part: ColumnPart): void => {
    const next = withPart(mapping, column, part);
    setRefusal(next === undefined ? 'One column has to be the answer. Make another column the answer first.' : undefined);
    if (next !== undefined && next !== mapping) void changeMapping(role, next);
  };
  return (
    <div>
      <h3>Mapping</h3>
      <table className="tbl map">
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Used as</th>
            {firstRow === undefined ? null : <th scope="col">Row 1</th>}
          </tr>
        </thead>
        <tbody>
          {columns.map((column) => (
            <tr key={column}>
              <th scope="row">{column}</th>
              <td>
                <select aria-label={`Use of ${column}`} value={partOf(column, mapping)} onChange={(event) => choose(column, event.target.value as ColumnPart)}>
                  {columnParts.map((part) => (
                    <option key={part} value={part}>
                      {partNames[part]}
                    </option>
                  ))}
                </select>
              </td>
              {firstRow === undefined ? null : <td className="cut">{firstRow[column]}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {refusal === undefined ? <p className="foot">The model reads the prompt and learns to write the answer. Changing a part changes the rows below at once.</p> : <p className="note bad">{refusal}</p>}
    </div>
  );
}
