/**
 * @file What an export is held to: the logits after a few prompts. They go into the export as logits.json, so that whoever loads it elsewhere can see
 * whether it says there what it said here.
 */
import type { Turn } from '../gpu/turn.ts';
import type { ExportedRun } from './exporting.ts';

const PROMPTS = 3;
/** Logits written of each prompt, the largest ones; a vocabulary of 150,000 would be megabytes of text. */
const LARGEST = 64;

/** The prompts of the first examples; of texts that are trained from their beginning, the first half. */
export function promptsOf({ material: { train } }: Pick<ExportedRun, 'material'>): number[][] {
  return Array.from({ length: Math.min(PROMPTS, train.length) }, (_, i) => {
    const { ids, trained } = train.at(i)!;
    const answer = trained.indexOf(1);
    return [...ids.subarray(0, answer > 1 ? answer : Math.ceil(ids.length / 2))];
  });
}

/** logits.json: token ids of each prompt, and the largest logits after it as [id, logit], the largest first. @throws the reason of `signal` */
export async function writeLogits(run: ExportedRun, signal?: AbortSignal): Promise<string> {
  const turn: Turn = (work) => {
    signal?.throwIfAborted();
    return work();
  };
  const prompts = [];
  for (const ids of promptsOf(run)) {
    const logits = await run.material.lab.logits(ids, run.weights, { turn });
    const order = Array.from(logits.keys()).toSorted((a, b) => logits[b]! - logits[a]! || a - b);
    prompts.push({ ids, logits: order.slice(0, LARGEST).map((id) => [id, logits[id]!]) });
  }
  return `${JSON.stringify({ prompts })}\n`;
}
