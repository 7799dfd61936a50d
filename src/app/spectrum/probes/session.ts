/** @file Asks the worker for measurements, one at a time, and keeps what they found. */
import type { ProbeKind, ProbeReport, ProbeRequest, RunId } from '../../../worker/protocol.ts';
import { lab, sentence } from '../../lab.ts';
import { applyEvents } from '../../runs.ts';
import { useLab } from '../../store.ts';
import type { ProbeForm, ProbesState } from './probes.ts';

const { setState: set, getState: get } = useLab;

/** Alignments of wide matrices take megabytes. */
const keptDetails = 12;

const edit = (change: Partial<ProbesState>): void => set(({ probes }) => ({ probes: { ...probes, ...change } }));

export const editProbe = (kind: ProbeKind, change: Partial<ProbeForm>): void => {
  const { forms } = get().probes;
  edit({ forms: { ...forms, [kind]: { ...forms[kind], ...change } }, problem: undefined });
};

export const compareWithTail = (tail: boolean): void => edit({ tail });

/** The worker keeps it with its run, and so does the page. */
function keep(report: ProbeReport): void {
  const { run: id } = report.request;
  set(({ runs }) => ({ runs: runs.map((run) => (run.id === id ? applyEvents(run, [{ type: 'report', run: id, report }], performance.now()) : run)) }));
}

/** Measures; what goes wrong is told where it was asked. */
export async function measure(request: ProbeRequest): Promise<void> {
  if (get().probes.going !== undefined) return;
  edit({ going: { request, progress: undefined, cancelling: false }, problem: undefined });
  try {
    const report = await lab().probe(request);
    keep(report);
  } catch (error) {
    if (get().probes.going?.cancelling !== true) edit({ problem: { kind: request.kind, message: sentence(error) } });
  } finally {
    edit({ going: undefined });
  }
}

/** Ends the measurement that is going on, after the part it is at. */
export async function cancelMeasurement(): Promise<void> {
  const { going } = get().probes;
  if (going === undefined) return;
  edit({ going: { ...going, cancelling: true } });
  await lab().cancelProbe();
}

/** Looks closely at one matrix of runs as they are now. */
export async function readDetails(runs: readonly RunId[], matrix: string): Promise<void> {
  if (get().probes.readingDetail) return;
  edit({ followsSelection: true, readingDetail: true, detailProblem: undefined });
  try {
    for (const run of runs) {
      const detail = await lab().matrixDetail(run, matrix);
      const others = get().probes.details.filter((other) => other.run !== run || other.detail.matrix.name !== matrix);
      edit({ details: [{ run, detail }, ...others].slice(0, keptDetails) });
    }
  } catch (error) {
    edit({ detailProblem: sentence(error) });
  } finally {
    edit({ readingDetail: false });
  }
}
