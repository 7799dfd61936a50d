/** @file The rail: four stations in the order of the work, and the primary action at its foot. */
import type { ReactElement, ReactNode } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { DataStation } from '../data/DataStation.tsx';
import { MethodStation } from '../method/MethodStation.tsx';
import { ModelStation } from '../model/ModelStation.tsx';
import { Icon } from '../parts/Icon.tsx';
import { MathText } from '../parts/MathText.tsx';
import { Ring } from '../parts/Ring.tsx';
import { RunStation } from '../run/RunStation.tsx';
import { selectLiveRun, selectWelcome, toggleStation, useLab, type StationId } from '../store.ts';
import { PrimaryAction } from './PrimaryAction.tsx';
import { stationState } from './stationState.ts';

const frozen = 'Frozen for this run. Edits apply to the next one.';

interface StationProps {
  readonly id: StationId;
  readonly name: string;
  /** The settings inside belong to the run that is going on, if there is one. */
  readonly freezes?: boolean;
  readonly children: ReactNode;
}

function Station({ id, name, freezes = true, children }: StationProps): ReactElement {
  const { ring, summary, detail } = useLab(useShallow((state) => stationState(id, state)));
  const open = useLab((state) => state.station === id);
  const locked = useLab((state) => freezes && selectLiveRun(state) !== undefined);
  return (
    <section className="station" data-key={id}>
      <button type="button" className="station-head" id={`station-${id}`} aria-expanded={open} aria-controls={`station-${id}-body`} onClick={() => toggleStation(id)}>
        <Ring state={ring} />
        <span className="station-name">{name}</span>
        <span className="station-sum">{summary}</span>
        <span className="station-meta">
          <MathText>{detail}</MathText>
        </span>
        {locked ? (
          <span className="lock" title={frozen}>
            <Icon name="lock" />
            <span className="vh">Frozen for this run</span>
          </span>
        ) : null}
        <Icon name="chevron" className="chev" />
      </button>
      <div className="station-region" id={`station-${id}-body`} role="region" aria-labelledby={`station-${id}`} hidden={!open}>
        {open ? (
          <div className="station-body">
            {locked ? (
              <p className="note">
                <Icon name="lock" />
                {frozen}
              </p>
            ) : null}
            {children}
          </div>
        ) : null}
      </div>
    </section>
  );
}

/** Model, Data, Method, Run. */
export function Rail(): ReactElement {
  const welcome = useLab(selectWelcome);
  return (
    <nav className="rail" aria-label="Set up a run">
      <div className="stations">
        <Station id="model" name="Model">
          <ModelStation />
        </Station>
        <Station id="data" name="Data">
          <DataStation />
        </Station>
        <Station id="method" name="Method">
          <MethodStation />
        </Station>
        <Station id="run" name="Run" freezes={false}>
          <RunStation />
        </Station>
      </div>
      {welcome ? null : (
        <div className="rail-foot">
          <PrimaryAction />
        </div>
      )}
    </nav>
  );
}
