/** @file Evaluation on demand: base and runs on one suite, with intervals, and its items kept for browsing. */
import type { Example } from '../data/examples.ts';
import type { DecodeProgress, WeightSet } from '../engine.ts';
import { perplexityInterval, scoreInterval, type Interval } from '../evaluation/intervals.ts';
import type { ScoredItem, Scorer, ScorerSettings } from '../evaluation/scorer.ts';
import { completionOf } from '../evaluation/scorer.ts';
import type { Turn } from '../gpu/turn.ts';
import type { EvaluatedItem, EvaluationReport, EvaluationRequest, Measure, RunId, Score } from './protocol.ts';

/** What an evaluation is made on. */
export interface EvaluationMaterial {
  readonly dataset: string;
  readonly examples: readonly Example[];
  readonly columns: readonly { readonly column: 'base' | RunId; readonly weights: WeightSet }[];
  readonly scorer: (weights: WeightSet, settings: Pick<ScorerSettings, 'samples' | 'temperature' | 'maxNewTokens' | 'seed'>) => Scorer;
}

/** A report with the items behind it. */
export interface Evaluated {
  readonly report: EvaluationReport;
  readonly items: readonly EvaluatedItem[];
}

/** Reports kept for browsing; the oldest goes when another comes. */
const KEPT = 8;

/** The evaluations made on demand, the last few of them. */
export class Evaluations {
  readonly #kept = new Map<string, Evaluated>();
  #cancelled = false;

  /**
   * Measures all columns one after the other.
   * @throws when it was cancelled, or a measure does not fit the items
   */
  async evaluate(request: EvaluationRequest, { dataset, examples, columns, scorer }: EvaluationMaterial, turn: Turn, onProgress: (done: number, total: number, decoding?: DecodeProgress) => void): Promise<EvaluationReport> {
    this.#cancelled = false;
    const started = performance.now();
    const items = request.items > 0 ? examples.slice(0, request.items) : examples;
    checkMeasure(request.measure, items, dataset);
    const scored: ScoredItem[][] = [];
    for (const [index, { weights }] of columns.entries()) {
      const own = scorer(weights, request);
      try {
        const report = (done: number, decoding?: DecodeProgress): void => onProgress(index * items.length + done, columns.length * items.length, decoding);
        scored.push(await own.score(items, request.measure, (work) => turn(() => this.#unlessCancelled(work)), report));
      } finally {
        own.destroy();
      }
    }
    const report: EvaluationReport = {
      id: crypto.randomUUID(),
      request,
      dataset,
      columns: columns.map(({ column }, i) => ({ column, ...scoresOf(request.measure, scored[i]!), groups: groupsOf(request.measure, items, scored[i]!) })),
      seconds: (performance.now() - started) / 1000,
    };
    this.#kept.set(report.id, { report, items: items.map((example, i) => itemOf(example, columns.map(({ column }, c) => ({ column, ...scored[c]![i]! })))) });
    for (const id of [...this.#kept.keys()].slice(0, -KEPT)) this.#kept.delete(id);
    return report;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** Items of a report that was made, a page of them. @throws when the report is not kept any more */
  items(id: string, which: 'all' | 'failures' | 'changed', from: number, count: number): { readonly total: number; readonly items: readonly EvaluatedItem[] } {
    const evaluated = this.#kept.get(id);
    if (!evaluated) throw new Error('This evaluation is not kept any more; evaluate again.');
    const chosen = evaluated.items.filter((item) => which === 'all' || (which === 'failures' ? isFailure(item) : isChange(item)));
    return { total: chosen.length, items: chosen.slice(from, from + count) };
  }

  #unlessCancelled<T>(work: () => Promise<T>): Promise<T> {
    if (this.#cancelled) throw new Error('The evaluation was stopped.');
    return work();
  }
}

/** @throws naming what the items lack for a measure */
function checkMeasure(measure: Measure, items: readonly Example[], dataset: string): void {
  if (items.length === 0) throw new Error(`${dataset} has no items to evaluate.`);
  const lacking = items.find((item) => {
    if (measure === 'choice') return !item.choices;
    if (measure === 'generation') return item.answer === undefined && completionOf(item) === '';
    return completionOf(item) === '';
  });
  if (!lacking) return;
  const needs = { choice: 'options to choose from', generation: 'an answer to compare with', exact: 'a completion to compare with', perplexity: 'a completion to score' }[measure];
  throw new Error(`Row ${lacking.row} of ${dataset} has no ${needs.replace(/^an? /, '')}; choose another measure. Nothing was evaluated.`);
}

const isFailure = ({ answers }: EvaluatedItem): boolean => answers.some(({ score }) => score !== undefined && score < 1);
const isChange = ({ answers }: EvaluatedItem): boolean => new Set(answers.map(({ score }) => score)).size > 1;

const scoreOf = ({ mean, low, high, count }: Interval): Score => ({ value: mean, items: count, low, high });

/** What items come to by a measure. */
export function scoresOf(measure: Measure, items: readonly ScoredItem[]): { score: Score; normalised?: Score; stopRate?: Score } {
  if (measure === 'perplexity') return { score: perplexityOf(items) };
  return {
    score: scoreOf(scoreInterval(items.map(({ score }) => score!))),
    ...(measure === 'choice' ? { normalised: scoreOf(scoreInterval(items.map(({ normalised }) => normalised!))) } : {}),
    ...(measure === 'generation' ? { stopRate: scoreOf(scoreInterval(items.map(({ ended }) => ended!))) } : {}),
  };
}

function perplexityOf(items: readonly ScoredItem[]): Score {
  return scoreOf(perplexityInterval(items.map(({ nll }) => nll), items.map(({ tokens }) => tokens)));
}

function groupsOf(measure: Measure, examples: readonly Example[], scored: readonly ScoredItem[]): ({ readonly group: string } & Score)[] {
  const byGroup = new Map<string, ScoredItem[]>();
  for (const [i, { group }] of examples.entries()) {
    if (group === undefined) continue;
    const own = byGroup.get(group);
    if (own) own.push(scored[i]!);
    else byGroup.set(group, [scored[i]!]);
  }
  return [...byGroup].map(([group, items]) => ({ group, ...scoresOf(measure, items).score })).toSorted((a, b) => a.group.localeCompare(b.group));
}

function itemOf(example: Example, answers: readonly ({ readonly column: 'base' | RunId } & ScoredItem)[]): EvaluatedItem {
  const { row, group, question, answer, choices, messages } = example;
  return {
    row,
    ...(group === undefined ? {} : { group }),
    prompt: question || (messages ?? []).filter(({ role }) => role !== 'assistant').map(({ content }) => content).join('\n\n'),
    expected: choices ? choices.options[choices.answer]! : completionOf(example) || (answer ?? ''),
    answers: answers.map(({ column, score, nll, tokens, given, extracted, options }) => ({
      column,
      given,
      extracted,
      ...(score === undefined ? {} : { score }),
      ...(options ? { options } : {}),
      ...(tokens > 0 ? { perplexity: Math.exp(nll / tokens) } : {}),
    })),
  };
}
