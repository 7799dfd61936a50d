/** @file What the playground does: keeps its settings and trials in the store, asks, and collects the streamed answers. */
import { transfer } from 'comlink';
import type { StreamEvent } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { previewRows } from '../data/importing.ts';
import { lab, sentence } from '../lab.ts';
import type { LabRun } from '../runs.ts';
import { useLab, type LabState } from '../store.ts';
import { withStream, type Column, type Trial } from './answers.ts';

const { setState: set, getState: get } = useLab;

/** Trials that are kept; older ones go. */
const keptTrials = 12;
/** Columns side by side, the base model included. */
const mostColumns = 3;
/** Milliseconds between two drawings of a stream; text comes in larger pieces where less motion is wanted. */
const streamInterval = { normal: 60, reduced: 700 } as const;

/** Runs that have weights to ask: everything but recorded and failed ones. */
export const askable = (runs: readonly LabRun[]): readonly LabRun[] => runs.filter(({ recorded, state }) => !recorded && state !== 'failed' && state !== 'preparing');

/** The columns to ask: those chosen, else the base model and the latest runs. */
export function columnsOf({ playground, runs }: Pick<LabState, 'playground' | 'runs'>): readonly Column[] {
  const there: readonly Column[] = ['base', ...askable(runs).map(({ id }) => id)];
  if (playground.columns === undefined) return ['base', ...there.slice(1).slice(1 - mostColumns)];
  return there.filter((column) => playground.columns?.includes(column));
}

export const edit = (change: Partial<LabState['playground']>): void => set(({ playground }) => ({ playground: { ...playground, ...change } }));

/** Asks a column or leaves it out; the last one stays, and of too many the oldest goes. */
export function toggleColumn(column: Column): void {
  const now = columnsOf(get());
  const next = now.includes(column) ? now.filter((other) => other !== column) : [...now, column].slice(-mostColumns);
  if (next.length > 0) edit({ columns: next });
}

const updateTrial = (id: number, change: (trial: Trial) => Trial): void =>
  set(({ playground }) => ({ playground: { ...playground, trials: playground.trials.map((trial) => (trial.id === id ? change(trial) : trial)) } }));

let trials = 0;

/** Asks the prompt of the form; resolves when all answers are complete. */
export async function askPrompt(): Promise<void> {
  const { playground, runs } = get();
  const prompt = playground.prompt.trim();
  if (prompt === '' || playground.asking) return;
  const names = new Map(runs.map((run, index) => [run.id, runNames(runs)[index] ?? run.id]));
  const columns = columnsOf(get());
  const answers = columns.map((column) => ({ column, name: column === 'base' ? 'Base model' : (names.get(column) ?? column), tokens: [], ended: undefined }));
  const id = ++trials;
  const trial: Trial = { id, prompt, source: playground.source, answers, problem: undefined };
  edit({ asking: true, trials: [trial, ...playground.trials].slice(0, keptTrials) });

  let waiting: StreamEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    waiting = [];
    updateTrial(id, (current) => ({ ...current, answers: withStream(current.answers, events) }));
  };
  const interval = matchMedia('(prefers-reduced-motion: reduce)').matches ? streamInterval.reduced : streamInterval.normal;
  const { port1, port2 } = new MessageChannel();
  let streaming = columns.length;
  port1.onmessage = ({ data }: MessageEvent<StreamEvent>) => {
    waiting.push(data);
    timer ??= setTimeout(flush, interval);
    if (data.type === 'done' && --streaming === 0) port1.close();
  };
  try {
    await lab().ask(prompt, columns, playground.sampling, transfer(port2, [port2]));
  } catch (error) {
    updateTrial(id, (current) => ({ ...current, problem: sentence(error) }));
  } finally {
    // The answer to the request may overtake the last events of the stream, which come over a port of their own.
    setTimeout(flush, interval);
    edit({ asking: false });
  }
}

export const stop = (): void => void lab().stopAsking();

/** Puts a row of the evaluation data into the form, with what it expects. */
export async function takeQuestion(role: 'heldOut' | 'outOfDomain'): Promise<void> {
  const { datasets, config } = get();
  const dataset = datasets[role];
  if (dataset === undefined || dataset.rows === 0) return;
  const [row] = await previewRows(role, 1 + Math.floor(Math.random() * dataset.rows), 1, config.maxLength);
  if (row?.prompt !== undefined) edit({ prompt: row.prompt, source: { role, expected: row.expected, worked: dataset.measure === 'generation' } });
}
