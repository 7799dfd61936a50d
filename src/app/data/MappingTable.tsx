/** @file Which column of the file plays which part, with what the first row holds there. */
import { useState, type ReactElement } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { changeMapping } from './importing.ts';
import { lacking, partName, partOf, partsFor, withPart, type ColumnPart } from './mappingParts.ts';

export function MappingTable({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const { columns, mapping, firstRow, role, origin } = dataset;
  // A change may need a second one before the rows can be read by it: what is shown is a draft until then.
  const [draft, setDraft] = useState(mapping);
  const [used, setUsed] = useState(mapping);
  if (used !== mapping) {
    setUsed(mapping);
    setDraft(mapping);
  }
  const missing = lacking(draft, role);
  const choose = async (column: string, part: ColumnPart): Promise<void> => {
    const next = withPart(draft, column, part, columns);
    setDraft(next);
    if (lacking(next, role) === undefined && !(await changeMapping(role, next))) setDraft(mapping);
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
          {columns.map((column) => {
            const part = partOf(column, draft);
            return (
              <tr key={column}>
                <th scope="row">{column}</th>
                <td>
                  <select aria-label={`Use of ${column}`} value={part} onChange={(event) => void choose(column, event.target.value as ColumnPart)}>
                    {partsFor(firstRow?.[column], part).map((possible) => (
                      <option key={possible} value={possible}>
                        {partName(possible, role)}
                      </option>
                    ))}
                  </select>
                </td>
                {firstRow === undefined ? null : (
                  <td className="cut" title={firstRow[column]}>
                    {firstRow[column]}
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
      {missing === undefined ? (
        <p className="foot">
          {role === 'train' ? 'The model reads the prompt and learns to write the answer.' : 'The model is given the prompt; what it answers is measured.'} Changing a part reads the rows again at once
          {origin === 'file' ? ', from your file' : ''}.
        </p>
      ) : (
        <p className="note bad">{missing}</p>
      )}
    </div>
  );
}
