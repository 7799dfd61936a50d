/** @file The Train tab: the view over what the store holds. The store applies streamed events at most four times a second. */
import { useDeferredValue, useEffect, useMemo, type ReactElement } from 'react';
import type { RunId } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { cursor } from '../cursor.ts';
import { openEvaluation, showFailures } from '../evaluate/session.ts';
import { formatAbout } from '../format.ts';
import { choiceName } from '../../worker/methods.ts';
import type { Suite } from '../results.ts';
import { exactMeasures } from '../runs.ts';
import { selectRun, showRun, useLab, useVisibleRuns } from '../store.ts';
import { useNarrow } from '../charts/useNarrow.ts';
import { TrainView } from './TrainView.tsx';

const openFailures = (suite: Suite, run: RunId): void => void showFailures(suite === 'inDomain' ? 'heldOut' : 'outOfDomain', run);

/** Loss, accuracy in and out of the domain, and what the optimizer did, of the selected run and those laid over it. */
export function TrainTab(): ReactElement {
  const visible = useVisibleRuns();
  const all = useLab((state) => state.runs);
  const selected = useLab(selectRun);
  const planned = useLab((state) => state.config);
  const data = useLab((state) => state.datasets.train);
  const seconds = useLab((state) => state.estimate?.seconds);
  const usable = useLab((state) => state.connection === 'ready');
  const inDomain = useLab((state) => state.datasets.heldOut?.measure ?? exactMeasures.inDomain);
  const outOfDomain = useLab((state) => state.datasets.outOfDomain?.measure ?? exactMeasures.outOfDomain);
  const plannedMeasures = useMemo(() => ({ inDomain, outOfDomain }), [inDomain, outOfDomain]);
  const narrow = useNarrow();
  useEffect(() => () => void cursor.release(), []);

  const current = useMemo(() => (selected && !visible.includes(selected) ? [...visible, selected] : visible), [visible, selected]);
  // Deferred, so that React draws the figures in short slices between which the page answers, not all of them in one task.
  const runs = useDeferredValue(current);
  const hidden = useMemo(() => {
    const names = runNames(all);
    return all.flatMap((run, index) => (runs.includes(run) ? [] : [{ run, name: names[index]! }]));
  }, [all, runs]);
  return (
    <TrainView
      runs={runs}
      hidden={hidden}
      show={showRun}
      planned={planned}
      plannedMethod={choiceName(planned)}
      plannedData={data?.origin === 'file' ? data.name : 'the demo data'}
      plannedTime={seconds === undefined ? undefined : formatAbout(seconds)}
      plannedMeasures={plannedMeasures}
      onEvaluate={usable ? openEvaluation : undefined}
      onFailures={usable ? openFailures : undefined}
      narrow={narrow}
    />
  );
}
