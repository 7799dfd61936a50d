/** @file The Spectrum tab: the view over the recorded drift of the selected run and those laid over it. */
import { useEffect, useMemo, type ReactElement } from 'react';
import { runNames } from '../charts/names.ts';
import { useNarrow } from '../charts/useNarrow.ts';
import { cursor } from '../cursor.ts';
import type { LabRun } from '../runs.ts';
import { selectRun, useLab, useVisibleRuns } from '../store.ts';
import { drawnRun } from '../train/figureSet.ts';
import { emptySpectrum } from './findings.ts';
import { FollowedSection } from './FollowedSection.tsx';
import { MeasureMore } from './probes/MeasureMore.tsx';
import { obstacle } from './probes/probes.ts';
import type { SpectrumRun } from './spectrumRun.ts';
import { SpectrumView } from './SpectrumView.tsx';
import './spectrum.css';

function Empty({ run }: { readonly run: LabRun | undefined }): ReactElement {
  const { line, detail } = emptySpectrum(run);
  return (
    <div className="spectrum-empty">
      <h2 className="spectrum-line">{line}</h2>
      <p>{detail}</p>
    </div>
  );
}

/** What training did to the singular vectors and values of each matrix. */
export function SpectrumTab(): ReactElement {
  const visible = useVisibleRuns();
  const current = useLab(selectRun);
  const narrow = useNarrow();
  useEffect(() => () => void cursor.release(), []);
  const names = runNames(visible);
  const runs = visible.flatMap((run, index): SpectrumRun[] =>
    run.drifts.length > 0 ? [{ id: run.id, name: names[index]!, method: run.config.method, adapted: run.config.lora !== undefined, drifts: run.drifts, ...(run.decomposition ? { decomposition: run.decomposition } : {}) }] : [],
  );
  const followed = useMemo(
    () => visible.flatMap((run, index) => (run.followed.length > 0 ? [drawnRun(run, runNames(visible)[index]!, run.id === current?.id ? 'current' : 'overlay')] : [])),
    [visible, current?.id],
  );
  const during = followed.length > 0 ? <FollowedSection drawn={followed} narrow={narrow} /> : null;
  const run = runs.find(({ id }) => id === current?.id);
  const others = runs.filter((other) => other !== run);
  if (run)
    return (
      <>
        <SpectrumView key={run.id} run={run} others={others} narrow={narrow} />
        {during}
      </>
    );
  const at = visible.findIndex((other) => other === current);
  return (
    <>
      <Empty run={current} />
      {during}
      {current !== undefined && at >= 0 && obstacle(current) === undefined ? <MeasureMore runs={[{ id: current.id, name: names[at]!, method: current.config.method }]} narrow={narrow} /> : null}
    </>
  );
}
