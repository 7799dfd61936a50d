/** @file How far the file that is being read is, with its bytes, and a button that ends it. */
import type { ReactElement } from 'react';
import { Progress } from '../parts/Progress.tsx';
import { useAfter } from '../parts/useAfter.ts';
import { useLab } from '../store.ts';
import { cancelImport } from './importing.ts';
import { roleName } from './roles.ts';

/** Nothing for a file that is read at once. */
export function ImportProgress(): ReactElement | null {
  const importing = useLab((state) => state.importing);
  const shown = useAfter(importing !== undefined);
  if (importing === undefined || !shown) return null;
  const { role, file, progress, cancelling } = importing;
  return (
    <div className="importing" role="group" aria-label="File being read">
      <p className="help">
        {roleName(role)}: <b>{file}</b>
        {progress?.unit === 'rows' ? ', making tokens of its rows' : ''}
      </p>
      <Progress progress={progress} waiting="Reading" cancelling={cancelling} onCancel={() => void cancelImport()} />
    </div>
  );
}
