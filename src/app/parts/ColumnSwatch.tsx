/** @file The line of a run's method, or the dotted one of the base model. */
import type { ReactElement } from 'react';
import { Swatch } from '../charts/Swatch.tsx';
import { useLab } from '../store.ts';

/** Nothing for a run that is not there any more. */
export function ColumnSwatch({ column }: { readonly column: string }): ReactElement | null {
  const method = useLab((state) => state.runs.find((run) => run.id === column)?.config.method);
  if (method !== undefined) return <Swatch method={method} />;
  if (column !== 'base') return null;
  return (
    <svg className="swatch s-base" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
      <line className="ser" x1="0" x2="28" y1="6" y2="6" />
      <circle className="mk" cx="14" cy="6" r="2.4" />
    </svg>
  );
}
