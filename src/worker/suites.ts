/** @file The suites of a run and their scores: what an evaluation takes, and the numbers it comes to. */
import type { Example } from '../data/examples.ts';
import type { Lab, WeightSet } from '../engine.ts';
import { scoreInterval } from '../evaluation/intervals.ts';
import type { Measure, ScoredItem, Scorer } from '../evaluation/scorer.ts';
import type { DecodeProgress } from '../generation/generator.ts';
import type { Turn } from '../gpu/turn.ts';
import type { Accuracy, Evaluation } from './protocol.ts';

/** Items with what they are scored by. */
export interface Suite {
  readonly examples: readonly Example[];
  readonly measure: Measure;
}

/** Rows of an evaluation batch, and sequences decoded together; more would hold the GPU for long on slow adapters. */
const EVALUATION_ROWS = 8;
/** Tokens an answer may take in an evaluation during a run. */
const ANSWER_TOKENS = 256;

/** One greedy answer an item. */
export const GREEDY = { samples: 1, temperature: 0, maxNewTokens: ANSWER_TOKENS, seed: 0 } as const;

/** Scores the suites of a run for a set of weights, which may be under training; free it with `destroy`. */
export const suiteScorer = (lab: Lab, weights: WeightSet, maxLength: number): Scorer =>
  lab.scorer(weights, { ...GREEDY, maxLength, template: lab.template, rows: EVALUATION_ROWS, sequences: EVALUATION_ROWS });

/**
 * One evaluation of both suites.
 * @param limit items of each suite, from its start
 * @param onItems items done, of all; where answers are generated, tokens too
 */
export async function evaluateSuites(scorer: Scorer, [heldOut, outOfDomain]: readonly [Suite, Suite], step: number, limit: number, turn: Turn, onItems: (done: number, total: number, decoding?: DecodeProgress) => void): Promise<Evaluation> {
  const suites = [heldOut, outOfDomain].map(({ examples, measure }) => ({ examples: examples.slice(0, limit), measure }));
  const total = suites.reduce((sum, { examples }) => sum + examples.length, 0);
  const results: ScoredItem[][] = [];
  const started = performance.now();
  let before = 0;
  onItems(0, total);
  for (const { examples, measure } of suites) {
    results.push(await scorer.score(examples, measure, turn, (count, decoding) => onItems(before + count, total, decoding)));
    before += examples.length;
  }
  const groups = suites[1]!.examples.map(({ group }) => group);
  return { ...summarise(step, results[0]!, results[1]!, groups), seconds: (performance.now() - started) / 1000 };
}

function accuracy(results: readonly ScoredItem[]): Accuracy {
  const scores = results.map(({ score = 0 }) => score);
  const { low, high } = scores.length > 0 ? scoreInterval(scores) : { low: 0, high: 1 };
  return { correct: scores.reduce((sum, score) => sum + score, 0), items: scores.length, low, high };
}

/** Mean negative log-likelihood of the completions' tokens; NaN where no item has a completion. */
function meanLoss(results: readonly ScoredItem[]): number {
  return results.reduce((sum, { nll }) => sum + nll, 0) / results.reduce((sum, { tokens }) => sum + tokens, 0);
}

function summarise(step: number, heldOut: readonly ScoredItem[], outOfDomain: readonly ScoredItem[], groups: readonly (string | undefined)[]): Evaluation {
  const byGroup = new Map<string, ScoredItem[]>();
  for (const [i, result] of outOfDomain.entries()) {
    const group = groups[i];
    if (group === undefined) continue;
    const own = byGroup.get(group);
    if (own) own.push(result);
    else byGroup.set(group, [result]);
  }
  return {
    step,
    heldOutLoss: meanLoss(heldOut),
    outOfDomainLoss: meanLoss(outOfDomain),
    inDomain: accuracy(heldOut),
    outOfDomain: accuracy(outOfDomain),
    groups: [...byGroup].map(([group, results]) => ({ group, ...accuracy(results) })).toSorted((a, b) => a.group.localeCompare(b.group)),
  };
}
