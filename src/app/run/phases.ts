/** @file The phases of a run in words: their names, their order, their counts, and which are still to come. */
import type { DecodeProgress } from '../../engine.ts';
import type { PhaseId, RunConfig } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatSpeed, formatTime } from '../format.ts';
import type { LabRun, PhaseProgress } from '../runs.ts';

const names: Readonly<Record<PhaseId, string>> = {
  import: 'Read data',
  download: 'Download',
  'read-cache': 'Read cache',
  verify: 'Verify',
  weights: 'Load weights',
  trial: 'Trial allocation',
  compile: 'Compile kernels',
  'read-bases': 'Read kept bases',
  decompose: 'Decompose matrices',
  'evaluate-base': 'Evaluate base model',
  'evaluate-start': 'Evaluate its start',
  train: 'Train',
  evaluate: 'Evaluate',
  save: 'Save',
  probe: 'Measure',
};

export const phaseName = (phase: PhaseId): string => names[phase];

/** The phases that the page waits for outside a run, as what is being done. */
const doing: Readonly<Partial<Record<PhaseId, string>>> = {
  import: 'Reading',
  download: 'Downloading',
  'read-cache': 'Reading from the cache',
  verify: 'Verifying',
  evaluate: 'Evaluating',
  weights: 'Loading weights',
  save: 'Writing',
  probe: 'Measuring',
};

export const phaseDoing = (phase: PhaseId): string => doing[phase] ?? names[phase];

/** Every run goes through these; a phase the worker leaves out is not shown as done. */
const order: readonly PhaseId[] = ['download', 'read-cache', 'verify', 'weights', 'trial', 'read-bases', 'decompose', 'compile', 'evaluate-base', 'evaluate-start', 'train', 'evaluate', 'save'];

/** "4,210 of 12,000 tokens, 320 a second, at most 24 s left". */
export function decodingText({ done, total, tokensPerSecond, secondsLeft }: DecodeProgress): string {
  const speed = tokensPerSecond > 0 ? `, ${tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : formatSpeed(tokensPerSecond)} a second` : '';
  return `${formatCount(done)} of ${formatCount(total)} tokens${speed}${secondsLeft === undefined || done >= total ? '' : `, at most ${formatTime(secondsLeft)} left`}`;
}

/** "480 of 600 steps", "3.4 of 3.4 MB", with the tokens that are decoded meanwhile; nothing where there is only one thing to count. */
export function phaseCount(progress: PhaseProgress): string {
  const { decoding } = progress;
  const counted = plainCount(progress);
  return decoding && decoding.done < decoding.total ? [counted, decodingText(decoding)].filter((part) => part !== '').join('; ') : counted;
}

function plainCount({ done, total, unit }: PhaseProgress): string {
  if (total <= 1) return '';
  if (unit === 'bytes') {
    const [number, unitOfDone] = formatBytes(done).split(' ');
    return formatBytes(total).endsWith(` ${unitOfDone}`) ? `${number} of ${formatBytes(total)}` : `${formatBytes(done)} of ${formatBytes(total)}`;
  }
  return `${formatCount(done)} of ${formatCount(total)} ${unit}`;
}

export interface PhaseLine {
  readonly phase: PhaseId;
  readonly name: string;
  readonly state: 'done' | 'now' | 'todo';
  /** Counts, or what is known beforehand. */
  readonly count: string;
  /** Share that is done, for the bar of the phase that is going on. */
  readonly share: number;
}

/** The step of the next evaluation, or undefined when only the last one is left. */
function nextEvaluation({ evaluateEvery, steps }: RunConfig, completedSteps: number): number {
  return Math.min((Math.floor(completedSteps / evaluateEvery) + 1) * evaluateEvery, steps);
}

/**
 * The phases as the Run station lists them. Evaluations return every few steps: while training goes on, Evaluate is still to come and says
 * at which step.
 */
export function phaseLines(run: LabRun): readonly PhaseLine[] {
  const ended = run.state === 'finished' || run.state === 'stopped' || run.state === 'failed';
  const reported = new Map(run.phases.map((progress) => [progress.phase, progress]));
  const trained = run.completedSteps >= run.config.steps;
  const shown = order.filter((phase) => reported.has(phase) || (!ended && (phase === 'train' || phase === 'evaluate' || phase === 'save')));
  return shown.map((phase) => {
    const progress = reported.get(phase);
    const share = progress === undefined || progress.total === 0 ? 0 : Math.min(1, progress.done / progress.total);
    const isNow = !ended && phase === run.phase;
    const returns = (phase === 'evaluate' || phase === 'save') && !trained && !ended;
    const isDone = progress !== undefined && !isNow && !returns && (share === 1 || order.indexOf(phase) < order.indexOf(run.phase ?? phase));
    const state = isNow ? 'now' : isDone ? 'done' : 'todo';
    const waiting = phase === 'evaluate' && !trained ? `next at step ${formatCount(nextEvaluation(run.config, run.completedSteps))}` : '';
    const count = progress !== undefined && (state !== 'todo' || !returns) ? phaseCount(progress) : waiting;
    return { phase, name: names[phase], state, count, share };
  });
}
