/**
 * @file Answers of every family as they were when prompts were still read a token at a time: reference/fixtures/decoded.json holds
 * what commit 1a2765d gave, to the same prompts in batches of three, the same on lavapipe and on SwiftShader.
 */
import { describe, expect, it } from 'vitest';
import { Generator } from '../generation/generator.ts';
import { loadFixtureModel, readFixtureJson } from '../models/testing.ts';
import type { GenerationSettings } from './generated.ts';
import { generateAnswers } from './generated.ts';

/** [prompt][sample][token] */
type Answers = readonly (readonly (readonly number[])[])[];

const { prompts, families } = await readFixtureJson<{ readonly prompts: readonly (readonly number[])[]; readonly families: Readonly<Record<string, { readonly greedy: Answers; readonly sampled: Answers }>> }>('decoded.json');

describe('answers recorded from reading token by token', () => {
  it.each(Object.keys(families))('%s', async (folder) => {
    const model = await loadFixtureModel(folder);
    const shape = { sequences: 3, length: 24 };
    const generator = await Generator.create(model, model.weights, shape, []);
    const answers = async (settings: Partial<GenerationSettings>): Promise<Answers> => {
      const all = await generateAnswers(generator, shape, prompts, [], { samples: 1, temperature: 0, maxNewTokens: 16, seed: 0, ...settings }, (work) => work());
      return all.map((own) => own.map(({ ids }) => ids));
    };
    expect(await answers({})).toEqual(families[folder]!.greedy);
    expect(await answers({ samples: 2, temperature: 1, seed: 5 })).toEqual(families[folder]!.sampled);
    generator.destroy();
    model.destroy();
  });
});
