/**
 * @file The page's end of the worker protocol: connects and puts what the worker reports into the store. Streamed events are collected and
 * applied at most four times a second, so that training never waits for a figure to be drawn.
 */
import { transfer } from 'comlink';
import type { LabApi, LabEvent, RunId } from '../worker/protocol.ts';
import { receiveQueue } from './compare/queue.ts';
import { keepStoredRuns } from './compare/stored.ts';
import { lab, sentence, setEngine } from './lab.ts';
import { restoreSettings } from './method/lastSettings.ts';
import { keepEstimateCurrent } from './run/estimate.ts';
import { acceptModel } from './model/opening.ts';
import { settleRequests } from './run/control.ts';
import { applyEvents } from './runs.ts';
import { useLab } from './store.ts';

const { setState: set, getState: get } = useLab;

/** Milliseconds between two updates of the page from streamed events. */
const eventInterval = 250;

/** Connects the page to an engine and opens what was open when the page was left; what goes wrong ends up in the store. */
export async function connectLab(startedEngine: LabApi): Promise<void> {
  setEngine(startedEngine);
  const events = new MessageChannel();
  collectEvents(events.port1);
  try {
    const diagnosis = await lab().connect(transfer(events.port2, [events.port2]));
    if (diagnosis.problem !== undefined) {
      set({ diagnosis, connection: 'unavailable' });
      return;
    }
    set({ diagnosis, connection: 'loading' });
    acceptModel(await lab().reopen());
    await keepStoredRuns();
    restoreSettings();
    set({ loading: undefined, connection: 'ready' });
  } catch (error) {
    failConnection(sentence(error));
    return;
  }
  keepEstimateCurrent();
}

/** The engine cannot be used, said on the page that also explains a missing adapter; or, once it has worked, an error that it did not expect. */
export const failConnection = (message: string): void =>
  set(get().connection === 'ready' ? { deviceProblem: message, station: 'run' } : { connection: 'failed', connectionMessage: message });

function collectEvents(port: MessagePort): void {
  let waiting: LabEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    timer = undefined;
    waiting = receiveEvents(waiting, performance.now());
  };
  port.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    waiting.push(data);
    timer ??= setTimeout(flush, eventInterval);
  };
}

/** A phase of no run belongs to what the page is waiting for: a file, an evaluation, a measurement, an export, a model that is being opened, or the start of the page. */
function receivePhase({ phase, done, total, unit, decoding }: Extract<LabEvent, { type: 'phase' }>): void {
  const progress = { phase, done, total, unit, decoding };
  set(({ exported, opening, connection, importing, evaluation, probes }) => {
    if (phase === 'import' && connection !== 'loading') return { importing: importing && { ...importing, progress } };
    if (phase === 'probe') return { probes: { ...probes, going: probes.going && { ...probes.going, progress } } };
    if (phase === 'evaluate') return { evaluation: { ...evaluation, going: evaluation.going && { ...evaluation.going, progress } } };
    if (opening !== undefined) return { opening: { ...opening, progress } };
    if (exported?.state === 'writing') return { exported: { ...exported, progress } };
    return connection === 'loading' ? { loading: progress } : {};
  });
}

/**
 * Puts events into the store. Returns those of a run that is just being started, by the queue or a person, or opened and not known yet, to be tried again with the next ones;
 * those of a run that has been removed are dropped.
 */
export function receiveEvents(events: readonly LabEvent[], at: number): LabEvent[] {
  const ofRun = (id: RunId): readonly LabEvent[] => events.filter((event) => 'run' in event && event.run === id);
  for (const event of events) {
    if (event.type === 'queue') receiveQueue(event.queue, at);
    if (event.type === 'device') set({ deviceProblem: event.message });
    if (event.type === 'phase' && event.run === undefined) receivePhase(event);
  }
  set(({ runs }) => ({
    runs: runs.map((run) => {
      const own = ofRun(run.id);
      return own.length === 0 ? run : applyEvents(run, own, at);
    }),
  }));
  settleRequests();
  const { runs, starting, opening, queue } = get();
  const isUnknown = (event: LabEvent): boolean => 'run' in event && event.run !== undefined && !runs.some((run) => run.id === event.run);
  return starting || opening !== undefined || queue.running ? events.filter(isUnknown) : [];
}
