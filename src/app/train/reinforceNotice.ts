/** @file What is said of a run of GRPO that learns nothing, and what to change. Pure, with tests. */
import { formatCounted, formatPercent } from '../format.ts';
import { isLive, type LabRun } from '../runs.ts';

/** Steps that are looked at: fewer may be chance. */
const window = 10;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Undefined where a run learns, or where it is too early to tell. */
export function reinforceNotice({ config: { reinforce }, steps, state }: Pick<LabRun, 'config' | 'steps' | 'state'>): string | undefined {
  const latest = steps.slice(-window);
  if (reinforce === undefined || latest.length < (isLive({ state }) ? window : 1)) return undefined;
  const { samples, maxNewTokens } = reinforce;
  const over = (value: (step: LabRun['steps'][number]) => number | undefined): number => mean(latest.map((step) => value(step) ?? 0));
  const [reward, mixed, cutOff] = [over((step) => step.reward), over((step) => step.mixedGroups), 1 - over((step) => step.ended)];
  const lately = latest.length === 1 ? 'In its last step' : `In the last ${latest.length} steps`;
  const longer = `${formatPercent(cutOff, 0)} of the answers are cut off at ${formatCounted(maxNewTokens, 'token')}`;
  if (mixed === 0) {
    const nothing = `${lately} no group has taught anything:`;
    if (reward === 0) return `${nothing} every answer was wrong. ${cutOff >= 0.5 ? `${longer}: allow longer ones. Or start` : 'Start'} from a run that is right now and then, or sample more than ${samples} answers to a question.`;
    if (reward === 1) return `${nothing} every answer was right. This data has nothing left to teach; harder questions have.`;
    return `${nothing} the answers to each question were all right or all wrong. More than ${samples} answers to a question, or a start that is less decided, make groups that differ.`;
  }
  return cutOff >= 0.5 ? `${lately} ${longer}, and are judged by what they say up to there. Allow longer answers.` : undefined;
}
