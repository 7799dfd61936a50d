/** @file The settings of a run as they were frozen when it started. */
import type { ReactElement } from 'react';
import { Icon } from '../parts/Icon.tsx';
import { Spec } from '../parts/Spec.tsx';
import { runNames } from '../charts/names.ts';
import { isUnknown, type LabRun } from '../runs.ts';
import { useLab } from '../store.ts';
import { configRows, trainedRows } from './configRows.ts';

export function FrozenConfig({ run }: { readonly run: LabRun }): ReactElement {
  const runs = useLab((state) => state.runs);
  const started = run.config.startFrom;
  const parent = started === undefined ? undefined : (runNames(runs)[runs.findIndex(({ id }) => id === started)] ?? 'a run that was removed');
  return (
    <details className="more">
      <summary>
        Settings of this run
        <span>{isUnknown(run) ? 'Its files do not say how it was trained' : 'Frozen when it started'}</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div className="more-body">
        <Spec rows={[['Model', run.model], ['Data', run.dataset], ...(parent === undefined ? [] : [['Started from', parent] as const]), ...(run.importedFrom === undefined ? [] : [['Opened from', run.importedFrom] as const]), ...(isUnknown(run) ? trainedRows(run.config) : configRows(run.config))]} />
      </div>
    </details>
  );
}
