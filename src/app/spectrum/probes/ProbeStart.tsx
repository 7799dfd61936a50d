/** @file What a measurement is made on, what it will cost, and the buttons that start it. */
import { useEffect, useRef, type ReactElement } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { DatasetRole, ProbeKind } from '../../../worker/protocol.ts';
import { roleInfos } from '../../data/roles.ts';
import { Icon } from '../../parts/Icon.tsx';
import { InlineNumber } from '../../parts/InlineNumber.tsx';
import { Progress } from '../../parts/Progress.tsx';
import { timedHere } from '../../runs.ts';
import { selectLiveRun, useLab } from '../../store.ts';
import { costOf, costText, obstacle, requestOf } from './probes.ts';
import { cancelMeasurement, compareWithTail, editProbe, measure } from './session.ts';

/** Weights that can be measured, each with a button. */
export interface ProbeTarget {
  readonly run: string;
  /** Whose gradients, for Fisher; the others compare the run with the base model. */
  readonly of: 'base' | 'run';
  readonly name: string;
}

interface ProbeStartProps {
  readonly kind: ProbeKind;
  readonly targets: readonly ProbeTarget[];
}

/** The cost is that of one button. */
export function ProbeStart({ kind, targets }: ProbeStartProps): ReactElement {
  const probes = useLab((state) => state.probes);
  const runs = useLab((state) => state.runs);
  const datasets = useLab((state) => state.datasets);
  const timed = useLab(useShallow((state) => timedHere(state.runs, state.kept, state.diagnosis?.adapter?.name)));
  const live = useLab((state) => selectLiveRun(state)?.state === 'running');
  const { role, items } = probes.forms[kind];
  const { going, problem } = probes;
  const busy = going?.request.kind === kind;
  const root = useRef<HTMLDivElement>(null);
  const wasBusy = useRef(busy);
  // The button that had the focus has gone with the change; the one that took its place gets it.
  useEffect(() => {
    if (wasBusy.current !== busy && document.activeElement === document.body) root.current?.querySelector('button')?.focus({ preventScroll: true });
    wasBusy.current = busy;
  }, [busy]);
  const able = targets.flatMap((target) => {
    const run = runs.find(({ id }) => id === target.run);
    return run && obstacle(run) === undefined ? [{ ...target, measured: run }] : [];
  });
  const [first] = able;
  const why = runs.flatMap((run) => (targets.some((target) => target.run === run.id) ? [obstacle(run)] : [])).find((reason) => reason !== undefined);
  if (first === undefined) return <p className="help">{why}</p>;
  if (busy) {
    return (
      <div className="probe-start" ref={root}>
        <Progress progress={going.progress} waiting="Measuring" cancelling={going.cancelling} onCancel={() => void cancelMeasurement()} />
      </div>
    );
  }
  const request = requestOf(kind, first.run, probes, first.of);
  const valid = !Number.isNaN(items);
  return (
    <div className="probe-start" ref={root}>
      <div className="probe-fields">
        {kind === 'restore' ? (
          <span>Held-out and out-of-domain data</span>
        ) : (
          <label>
            Data{' '}
            <select value={role} onChange={(event) => editProbe(kind, { role: event.target.value as DatasetRole })}>
              {roleInfos.map((info) => (
                <option key={info.role} value={info.role}>
                  {info.name}
                </option>
              ))}
            </select>
          </label>
        )}
        <InlineNumber label={kind === 'restore' ? 'Items of each' : 'Examples'} help="From the start of the data" least={1} most={100_000} whole value={items} onChange={(count) => editProbe(kind, { items: count })} />
        {kind === 'fisher' ? (
          <label className="probe-tail">
            <input type="checkbox" checked={probes.tail} onChange={(event) => compareWithTail(event.target.checked)} /> Tail block too
          </label>
        ) : null}
      </div>
      <div className="probe-buttons">
        {able.map((target) => (
          <button key={`${target.run} ${target.of}`} type="button" className="btn" disabled={!valid || going !== undefined} onClick={() => void measure(requestOf(kind, target.run, probes, target.of))}>
            <Icon name="play" />
            Measure {target.name}
          </button>
        ))}
      </div>
      <p className="help">
        {valid ? costText(request, costOf(request, first.measured, datasets, timed)) : ''}
        {going === undefined ? '' : ' One measurement at a time: another one is going on.'}
        {live ? ' It goes between training steps; the run slows down, it does not stop.' : ''}
      </p>
      {problem?.kind === kind ? (
        <p className="note bad" role="alert">
          <Icon name="alert" />
          {problem.message}
        </p>
      ) : null}
    </div>
  );
}
