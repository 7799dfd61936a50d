/** @file The frame that all measurements share: the result in a sentence, the figure, what it means and what it does not, and how to measure. */
import type { ReactElement, ReactNode } from 'react';
import type { ProbeKind, ProbeReport } from '../../../worker/protocol.ts';
import type { LegendEntry } from '../../charts/names.ts';
import { Phrases, type Phrase } from '../../charts/Phrases.tsx';
import { Plate } from '../../charts/Plate.tsx';
import type { TableData } from '../../charts/table.ts';
import { probeInfos } from './findings.ts';
import { takenText } from './probes.ts';
import { ProbeStart, type ProbeTarget } from './ProbeStart.tsx';

interface ProbePlateProps {
  readonly kind: ProbeKind;
  readonly targets: readonly ProbeTarget[];
  readonly reports: readonly ProbeReport[];
  /** One for each report. */
  readonly findings: readonly (readonly Phrase[])[];
  readonly controls?: ReactNode;
  readonly legend: readonly LegendEntry[];
  readonly table: () => TableData;
  readonly height: number;
  /** Drawn once there is a report. */
  readonly children: ReactNode;
}

/** Without a report it says what there is to find, and what that takes. */
export function ProbePlate({ kind, targets, reports, findings, controls, legend, table, height, children }: ProbePlateProps): ReactElement {
  const { title, unit, means, meansNot } = probeInfos[kind];
  const measured = reports.length > 0;
  return (
    <div className={`probe probe-${kind}`}>
      <Plate
        title={title}
        unit={unit}
        {...(measured ? { table, controls } : {})}
        legend={measured ? legend : []}
        span={12}
        height={height}
        foot={measured ? `${[...new Set(reports.map(takenText))].join('; ')}. ${means} ${meansNot}` : `${means} ${meansNot}`}
      >
        <div role="status">
          {findings.map((phrases, index) => (
            <p key={`${index}-${kind}`} className="probe-finding">
              <Phrases phrases={phrases} />
            </p>
          ))}
        </div>
        {measured ? children : <p className="probe-empty">Not measured yet.</p>}
      </Plate>
      <ProbeStart kind={kind} targets={targets} />
    </div>
  );
}
