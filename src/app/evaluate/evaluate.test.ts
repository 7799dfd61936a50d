/** @file What an evaluation asks for, and how its report is worded, tabled and saved. */
import { describe, expect, it } from 'vitest';
import type { DatasetSummary, EvaluationReport, EvaluationRequest, Score } from '../../worker/protocol.ts';
import { plainText } from '../charts/Phrases.tsx';
import { toCsv } from '../charts/table.ts';
import { madeUpRun } from '../charts/testing.ts';
import { chosenRuns, initialEvaluation, itemCount, requestOf, type NamedReport } from './form.ts';
import { differenceOf, formatPerplexity, groupRows, intervalText, itemLines, reportDetail, reportSentence, reportTable, runsSentence, scoreText, scoreTitle, verdictOf } from './report.ts';

const dataset: DatasetSummary = {
  role: 'heldOut', name: 'a.jsonl', origin: 'file', shape: 'GSM8K', measure: 'generation', rendering: 'plain', columns: ['q', 'a'], mapping: { prompt: 'q', completion: 'a' }, rows: 200, tokens: 9000,
  trainedTokens: 4000, truncatedRows: 0, longest: 52, duplicates: 0, overlap: {}, lengths: { width: 8, counts: [] }, warnings: [], milliseconds: 1,
};
const { form } = initialEvaluation;

describe('requestOf', () => {
  const run = madeUpRun();
  it('measures the first items of the base model and the latest runs by what fits', () =>
    expect(requestOf(form, dataset, [run])).toEqual({ role: 'heldOut', columns: ['base', run.id], measure: 'generation', items: 100, samples: 1, temperature: 0, maxNewTokens: 256, seed: 1 }));

  it('leaves out runs without weights, and says all as 0', () => {
    const runs = [{ ...run, recorded: true }, { ...run, state: 'failed' as const }, { ...run, state: 'preparing' as const }];
    expect(requestOf({ ...form, allItems: true }, dataset, runs)).toMatchObject({ columns: ['base'], items: 0 });
    expect(requestOf({ ...form, items: 500 }, dataset, [])).toMatchObject({ items: 0 });
    expect(itemCount({ ...form, items: 500 }, dataset)).toBe(200);
  });

  it('keeps what was ticked, in the order of the list', () => {
    const runs = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ ...run, id }));
    expect(chosenRuns({ runs: undefined }, runs).map(({ id }) => id)).toEqual(['c', 'd', 'e']);
    expect(chosenRuns({ runs: ['e', 'a', 'gone'] }, runs).map(({ id }) => id)).toEqual(['a', 'e']);
  });

  it('refuses with the field and its range', () => {
    expect(requestOf({ ...form, items: Number.NaN }, dataset, [])).toBe('Items has to be between 1 and 1,000,000.');
    expect(requestOf({ ...form, maxNewTokens: 0 }, dataset, [])).toBe('Tokens has to be between 1 and 4,096.');
    expect(requestOf({ ...form, maxNewTokens: 0, measure: 'exact' }, dataset, [])).toMatchObject({ measure: 'exact', samples: 1, temperature: 0 });
    expect(requestOf({ ...form, samples: 4 }, dataset, [])).toMatch(/^At temperature 0 all samples of an item are the same\./);
    expect(requestOf({ ...form, samples: 4, temperature: 0.7 }, dataset, [])).toMatchObject({ samples: 4, temperature: 0.7 });
    expect(requestOf(form, undefined, [])).toBe('There is no data in this part to measure.');
  });

  it('takes what fits where the chosen measure does not', () => expect(requestOf({ ...form, measure: 'choice' }, dataset, [])).toMatchObject({ measure: 'generation' }));
});

const request: EvaluationRequest = { role: 'heldOut', columns: ['x', 'base'], measure: 'exact', items: 0, samples: 1, temperature: 0, maxNewTokens: 256, seed: 1 };
const score = (value: number, half: number, items = 200): Score => ({ value, items, low: value - half, high: value + half });

function named(scores: Readonly<Record<string, Score>>, change: Partial<EvaluationRequest> = {}): NamedReport {
  const report: EvaluationReport = { id: 'r', dataset: 'a.jsonl', seconds: 2, request: { ...request, ...change }, columns: Object.entries(scores).map(([column, own]) => ({ column, score: own, groups: [{ group: 'sums', ...own }] })) };
  return { report, names: { base: 'Base model', x: 'RPSFT', y: 'SFT' } };
}

describe('differenceOf', () => {
  it('joins the two intervals', () => {
    const { value, low, high } = differenceOf(score(0.5, 0.03), score(0.6, 0.04));
    expect(value).toBeCloseTo(0.1, 12);
    expect(low).toBeCloseTo(0.05, 12);
    expect(high).toBeCloseTo(0.15, 12);
  });
  it('compares perplexities by their logarithms', () => {
    const { value, low, high } = differenceOf(score(10, 0), score(5, 0), true);
    expect(value).toBeCloseTo(Math.log(0.5), 12);
    expect([low, high]).toEqual([value, value]);
  });
});

describe('sentences', () => {
  const sentence = (scores: Readonly<Record<string, Score>>, change: Partial<EvaluationRequest> = {}): string => plainText(reportSentence(named(scores, change)));
  it('say what one column scored', () => {
    expect(sentence({ base: score(0.62, 0.07) })).toBe('The base model has 62.0% right.');
    expect(sentence({ base: score(6.214, 0.3) }, { measure: 'perplexity' })).toBe('The base model has a perplexity of 6.21.');
  });
  it('claim a difference only beyond its interval', () => {
    expect(sentence({ x: score(0.74, 0.05), base: score(0.62, 0.05) })).toBe('RPSFT is 12.0 points above the base model.');
    expect(sentence({ base: score(0.62, 0.05), x: score(0.5, 0.05), y: score(0.63, 0.05) })).toBe('RPSFT is 12.0 points below the base model; the difference of SFT is within the uncertainty.');
    expect(sentence({ base: score(0.62, 0.05), x: score(0.63, 0.05), y: score(0.6, 0.05) })).toBe('RPSFT and SFT do not differ from the base model beyond the uncertainty.');
    expect(sentence({ base: score(6, 0.1), x: score(5, 0.1) }, { measure: 'perplexity' })).toBe('RPSFT has a lower perplexity than the base model, 5.00 against 6.00.');
  });
  it('leave open what the runs do not show', () => {
    expect(runsSentence(named({ base: score(0.6, 0.05), x: score(0.7, 0.05) }))).toBe('');
    expect(runsSentence(named({ base: score(0.6, 0.05), x: score(0.7, 0.05), y: score(0.71, 0.05) }))).toBe('Between the runs no difference exceeds the uncertainty: which is ahead is open.');
    expect(runsSentence(named({ base: score(0.6, 0.05), x: score(0.7, 0.05), y: score(0.5, 0.05) }))).toBe('RPSFT is 20.0 points above SFT.');
  });
  it('name data, items and sampling', () => {
    const scores = { base: score(0.5, 0.1) };
    expect(reportDetail(named(scores).report)).toBe('Held-out, 200 items of a.jsonl, by whole completion.');
    expect(reportDetail(named(scores, { measure: 'generation' }).report)).toBe('Held-out, 200 items of a.jsonl, by generated answer: greedy, at most 256 tokens.');
    expect(reportDetail(named(scores, { measure: 'generation', samples: 4, temperature: 0.7, role: 'outOfDomain' }).report)).toBe(
      'Out-of-domain, 200 items of a.jsonl, by generated answer: 4 samples at temperature 0.7, at most 256 tokens, seed 1.',
    );
    expect(scoreTitle({ request: { ...request, samples: 4 } })).toBe('avg@4');
  });
});

describe('numbers', () => {
  it('are percent with the decimals of their items, or perplexities', () => {
    expect([scoreText({ request }, score(0.5, 0.1, 20)), intervalText({ request }, score(0.5, 0.1, 20))]).toEqual(['50%', '40\u201360%']);
    const perplexity = { request: { ...request, measure: 'perplexity' as const } };
    expect([scoreText(perplexity, score(6.2, 0.1)), intervalText(perplexity, score(6.2, 0.1))]).toEqual(['6.20', '6.10\u20136.30']);
    expect([formatPerplexity(1234.5), formatPerplexity(Number.NaN)]).toEqual(['1,235', '\u2013']);
  });
});

describe('tables and files', () => {
  const made = named({ x: score(0.75, 0.125), base: score(0.5, 0.25) });
  it('put the base model first', () => {
    expect(toCsv(reportTable(made)).split('\r\n').slice(0, 4)).toEqual([
      'Column,Data,Score,Items,Value,95% low,95% high', 'Base model,a.jsonl,Whole completion,200,0.5,0.25,0.75', 'Base model,a.jsonl,Group sums,200,0.5,0.25,0.75', 'RPSFT,a.jsonl,Whole completion,200,0.75,0.625,0.875',
    ]);
    expect(groupRows(made.report)).toEqual([{ group: 'sums', scores: [expect.objectContaining({ value: 0.5 }), expect.objectContaining({ value: 0.75 })] }]);
  });
  it('name the models of an item', () => {
    const item = { row: 3, prompt: '1+1?', expected: '2', answers: [{ column: 'x', score: 1, given: ['2'], extracted: ['2'] }] };
    expect(itemLines([item, item], made.names)).toBe('{"row":3,"prompt":"1+1?","expected":"2","answers":[{"model":"RPSFT","score":1,"given":["2"],"extracted":["2"]}]}\n'.repeat(2));
  });
});

describe('verdictOf', () => {
  it('says how many samples are right', () => {
    expect(verdictOf(undefined, 0)).toBeUndefined();
    expect(verdictOf(1, 1)).toEqual({ verdict: 'correct', words: 'correct' });
    expect(verdictOf(0, 1)).toEqual({ verdict: 'incorrect', words: 'incorrect' });
    expect(verdictOf(0.75, 4)).toEqual({ verdict: 'partly', words: '3 of 4 correct' });
    expect(verdictOf(0, 4)).toEqual({ verdict: 'incorrect', words: '0 of 4 correct' });
  });
});
