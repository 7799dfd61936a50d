/** @file A file that was not loaded: what is wrong and where, what still holds, and what can be done. */
import type { ReactElement } from 'react';
import { formatCount } from '../format.ts';
import { importFile } from './importing.ts';
import { Alert } from '../parts/Alert.tsx';
import { FileButton } from '../parts/FileButton.tsx';
import { dismissFileProblem, useLab } from '../store.ts';
import { acceptedFiles } from './roles.ts';

export function FileAlert(): ReactElement | null {
  const problem = useLab((state) => state.fileProblem);
  const busy = useLab((state) => state.importing !== undefined);
  if (problem === undefined) return null;
  const { role, file, skipRows } = problem;
  const { file: name, what, stillHolds, row, rows = row === undefined ? [] : [row], canSkip } = problem.problem;
  const skip = file !== undefined && rows.length > 0 && canSkip ? (): void => void importFile(role, file, [...skipRows, ...rows]) : undefined;
  return (
    <Alert
      title={file === undefined ? 'The mapping was not changed' : `${name} was not loaded`}
      actions={
        <>
          {skip === undefined ? null : (
            <button type="button" className="btn" disabled={busy} onClick={skip}>
              {rows.length > 1 ? `Skip these ${formatCount(rows.length)} rows` : 'Skip this row'}
            </button>
          )}
          <FileButton accept={acceptedFiles} label="Choose another file" onFile={(chosen) => void importFile(role, chosen)}>
            Choose another file
          </FileButton>
          <button type="button" className="btn quiet" onClick={dismissFileProblem}>
            Dismiss
          </button>
        </>
      }
    >
      <p>{what}</p>
      <p>{stillHolds}</p>
    </Alert>
  );
}
