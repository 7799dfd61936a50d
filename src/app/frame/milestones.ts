/** @file What a screen reader is told of a run and of a model that is being opened: phases, evaluations and ends. Never single steps. */
import { formatCount } from '../format.ts';
import { choiceName } from '../../worker/methods.ts';
import { phaseDoing, phaseName } from '../run/phases.ts';
import { resultText } from '../results.ts';
import type { LabRun } from '../runs.ts';
import type { LabState } from '../store.ts';

const endings: Readonly<Partial<Record<LabRun['state'], string>>> = { paused: 'paused', finished: 'finished', stopped: 'stopped', failed: 'failed' };

/** The sentences that are due when a run has gone from one state to the next; `before` is undefined for a run that is new. */
export function milestones(before: LabRun | undefined, after: LabRun): readonly string[] {
  if (after.recorded) return [];
  const said: string[] = [];
  if (after.phase !== undefined && after.phase !== before?.phase) said.push(`${phaseName(after.phase)}.`);
  const evaluation = after.evaluations.at(-1);
  if (evaluation !== undefined && after.evaluations.length !== (before?.evaluations.length ?? 0)) {
    const where = evaluation.step === 0 ? 'Base model' : `Step ${formatCount(evaluation.step)}`;
    said.push(`${where}: ${resultText(evaluation, after.measures)}.`);
  }
  if (after.start !== undefined && before?.start === undefined && before !== undefined) said.push(`Where it starts: ${resultText(after.start, after.measures)}.`);
  const ending = endings[after.state];
  if (ending !== undefined && after.state !== before?.state) {
    said.push(`${choiceName(after.config)} ${ending} at step ${formatCount(after.completedSteps)}.${after.message === undefined ? '' : ` ${after.message}`}`);
  }
  return said;
}

/** The sentences that are due while a model is being opened, and when that has ended. What went wrong is an alert, which speaks for itself. */
export function modelMilestones(before: Pick<LabState, 'model' | 'opening' | 'modelNotice'>, after: Pick<LabState, 'model' | 'opening' | 'modelNotice'>): readonly string[] {
  const said: string[] = [];
  const phase = after.opening?.progress?.phase;
  if (phase !== undefined && phase !== before.opening?.progress?.phase) said.push(`${phaseDoing(phase)}.`);
  if (after.model !== undefined && before.model !== undefined && after.model !== before.model) said.push(`${after.model.name} is open.`);
  if (after.modelNotice !== undefined && after.modelNotice !== before.modelNotice) said.push(after.modelNotice);
  return said;
}
