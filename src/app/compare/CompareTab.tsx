/** @file The Compare tab: the queue, and the view over the runs that the store holds. */
import { useDeferredValue, useEffect, useMemo, type ReactElement, type ReactNode } from 'react';
import { useNarrow } from '../charts/useNarrow.ts';
import { cursor } from '../cursor.ts';
import { Icon } from '../parts/Icon.tsx';
import { showRecording } from '../recorded.ts';
import { selectRun, useLab } from '../store.ts';
import { CompareNotices, CompareView, OpenBundle } from './CompareView.tsx';
import { groupRuns } from './groups.ts';
import { QueueBuilder } from './QueueBuilder.tsx';
import { QueueList } from './QueueList.tsx';
import { useCompare } from './state.ts';

function Empty({ queue }: { readonly queue: ReactNode }): ReactElement {
  const recording = useLab((state) => state.recording.status);
  const connecting = useLab(({ connection }) => connection === 'connecting' || connection === 'loading');
  const reading = useCompare((state) => state.reading);
  return (
    <>
      <header className="lead one">
        <div>
          <h2 className="lead-line">{connecting || reading ? 'Reading the runs that this browser keeps.' : 'No runs yet.'}</h2>
          <p className="lead-sub">Each run you keep appears here, named by what sets it apart. Two runs make a comparison.</p>
        </div>
      </header>
      <CompareNotices />
      {queue}
      <div className="compare-files">
        {recording === 'none' ? (
          <button type="button" className="btn" onClick={() => void showRecording()}>
            <Icon name="eye" />
            Show the recorded runs
          </button>
        ) : null}
        <OpenBundle />
      </div>
    </>
  );
}

/** Every run of this browser beside the others, and those that are still to be made. */
export function CompareTab(): ReactElement {
  const current = useLab((state) => state.runs);
  const queue = useLab((state) => state.queue.items);
  const kept = useLab((state) => state.kept);
  const selectedRun = useLab((state) => selectRun(state)?.id);
  const removed = useCompare((state) => state.removed);
  const usable = useLab((state) => state.connection === 'ready');
  const narrow = useNarrow();
  useEffect(() => () => void cursor.release(), []);
  // Deferred, so that the page answers between the slices in which figures are drawn.
  const runs = useDeferredValue(current);
  const groups = useMemo(() => {
    const gone = removed.flatMap((group) => group.runs.filter(({ run }) => !runs.some(({ id }) => id === run.id)));
    const notes = Object.fromEntries(gone.flatMap(({ run, kept: facts }) => (facts === undefined ? [] : [[run.id, facts] as const])));
    return groupRuns([...runs, ...gone.map(({ run }) => run)], queue, { ...notes, ...kept });
  }, [runs, queue, kept, removed]);
  const gone = useMemo(() => new Set(removed.map(({ id }) => id)), [removed]);
  const selected = groups.find((group) => group.runs.some(({ id }) => id === selectedRun))?.id;
  const building = usable ? (
    <div className="queue">
      <QueueBuilder />
      <QueueList />
    </div>
  ) : null;
  return groups.length === 0 ? <Empty queue={building} /> : <CompareView groups={groups} removed={gone} kept={kept} selected={selected} narrow={narrow} queue={building} />;
}
