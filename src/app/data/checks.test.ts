/** @file What is said about a dataset, and how tokens are written. */
import { describe, expect, it } from 'vitest';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { dataChecks } from './checks.ts';
import { tokenText } from './tokenText.ts';

const dataset: DatasetSummary = {
  role: 'train', name: 'a.jsonl', origin: 'file', shape: 'GSM8K', measure: 'exact', rendering: 'plain', columns: ['q', 'a'], mapping: { prompt: 'q', completion: 'a' }, rows: 2000, tokens: 87_330,
  trainedTokens: 38_124, truncatedRows: 0, longest: 52, duplicates: 0, overlap: { heldOut: 0, outOfDomain: 0 }, lengths: { width: 8, counts: [] }, warnings: [], milliseconds: 1,
};
const others = { heldOut: { ...dataset, rows: 200 }, outOfDomain: { ...dataset, rows: 642 } };
const texts = (change: Partial<DatasetSummary>): readonly string[] => dataChecks({ ...dataset, ...change }, others, 128).map(({ verdict, text }) => `${verdict}: ${text}`);

describe('dataChecks', () => {
  it('says what is well', () =>
    expect(texts({})).toEqual([
      'ok: 38,124 of 87,330 tokens are trained (43.7%)',
      'ok: Nothing is cut off: the longest row has 52 of 128 tokens',
      'ok: No row stands here twice',
      'ok: No row is shared with the 200 held-out or 642 out-of-domain rows',
    ]));

  it('puts what is wrong first', () => {
    expect(texts({ trainedTokens: 0 })[0]).toBe('bad: Every label is masked. No token of these rows would be trained: choose another column as the answer.');
    expect(texts({ truncatedRows: 1, duplicates: 3, overlap: { heldOut: 12 }, warnings: ['A character was lost.'] }).slice(0, 4)).toEqual([
      'warn: 1 row is longer than 128 tokens and will be cut off (0.1%)',
      'warn: 3 rows are a copy of another row',
      'warn: 12 rows are also in the held-out data: what is measured there will look better than it is',
      'warn: A character was lost.',
    ]);
    expect(texts({ truncatedRows: 1000 })[0]).toMatch(/^warn: 1,000 rows are longer than 128 tokens and will be cut off \(\d+\.\d%\): choose a longer length, or the model may not learn to stop$/);
    expect(texts({ role: 'heldOut', truncatedRows: 1000 })[0]).toMatch(/cut off \(\d+\.\d%\)$/);
  });
});

describe('dataChecks of measured data', () => {
  it('do not ask for trained tokens where gold answers are all there is', () =>
    expect(texts({ role: 'heldOut', measure: 'generation', trainedTokens: 0, overlap: { train: 2, outOfDomain: 1 } }).slice(0, 3)).toEqual([
      'warn: 2 rows are also in the training data: what is measured here will look better than it is',
      'warn: 1 row is also in the out-of-domain data: gain and loss are partly measured on the same items',
      'ok: The rows hold questions and gold answers; they are measured by generated answer',
    ]));
});

describe('tokenText', () => {
  it.each([
    [' the', false, { spaced: true, shown: 'the', breaks: 0 }],
    [' the', true, { spaced: false, shown: '␣the', breaks: 0 }],
    ['  the', false, { spaced: false, shown: '␣␣the', breaks: 0 }],
    [' ', false, { spaced: false, shown: '␣', breaks: 0 }],
    ['\n', false, { spaced: false, shown: '↵', breaks: 1 }],
    ['\n\n', false, { spaced: false, shown: '↵↵', breaks: 2 }],
    ['a b', false, { spaced: false, shown: 'a b', breaks: 0 }],
    ['word', false, { spaced: false, shown: 'word', breaks: 0 }],
  ])('writes %j', (text, first, expected) => expect(tokenText(text, first)).toEqual(expected));
});
