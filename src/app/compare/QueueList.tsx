/** @file The runs that wait: their order, which a drag or the arrow keys on a handle change, and the buttons that skip one, stop the one under way, or hold all. */
import { useState, type DragEvent, type KeyboardEvent, type ReactElement } from 'react';
import type { QueuedRun } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { Swatch } from '../charts/Swatch.tsx';
import { formatAbout, formatCount, formatCounted } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { stopRun } from '../run/control.ts';
import { remainingSeconds } from '../runs.ts';
import { selectLiveRun, useLab } from '../store.ts';
import { moveQueued, runQueue, skipQueued } from './queue.ts';

interface ItemProps {
  readonly item: QueuedRun;
  readonly name: string;
  /** Place among the waiting ones, and how many there are. */
  readonly place: number;
  readonly count: number;
  readonly dragged: string | undefined;
  readonly setDragged: (id: string | undefined) => void;
}

function Waiting({ item, name, place, count, dragged, setDragged }: ItemProps): ReactElement {
  const onKeyDown = (event: KeyboardEvent): void => {
    const to = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: count - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    void moveQueued(item.id, to);
  };
  const onDragOver = (event: DragEvent): void => {
    if (dragged !== undefined && dragged !== item.id) event.preventDefault();
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    if (dragged !== undefined) void moveQueued(dragged, place);
    setDragged(undefined);
  };
  return (
    <li
      className="queue-item"
      draggable
      data-dragged={dragged === item.id}
      onDragStart={(event) => {
        event.dataTransfer.effectAllowed = 'move';
        event.dataTransfer.setData('text/plain', name);
        setDragged(item.id);
      }}
      onDragEnd={() => setDragged(undefined)}
      onDragOver={onDragOver}
      onDrop={onDrop}
    >
      <button type="button" className="ib queue-handle" aria-label={`Move ${name}, place ${place + 1} of ${count}`} title="Drag, or arrow keys up and down" onKeyDown={onKeyDown}>
        <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
          <path className="f" d="M5 3h2v2H5zM9 3h2v2H9zM5 7h2v2H5zM9 7h2v2H9zM5 11h2v2H5zM9 11h2v2H9z" />
        </svg>
      </button>
      <Swatch method={item.config.method} />
      <span className="queue-name">{name}</span>
      <span className="queue-state">waiting</span>
      <button type="button" className="btn quiet" aria-label={`Skip ${name}`} onClick={() => void skipQueued([item.id])}>
        Skip
      </button>
    </li>
  );
}

function Running({ item, name }: { readonly item: QueuedRun; readonly name: string }): ReactElement {
  const run = useLab((state) => state.runs.find(({ id }) => id === item.id));
  const asked = useLab((state) => state.asked);
  const live = useLab(selectLiveRun);
  const left = run && remainingSeconds(run);
  const state = run === undefined ? 'starting' : `${run.state}, step ${formatCount(run.completedSteps)} of ${formatCount(run.config.steps)}${left === undefined ? '' : `, ${formatAbout(left)} left`}`;
  return (
    <li className="queue-item" data-running="true">
      <span className="queue-now" aria-hidden="true" />
      <Swatch method={item.config.method} />
      <span className="queue-name">{name}</span>
      <span className="queue-state">{state}</span>
      <button type="button" className="btn quiet" disabled={live?.id !== item.id || asked !== undefined} aria-label={`Stop and keep ${name}`} onClick={() => void stopRun(true)}>
        Stop and keep
      </button>
    </li>
  );
}

/** Nothing where nothing is queued. */
export function QueueList(): ReactElement {
  const { items, running, why } = useLab((state) => state.queue);
  const seconds = useLab((state) => state.estimate?.seconds);
  const [dragged, setDragged] = useState<string>();
  if (items.length === 0) return <p className="queue-none">Nothing queued</p>;
  const names = runNames(items);
  const waiting = items.filter(({ state }) => state === 'waiting');
  const underWay = items.length - waiting.length;
  const time = seconds === undefined || waiting.length === 0 ? '' : `, ${formatAbout(seconds * waiting.length)}`;
  return (
    <section className="queue-list" aria-label="Queued runs">
      <div className="queue-head">
        <span>
          {underWay > 0 ? '1 running, ' : ''}
          {formatCounted(waiting.length, 'run')} waiting{time}
          {running ? '' : ', held'}
        </span>
        <button type="button" className="btn" onClick={() => void runQueue(!running)}>
          <Icon name={running ? 'pause' : 'play'} />
          {running ? 'Hold the queue' : 'Run the queue'}
        </button>
        {waiting.length === 0 ? null : (
          <button type="button" className="btn quiet" onClick={() => void skipQueued(waiting.map(({ id }) => id))}>
            Skip all waiting
          </button>
        )}
      </div>
      {why === undefined ? null : (
        <p className="note warn" role="status">
          <Icon name="alert" />
          {why}
        </p>
      )}
      <ol className="queue-items">
        {items.map((item, index) =>
          item.state === 'running' ? (
            <Running key={item.id} item={item} name={names[index] ?? ''} />
          ) : (
            <Waiting key={item.id} item={item} name={names[index] ?? ''} place={waiting.indexOf(item)} count={waiting.length} dragged={dragged} setDragged={setDragged} />
          ),
        )}
      </ol>
    </section>
  );
}
