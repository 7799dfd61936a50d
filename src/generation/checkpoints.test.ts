/**
 * @file Checkpoints as they are found: real trained ones against their golden logits and continuations, and a tied matrix
 * under its other name. The real ones lie outside the repository; where they are missing, the fixtures of reference/ hold
 * the same mathematics (trainer.test.ts).
 */
import { existsSync, openAsBlob, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readModelFolder } from '../formats/folder.ts';
import { Generator } from './generator.ts';
import { testContext } from '../gpu/testing.ts';
import type { WeightSource } from '../models/model.ts';
import { Model } from '../models/model.ts';
import { readFixtureJson, readFixtureTensors } from '../models/testing.ts';

const CHECKPOINTS = new URL('../../../shared/data/checkpoints/', import.meta.url).pathname;

interface Golden {
  readonly prompts: readonly { readonly ids: readonly number[]; readonly last_logits: readonly number[]; readonly greedy_ids: readonly number[] }[];
}

const load = async (folder: string): Promise<Model> => {
  const names = (await readdir(CHECKPOINTS + folder)).filter((name) => name.endsWith('.json') || name.endsWith('.safetensors'));
  const files = new Map(await Promise.all(names.map(async (name) => [name, await openAsBlob(`${CHECKPOINTS}${folder}/${name}`)] as const)));
  const { config, weights } = await readModelFolder(files);
  return Model.load(await testContext(), config, weights);
};

const cases = [
  { folder: 'stories260k-hf', golden: 'stories260k-hf' },
  { folder: 'tinystories-656k', golden: 'tinystories-656k' },
  { folder: 'tinystories-656k-bf16', golden: 'tinystories-656k' },
  { folder: 'tinystories-656k-f16', golden: 'tinystories-656k' },
  { folder: 'tinystories-656k-sharded-bf16', golden: 'tinystories-656k' },
  { folder: 'verl-arith-llama', golden: 'verl-arith-llama' },
  { folder: 'capp-gpt2', golden: 'capp-gpt2' },
].filter(({ folder }) => existsSync(CHECKPOINTS + folder));

describe('a tied checkpoint', () => {
  it('may store its one matrix as lm_head.weight', async () => {
    const own = await readFixtureTensors('llama-tied/model.safetensors');
    const config = await readFixtureJson<Record<string, unknown>>('llama-tied/config.json');
    const other = (name: string): string => (name === 'lm_head.weight' ? 'model.embed_tokens.weight' : name);
    const renamed: WeightSource = {
      tensors: new Map([...own.tensors].map(([name, entry]) => [name === 'model.embed_tokens.weight' ? 'lm_head.weight' : name, entry])),
      read: (name) => own.read(other(name)),
    };
    const context = await testContext();
    const [usual, tied] = [await Model.load(context, config, own), await Model.load(context, config, renamed)];
    const [table] = usual.layout.weights;
    expect(await tied.weights.read(context.gpu.device, table!)).toEqual(await usual.weights.read(context.gpu.device, table!));
  });

  it('is refused with the name of what is missing, misshapen or not a number', async () => {
    const own = await readFixtureTensors('llama-tied/model.safetensors');
    const config = await readFixtureJson<Record<string, unknown>>('llama-tied/config.json');
    const context = await testContext();
    const without: WeightSource = { ...own, tensors: new Map([...own.tensors].filter(([name]) => name !== 'model.norm.weight')) };
    await expect(Model.load(context, config, without)).rejects.toThrow('no tensor model.norm.weight');
    await expect(Model.load(context, { ...config, intermediate_size: 45 }, own)).rejects.toThrow(/gate_proj.weight has the shape \[44, 32\]; config.json makes it \[45, 32\]/);
    await expect(Model.load(context, config, { ...own, read: async (name) => (await own.read(name)).fill(Number.NaN) })).rejects.toThrow(/embed_tokens.weight holds NaN at element 0/);
    await expect(Model.load(context, { ...config, hidden_act: 'gelu' }, own)).rejects.toThrow('hidden_act is "gelu"');
    expect(context.pool.bytes.get('pretrained')).toBe(0);
  });
});

if (cases.length > 0) {
  describe('real checkpoints', () => {
    it.each(cases)('$folder has its golden logits and continuation', async ({ folder, golden }) => {
      const model = await load(folder);
      const { prompts } = JSON.parse(readFileSync(`${CHECKPOINTS}${golden}/golden.json`, 'utf8')) as Golden;
      for (const { ids, last_logits: expected, greedy_ids: greedy } of prompts.slice(0, 2)) {
        // greedy_ids holds the prompt too; eight tokens of it are enough to notice a wrong cache.
        const length = Math.min(greedy.length, ids.length + 8);
        const generator = await Generator.create(model, model.weights, { sequences: 1, length: Math.max(length, ids.length + 1) }, []);
        generator.begin([{ prompt: ids }], { temperature: 0, topK: 0, topP: 1, seed: 0 });
        const { tokens } = await generator.advance(1);
        const logits = await generator.lastLogits();
        const largest = Math.max(...expected.map(Math.abs));
        for (const [token, value] of expected.entries()) expect(Math.abs(logits[token]! - value) / largest, `logit ${token}`).toBeLessThan(2e-5);
        const answer = [...tokens[0]!, ...(length > ids.length + 1 ? (await generator.advance(length)).tokens[0]! : [])].map(({ id }) => id);
        expect(answer.slice(0, length - ids.length)).toEqual(greedy.slice(ids.length, length));
        generator.destroy();
      }
      model.destroy();
    });

    it('llm-viz-gpt-nano-hf has the logits that its authors recorded', async () => {
      const model = await load('llm-viz-gpt-nano-hf');
      const recorded = JSON.parse(readFileSync(`${CHECKPOINTS}llm-viz-gpt-nano/gpt-nano-sort-t0-partials.json`, 'utf8')) as Record<'idx' | 'lm_head', { readonly shape: readonly number[]; readonly data: string }>;
      const bytes = (name: 'idx' | 'lm_head'): ArrayBuffer => Uint8Array.from(Buffer.from(recorded[name].data, 'base64')).buffer;
      const [sequences, length] = recorded.idx.shape as [number, number];
      const ids = Array.from(new Float32Array(bytes('idx')));
      const expected = new Float32Array(bytes('lm_head'));
      const { vocabSize } = model.config;
      const generator = await Generator.create(model, model.weights, { sequences, length }, []);
      for (let read = 1; read < length; read++) {
        const prompts = Array.from({ length: sequences }, (_, row) => ids.slice(row * length, row * length + read));
        generator.begin(prompts.map((prompt) => ({ prompt })), { temperature: 0, topK: 0, topP: 1, seed: 0 });
        await generator.advance(1);
        const logits = await generator.lastLogits();
        for (let row = 0; row < sequences; row++) {
          const at = (row * length + read - 1) * vocabSize;
          for (let token = 0; token < vocabSize; token++) expect(Math.abs(logits[row * vocabSize + token]! - expected[at + token]!), `logit ${token} of position ${read - 1}`).toBeLessThan(2e-5);
        }
      }
      generator.destroy();
      model.destroy();
    });
  });
}
