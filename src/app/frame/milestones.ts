/** @file What a screen reader is told of a run: phases, evaluations and ends. Never single steps. */
import { formatCount, formatPercent } from '../format.ts';
import { methodLabel } from '../method/methods.ts';
import { phaseName } from '../run/phases.ts';
import type { LabRun } from '../runs.ts';

const endings: Readonly<Partial<Record<LabRun['state'], string>>> = { paused: 'paused', finished: 'finished', stopped: 'stopped', failed: 'failed' };

/** The sentences that are due when a run has gone from one state to the next; `before` is undefined for a run that is new. */
export function milestones(before: LabRun | undefined, after: LabRun): readonly string[] {
  if (after.recorded) return [];
  const said: string[] = [];
  if (after.phase !== undefined && after.phase !== before?.phase) said.push(`${phaseName(after.phase)}.`);
  const evaluation = after.evaluations.at(-1);
  if (evaluation !== undefined && after.evaluations.length !== (before?.evaluations.length ?? 0)) {
    const { step, inDomain, outOfDomain } = evaluation;
    const where = step === 0 ? 'Base model' : `Step ${formatCount(step)}`;
    said.push(
      `${where}: in-domain ${formatPercent(inDomain.correct / inDomain.items, inDomain.items)}, ` +
        `out-of-domain ${formatPercent(outOfDomain.correct / outOfDomain.items, outOfDomain.items)}.`,
    );
  }
  const ending = endings[after.state];
  if (ending !== undefined && after.state !== before?.state) {
    said.push(`${methodLabel(after.config.method)} ${ending} at step ${formatCount(after.completedSteps)}.${after.message === undefined ? '' : ` ${after.message}`}`);
  }
  return said;
}
