/** @file Option likelihoods against the log-probabilities that decoding token by token gives, and the two ways to choose. */
import { describe, expect, it } from 'vitest';
import { Generator } from '../generation/generator.ts';
import type { Model } from '../models/model.ts';
import { loadFixtureModel } from '../models/testing.ts';
import { Evaluator } from './evaluator.ts';
import type { OptionItem } from './options.ts';
import { evaluateOptions } from './options.ts';

const LENGTH = 16;

/** log p of `ids` after `prompt`, one decoding step a token, softmax in f64. */
async function logLikelihood(model: Model, prompt: readonly number[], ids: readonly number[]): Promise<number> {
  let sum = 0;
  for (const [i, id] of ids.entries()) {
    const context = [...prompt, ...ids.slice(0, i)];
    const generator = await Generator.create(model, model.weights, { sequences: 1, length: LENGTH }, []);
    generator.begin([{ prompt: context }], { temperature: 0, topK: 0, topP: 1, seed: 0 });
    await generator.advance(1);
    const logits = [...(await generator.lastLogits())].slice(0, model.config.vocabSize);
    const most = Math.max(...logits);
    sum += logits[id]! - most - Math.log(logits.reduce((total, logit) => total + Math.exp(logit - most), 0));
    generator.destroy();
  }
  return sum;
}

describe('evaluateOptions', () => {
  it('sums the log-probabilities of each option, and chooses with and without regard to length', async () => {
    const model = await loadFixtureModel('llama-tied');
    const evaluator = await Evaluator.create(model, model.weights, { rows: 2, length: LENGTH }, 0);
    const items: OptionItem[] = [
      { prompt: [3, 4, 5], options: [{ text: 'a', ids: [6] }, { text: 'long one', ids: [7, 8, 9] }] },
      { prompt: [1], options: [{ text: 'x', ids: [2, 3] }, { text: 'y', ids: [4, 5] }, { text: 'z', ids: [6, 7] }] },
    ];
    const done: number[] = [];
    const results = await evaluateOptions(evaluator, items, LENGTH, (count) => done.push(count));
    evaluator.destroy();
    expect(done.at(-1)).toBe(2);
    for (const [i, { prompt, options }] of items.entries()) {
      const expected: number[] = [];
      for (const { ids } of options) expected.push(await logLikelihood(model, prompt, ids));
      const { logLikelihoods, chosen, chosenByLength, truncated } = results[i]!;
      for (const [j, value] of expected.entries()) expect(Math.abs(logLikelihoods[j]! - value)).toBeLessThan(1e-5 * Math.abs(value));
      expect(chosen).toBe(expected.indexOf(Math.max(...expected)));
      const byLength = expected.map((value, j) => value / options[j]!.text.length);
      expect(chosenByLength).toBe(byLength.indexOf(Math.max(...byLength)));
      expect(truncated).toBe(false);
    }
    // One token against three at like odds: length decides which of the two rules takes which.
    expect([results[0]!.chosen, results[0]!.chosenByLength]).toEqual([0, 1]);
  });

  it('cuts a long prompt at its beginning, says so, and refuses what cannot be scored', async () => {
    const model = await loadFixtureModel('llama-tied');
    const evaluator = await Evaluator.create(model, model.weights, { rows: 1, length: LENGTH }, 0);
    const prompt = Array.from({ length: 30 }, (_, i) => i + 1);
    const [long] = await evaluateOptions(evaluator, [{ prompt, options: [{ text: 'ab', ids: [4, 5] }] }], LENGTH);
    const [short] = await evaluateOptions(evaluator, [{ prompt: prompt.slice(-14), options: [{ text: 'ab', ids: [4, 5] }] }], LENGTH);
    expect(long!.logLikelihoods).toEqual(short!.logLikelihoods);
    expect([long!.truncated, short!.truncated]).toEqual([true, false]);
    await expect(evaluateOptions(evaluator, [{ prompt: [], options: [{ text: 'a', ids: [4] }] }], LENGTH)).rejects.toThrow('before its options');
    await expect(evaluateOptions(evaluator, [{ prompt: [1], options: [] }], LENGTH)).rejects.toThrow('needs options');
    evaluator.destroy();
  });
});
