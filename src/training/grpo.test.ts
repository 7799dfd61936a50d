/** @file GRPO against PyTorch on given answers, its ratio to the bit, and a task on which the reward must rise. */
import { describe, expect, it } from 'vitest';
import { Evaluator } from '../evaluation/evaluator.ts';
import { Generator } from '../generation/generator.ts';
import { relativeError } from '../graph/testing.ts';
import { l2spPenalty } from '../methods/l2sp.ts';
import type { Model } from '../models/model.ts';
import { loadFixtureModel, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import type { GrpoRecord, GrpoSettings } from './grpo.ts';
import { GrpoTrainer } from './grpo.ts';
import type { AdamW } from './optimizer.ts';
import type { Sample, Task } from './rollout.ts';
import { advantages } from './rollout.ts';

interface Fixture {
  readonly settings: AdamW & { readonly clipLow: number; readonly clipHigh: number; readonly updates: number; readonly learningRate: number };
  readonly groups: readonly { readonly prompt: readonly number[]; readonly answers: readonly (readonly number[])[]; readonly rewards: readonly number[]; readonly advantages: readonly number[] }[];
  readonly entropy: number;
  readonly loss: readonly number[];
  readonly gradientNorm: readonly number[];
  readonly clipShare: readonly number[];
}

const END = 3;
const ENDS = { ids: [END], padTokenId: 0 };
const settings = (more: Partial<GrpoSettings> = {}): GrpoSettings => ({
  prompts: 3,
  samples: 4,
  maxNewTokens: 9,
  clipLow: 0.2,
  clipHigh: 0.28,
  updates: 1,
  optimizer: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 4e-3, warmupSteps: 0, steps: 100 },
  sequences: 12,
  rows: 6,
  seed: 1,
  ...more,
});

const given = ({ groups }: Fixture): Sample[][] =>
  groups.map(({ prompt, answers, rewards }) =>
    answers.map((answer, i) => ({
      ids: Uint32Array.from([...prompt, ...answer]),
      trained: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1)]),
      truncated: false,
      reward: rewards[i]!,
      advantage: advantages(rewards)[i]!,
      answerTokens: answer.length,
    })),
  );

/** An answer is right that begins with an even token. Prompts are as long as the longest of the fixture, so that the tests share their pipelines. */
const tasks: readonly Task[] = Array.from({ length: 6 }, (_, i) => ({ prompt: [10 + i, 5, 30 + i, 6, 7], reward: ([first]) => Number(first! % 2 === 0) }));

const weightsOf = (model: Model, trainer: GrpoTrainer) => Promise.all(model.layout.weights.map((weight) => trainer.weights.read(model.context.gpu.device, weight)));

describe('GrpoTrainer', () => {
  it.each([12, 6])('has the losses, gradients, clipping and entropy of PyTorch, %i rows a micro-batch', async (rows) => {
    const model = await loadFixtureModel('llama-tied');
    const fixture = await readFixtureJson<Fixture>('grpo.json');
    const golden = await readFixtureTensors('grpo.safetensors');
    for (const group of fixture.groups) for (const [i, advantage] of advantages(group.rewards).entries()) expect(advantage).toBeCloseTo(group.advantages[i]!, 6);
    for (const updates of [1, fixture.settings.updates]) {
      const trainer = await GrpoTrainer.create(model, settings({ updates, rows }), fixture.groups.map(({ prompt }) => ({ prompt, reward: () => 0 })), ENDS);
      const record = await trainer.learn(given(fixture));
      // As for SFT in trainer.test.ts: f32 on both sides, and Adam divides what is near zero by the root of v.
      expect(Math.abs(record.loss / fixture.loss[updates - 1]! - 1)).toBeLessThan(updates === 1 ? 1e-5 : 1e-3);
      expect(Math.abs(record.gradientNorm / fixture.gradientNorm[updates - 1]! - 1)).toBeLessThan(updates === 1 ? 1e-5 : 1e-3);
      expect(record.clipShare).toBeCloseTo(fixture.clipShare.slice(0, updates).reduce((a, b) => a + b, 0) / updates, 10);
      expect(Math.abs(record.entropy / fixture.entropy - 1)).toBeLessThan(1e-6);
      expect(record).toMatchObject({ step: 1, reward: 7 / 12, mixedGroups: 2 / 3, skippedUpdates: 0, penalty: 0 });
      for (const weight of model.layout.weights.filter(({ name }) => golden.tensors.has(`weight/${name}`))) {
        const gradient = await trainer.lastGradients.read(model.context.gpu.device, weight);
        expect(relativeError(Float64Array.from(gradient), Float64Array.from(await golden.read(`gradient ${updates}/${weight.name}`))), weight.name).toBeLessThan(updates === 1 ? 2e-5 : 2e-3);
        if (updates === 1) continue;
        const values = await trainer.weights.read(model.context.gpu.device, weight);
        expect(relativeError(Float64Array.from(values), Float64Array.from(await golden.read(`weight/${weight.name}`))), weight.name).toBeLessThan(1e-3);
      }
      trainer.destroy();
    }
  });

  it('samples from the very distribution it trains: a ratio of exactly 1 while the weights stay', async () => {
    const model = await loadFixtureModel('llama-tied');
    const still = { kind: 'constant', learningRate: 0, warmupSteps: 0, steps: 9 } as const;
    const losses: number[] = [];
    for (const updates of [1, 2, 3]) {
      const trainer = await GrpoTrainer.create(model, settings({ updates, schedule: still, clipLow: 0, clipHigh: 0 }), tasks, ENDS);
      const { loss, clipShare } = await trainer.takeStep();
      // Bounds of 1: any ratio that is not exactly 1 would be past one of them for half the tokens.
      expect(clipShare).toBe(0);
      losses.push(loss);
      trainer.destroy();
    }
    expect(losses[0]).not.toBe(0);
    expect(losses).toEqual([losses[0], losses[0], losses[0]]);
  });

  it('learns nothing from groups of equal rewards, and counts them', async () => {
    const model = await loadFixtureModel('llama-tied');
    const trainer = await GrpoTrainer.create(model, settings(), tasks.map(({ prompt }) => ({ prompt, reward: () => 1 })), ENDS);
    const before = await weightsOf(model, trainer);
    const record = await trainer.takeStep();
    expect(record).toMatchObject({ reward: 1, mixedGroups: 0, gradientNorm: 0, clipShare: 0 });
    expect(Math.abs(record.loss)).toBe(0);
    expect(await weightsOf(model, trainer)).toEqual(before);
    trainer.destroy();
  });

  it('gives the same bits for the same seed, and adds a penalty', async () => {
    const model = await loadFixtureModel('llama-tied');
    const run = async (more: Partial<GrpoSettings>) => {
      const trainer = await GrpoTrainer.create(model, settings({ updates: 2, ...more }), tasks, ENDS);
      const records: GrpoRecord[] = [];
      for (let step = 0; step < 2; step++) records.push(await trainer.takeStep());
      const weights = await weightsOf(model, trainer);
      trainer.destroy();
      return { records, weights };
    };
    const first = await run({});
    expect(await run({})).toEqual(first);
    expect((await run({ seed: 2 })).records).not.toEqual(first.records);
    const held = await run({ penalty: { lambda: 1, term: l2spPenalty } });
    expect(held.records[1]!.penalty).toBeGreaterThan(0);
  });

  it('goes on from a checkpoint to the bits of the run that was not interrupted', async () => {
    const model = await loadFixtureModel('llama-tied');
    const schedule = { kind: 'linear', learningRate: 8e-3, warmupSteps: 2, steps: 8 } as const;
    const create = (): Promise<GrpoTrainer> => GrpoTrainer.create(model, settings({ updates: 2, schedule }), tasks, ENDS);
    const take = async (trainer: GrpoTrainer, steps: number): Promise<GrpoRecord[]> => {
      const records: GrpoRecord[] = [];
      for (let i = 0; i < steps; i++) records.push(await trainer.takeStep());
      return records;
    };
    const saved = async (trainer: GrpoTrainer): Promise<Blob> => {
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      for await (const piece of trainer.saveState()) pieces.push(piece);
      return new Blob(pieces);
    };
    const straight = await create();
    const expected = await take(straight, 4);
    expect(expected.some(({ gradientNorm }) => gradientNorm > 0)).toBe(true);

    const first = await create();
    expect(await take(first, 2)).toEqual(expected.slice(0, 2));
    const file = await saved(first);
    first.destroy();
    const second = await create();
    await second.restoreState(file, 'run.checkpoint');
    expect(second.step).toBe(2);
    expect(await take(second, 2)).toEqual(expected.slice(2));
    expect(await saved(second).then((blob) => blob.arrayBuffer()), 'weights, moments and counters').toEqual(await saved(straight).then((blob) => blob.arrayBuffer()));
    await expect(second.restoreState(new Blob([new Uint8Array(4)]), 'run.checkpoint')).rejects.toThrow('run.checkpoint');
    expect(second.step).toBe(4);
    for (const trainer of [straight, second]) trainer.destroy();
  });

  it('raises the reward of a task that can be learnt', async () => {
    const model = await loadFixtureModel('llama-tied');
    const trainer = await GrpoTrainer.create(model, settings({ samples: 8, schedule: { kind: 'constant', learningRate: 8e-3, warmupSteps: 0, steps: 12 } }), tasks, ENDS);
    const rewards: number[] = [];
    for (let step = 0; step < 12; step++) rewards.push((await trainer.takeStep()).reward);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(rewards.slice(-4))).toBeGreaterThan(mean(rewards.slice(0, 4)) + 0.25);
    trainer.destroy();
  });

  it('decodes what it trains: probabilities of sampling are those of the training pass up to rounding', async () => {
    const model = await loadFixtureModel('llama-tied');
    const generator = await Generator.create(model, model.weights, { sequences: 12, length: 14 }, ENDS.ids);
    const prompts = Array.from({ length: 12 }, (_, i) => tasks[i % 6]!.prompt);
    generator.begin(prompts.map((prompt) => ({ prompt })), { temperature: 1, topK: 0, topP: 1, seed: 9 });
    const { tokens } = await generator.advance(9);
    const examples = tokens.map((answer, i) => {
      const ids = Uint32Array.from([...prompts[i]!, ...answer.map(({ id }) => id)]);
      return { ids, trained: Uint8Array.from(ids, (_, at) => Number(at >= prompts[i]!.length)), truncated: false };
    });
    const evaluator = await Evaluator.create(model, model.weights, { rows: 12, length: 14 }, 0);
    const results = await evaluator.evaluate(examples);
    for (const [i, { nll }] of results.entries()) {
      const decoded = tokens[i]!.reduce((sum, { probability }) => sum - Math.log(probability), 0);
      expect(Math.abs(decoded / nll - 1)).toBeLessThan(1e-5);
    }
    generator.destroy();
    evaluator.destroy();
  });

  it('says what leaves nothing to learn', async () => {
    const model = await loadFixtureModel('llama-tied');
    const held = new Map(model.context.pool.bytes);
    await expect(GrpoTrainer.create(model, settings(), [], ENDS)).rejects.toThrow('no prompts');
    await expect(GrpoTrainer.create(model, settings({ samples: 1 }), tasks, ENDS)).rejects.toThrow('Groups of 1');
    await expect(GrpoTrainer.create(model, settings({ updates: 0 }), tasks, ENDS)).rejects.toThrow('updates is 0');
    await expect(GrpoTrainer.create(model, settings(), [{ prompt: Array.from({ length: 64 }, () => 1), reward: () => 0 }], ENDS)).rejects.toThrow('64 tokens; the model has 64 positions');
    expect(model.context.pool.bytes).toEqual(held);
  });
});
