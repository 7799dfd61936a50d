import { describe, expect, it } from 'vitest';
import { tinyTokenizerConfig, tinyTokenizerJson } from '../formats/fixtures/tinyTokenizer.ts';
import { loadTokenizer } from '../formats/tokenizer.ts';
import { toExample } from './examples.ts';
import type { Example } from './examples.ts';
import { checkCounts, countTokens, encodePrompt, tokeniseExample, tokeniseExamples } from './tokenise.ts';

const tokenizer = loadTokenizer(tinyTokenizerJson(), tinyTokenizerConfig);
const example = (prompt: string, completion: string): Example => toExample({ prompt, completion }, 1, { prompt: 'prompt', completion: 'completion' }) as Example;

describe('tokeniseExample', () => {
  it('marks completion and end of text, with the edge of the mask between two tokens', () => {
    // " the" would be one token if prompt and completion were encoded together.
    const { ids, trained, truncated } = tokeniseExample({ ...example('', ''), segments: [{ text: 'a ', trained: false }, { text: 'the', trained: true }] }, tokenizer, { maxLength: 100 });
    expect([...ids].map((id) => tokenizer.tokenText(id))).toEqual(['a', ' ', 't', 'he', '<|endoftext|>']);
    expect([...trained]).toEqual([0, 0, 1, 1, 1]);
    expect(truncated).toBe(false);
  });

  it('does not count the first token of a text, which nothing predicts', () => {
    const text = toExample({ text: 'the' }, 1, { completion: 'text' }) as Example;
    expect([...tokeniseExample(text, tokenizer, { maxLength: 9 }).trained]).toEqual([0, 1, 1]);
  });

  it('cuts at the longest length', () => {
    const { ids, trained, truncated } = tokeniseExample(example('ab', 'cd'), tokenizer, { maxLength: 4 });
    expect([ids.length, [...trained], truncated]).toEqual([4, [0, 0, 0, 1], true]);
    expect(tokeniseExample(example('ab', 'cd'), tokenizer, { maxLength: 6 }).truncated).toBe(false);
  });

  it('begins as the model was trained to, and asks with the very tokens of the prompt', () => {
    const withBos = { ...tokenizer, bosTokenId: 0, addsBos: true };
    for (const each of [tokenizer, withBos]) {
      const { ids, trained } = tokeniseExample(example('How many?', ' 3'), each, { maxLength: 99 });
      expect([...ids.subarray(0, trained.indexOf(1))]).toEqual(encodePrompt('How many?', each));
    }
    expect(encodePrompt('a', withBos)[0]).toBe(0);
  });
});

describe('counts', () => {
  it('adds up, and the histogram holds every row', async () => {
    const examples = Array.from({ length: 600 }, (_, i) => example('x'.repeat(i % 90), 'y'));
    const progress: number[] = [];
    const counts = countTokens(await tokeniseExamples(examples, tokenizer, { maxLength: 64 }, (done) => progress.push(done)));
    expect(progress).toEqual([256, 512, 600]);
    expect(counts.rows).toBe(600);
    expect(counts.longest).toBe(64);
    expect(counts.histogram).toMatchObject({ width: 3 });
    expect(counts.histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(600);
    const [full, cut] = [examples.filter(({ question }) => question.length <= 61), examples.filter(({ question }) => question.length > 61)];
    expect(counts.truncated).toBe(cut.length);
    expect(counts.empty).toBe(examples.filter(({ question }) => question.length >= 63).length);
    expect(counts.trainedTokens).toBe(2 * full.length + examples.filter(({ question }) => question.length === 62).length);
  });

  it('block a run in which nothing is trained, and warn of rows of which that is so', async () => {
    const check = async (length: number, maxLength: number): Promise<string[]> =>
      checkCounts(countTokens(await tokeniseExamples([example('x'.repeat(length), 'y'), example('x', 'y'), example('x', 'y')], tokenizer, { maxLength })), 'a.csv', maxLength)
        .map(({ severity, message }) => `${severity}: ${message}`);
    expect(await check(1, 10)).toEqual([]);
    expect(await check(8, 10)).toEqual([]);
    expect(await check(20, 2)).toEqual(['error: a.csv: Every label is masked: no token of these rows would be trained. All rows are longer than 2 tokens, and end inside the prompt. Choose a longer length.']);
    expect(await check(20, 10)).toEqual([expect.stringContaining('the prompt fills the whole length: 1 of 3')]);
  });
});
