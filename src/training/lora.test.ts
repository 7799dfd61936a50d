/** @file LoRA against PEFT: loss, every gradient, curves of each method; nothing held or computed for what is frozen. */
import { describe, expect, it } from 'vitest';
import type { LoraModule, LoraSettings } from '../formats/lora.ts';
import { countingContext } from '../gpu/context.ts';
import { relativeError } from '../graph/testing.ts';
import { l2spPenalty } from '../methods/l2sp.ts';
import type { PenaltyTargets } from '../methods/penalty.ts';
import { rpsftPenalty } from '../methods/rpsft.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { Model } from '../models/model.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, loadFixtureModel, packedBatch, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import { toFile } from '../models/stored.ts';
import { decomposeAll } from '../spectral/decompose.ts';
import type { AdamW } from './optimizer.ts';
import type { Schedule } from './schedule.ts';
import type { TrainerOptions } from './trainer.ts';
import { planTraining, Trainer } from './trainer.ts';

interface LoraFixture {
  readonly cases: readonly { readonly folder: string; readonly name: string; readonly settings: LoraSettings; readonly loss: number }[];
  readonly runs: Readonly<Record<string, { readonly options: { readonly strength?: number; readonly fraction?: number } } & Readonly<Record<'loss' | 'penalty' | 'gradientNorm', readonly number[]>>>>;
}

interface MethodsFixture {
  readonly optimizer: AdamW & Schedule & { readonly schedule: Schedule['kind'] };
  readonly batches: readonly BatchJson[];
}

const OPTIONS: TrainerOptions = {
  batch: FIXTURE_SHAPE,
  accumulation: 1,
  optimizer: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 1e-2, warmupSteps: 0, steps: 10 },
};

const baseOf = ({ weights, architecture }: Model) => ({ weights, linears: architecture.linears });

const fixture = await readFixtureJson<LoraFixture>('lora.json');

/** The model with the adapter that PEFT started from. */
async function adaptedFixture(model: Model, folder = 'llama-tied', name = 'lora'): Promise<AdaptedWeights> {
  const { settings } = fixture.cases.find((one) => one.folder === folder && one.name === name)!;
  const tensors = await readFixtureTensors(`${folder}/${name}.safetensors`);
  const names = [...tensors.tensors.keys()].filter((tensor) => !tensor.startsWith('gradient/') && tensor.endsWith('.lora_A.weight')).map((tensor) => tensor.replace('.lora_A.weight', ''));
  const modules: LoraModule[] = [];
  for (const module of names) modules.push({ name: module, a: await tensors.read(`${module}.lora_A.weight`), b: await tensors.read(`${module}.lora_B.weight`) });
  return AdaptedWeights.from(model.context, baseOf(model), { settings, modules });
}

describe('LoRA', () => {
  it.each(fixture.cases)('has the loss and every gradient of PEFT: $folder, $name', async ({ folder, name, loss }) => {
    const model = await loadFixtureModel(folder);
    const expected = await readFixtureTensors(`${folder}/${name}.safetensors`);
    const trainer = await Trainer.create(model, OPTIONS, await adaptedFixture(model, folder, name));
    trainer.submitStep([packedBatch(await readFixtureJson<BatchJson>(`${folder}/batch.json`))]);
    const [record] = await trainer.readMetrics();
    expect(record!.loss).toBeCloseTo(loss, 5);
    const { weights } = trainer.lastGradients.layout;
    expect(weights.map((weight) => `gradient/${weight.name}`).toSorted()).toEqual([...expected.tensors.keys()].filter((tensor) => tensor.startsWith('gradient/')).toSorted());
    for (const weight of weights) {
      // As a file has its rows.
      const gradient = toFile(weight, await trainer.lastGradients.read(model.context.gpu.device, weight));
      // Both sides are f32: a few hundred roundings along the longest path, some of them through exp.
      expect(relativeError(Float64Array.from(gradient), Float64Array.from(await expected.read(`gradient/${weight.name}`))), weight.name).toBeLessThan(2e-5);
    }
    trainer.destroy();
  });

  it.each(['sft', 'rpsft', 'l2sp'])('follows PEFT for 20 steps: %s', async (run) => {
    const model = await loadFixtureModel('llama-tied');
    const { device } = model.context.gpu;
    const { optimizer, batches } = await readFixtureJson<MethodsFixture>('llama-tied/methods.json');
    const { options: { strength: lambda = 0, fraction: rankFraction = 1 }, ...expected } = fixture.runs[run]!;
    const { beta1, beta2, epsilon, weightDecay, clipNorm, schedule: kind, learningRate, warmupSteps, steps } = optimizer;
    const start = await adaptedFixture(model);
    const decomposition = await decomposeAll(model.context, model.weights, { rankFraction, names: start.names });
    expect(decomposition.bases.flatMap(({ batch }) => batch.names).toSorted()).toEqual(rankFraction < 1 ? [...start.names].toSorted() : []);
    const term = run === 'rpsft' ? (targets: PenaltyTargets) => rpsftPenalty(targets, decomposition) : l2spPenalty;
    const trainer = await Trainer.create(
      model,
      { ...OPTIONS, optimizer: { beta1, beta2, epsilon, weightDecay, clipNorm }, schedule: { kind, learningRate, warmupSteps, steps }, ...(lambda ? { penalty: { lambda, term } } : {}) },
      start,
    );
    for (const batch of batches) trainer.submitStep([packedBatch(batch)]);
    const records = await trainer.readMetrics();
    for (const [i, { loss, gradientNorm, penalty }] of records.entries()) {
      expect(Math.abs(loss / expected.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
      expect(Math.abs(gradientNorm / expected.gradientNorm[i]! - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
      expect(Math.abs(penalty - expected.penalty[i]!), `penalty of step ${i + 1}`).toBeLessThanOrEqual(1e-3 * expected.penalty[i]!);
    }
    const golden = await readFixtureTensors(`llama-tied/lora-${run}.safetensors`);
    const { trained } = trainer.weights;
    for (const weight of trained.layout.weights) {
      // Adam divides by the root of v: where a gradient is near zero a rounding in it moves the weight by a share of the learning rate.
      expect(relativeError(Float64Array.from(await trained.read(device, weight)), Float64Array.from(await golden.read(weight.name))), weight.name).toBeLessThan(1e-3);
    }
    trainer.destroy();
  });

  it('is SFT to the bit at λ = 0, and the same bits for the same seed, also where layers are computed again', async () => {
    const model = await loadFixtureModel('llama-tied');
    const batch = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
    const decomposition = await decomposeAll(model.context, model.weights, { rankFraction: 0.25 });
    const runs: Uint32Array[][] = [];
    const without = [{}, {}, { recompute: true }];
    const terms = [(targets: PenaltyTargets) => rpsftPenalty(targets, decomposition), l2spPenalty].map((term) => ({ penalty: { lambda: 0, term } }));
    for (const more of [...without, ...terms]) {
      const start = AdaptedWeights.create(model.context, baseOf(model), { r: 4, alpha: 8, rsLora: false }, ['q_proj'], 5);
      const trainer = await Trainer.create(model, { ...OPTIONS, ...more }, start);
      for (let step = 0; step < 3; step++) trainer.submitStep([batch]);
      const { trained } = trainer.weights;
      runs.push(await Promise.all(trained.layout.weights.map(async (weight) => new Uint32Array((await trained.read(model.context.gpu.device, weight)).buffer))));
      trainer.destroy();
    }
    for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
  });

  it('adds up the gradients of a window', async () => {
    const model = await loadFixtureModel('llama-tied');
    const whole = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
    const half = { ...whole, rowWeights: whole.rowWeights.map((weight) => weight / 2) };
    const gradients: Float32Array[][] = [];
    for (const window of [[whole], [half, half]]) {
      const trainer = await Trainer.create(model, { ...OPTIONS, accumulation: window.length }, await adaptedFixture(model));
      trainer.submitStep(window);
      gradients.push(await Promise.all(trainer.lastGradients.layout.weights.map((weight) => trainer.lastGradients.read(model.context.gpu.device, weight))));
      trainer.destroy();
    }
    // Halves are exact, and so is their sum.
    for (const [i, gradient] of gradients[0]!.entries()) expect(gradients[1]![i]).toEqual(gradient);
  });

  it('holds gradients and moments of the adapter alone, and neither computes nor holds what only frozen parameters need', async () => {
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    const start = AdaptedWeights.create(context, baseOf(model), { r: 4, alpha: 8, rsLora: false }, ['q_proj', 'v_proj'], 1);
    const adapterBytes = 4 * start.trained.layout.shardSizes.reduce((sum, size) => sum + size, 0);
    const before = new Map(context.pool.bytes);
    const full = await Trainer.create(model, OPTIONS);
    const fullDispatches = full.dispatchesPerStep;
    full.destroy();
    const trainer = await Trainer.create(model, OPTIONS, start);
    const held = (category: 'adapter' | 'gradients' | 'moments' | 'activations'): number => context.pool.bytes.get(category)! - (before.get(category) ?? 0);
    expect({ adapter: held('adapter'), gradients: held('gradients'), moments: held('moments') }).toEqual({ adapter: adapterBytes, gradients: adapterBytes, moments: 2 * adapterBytes });
    const planned = countingContext(context);
    await planTraining(planned, model, OPTIONS, start);
    expect(planned.pool.bytes.get('activations')).toBe(held('activations'));
    // Of a full step of two layers fall away: the gradients of 8 matrices, of 5 gains (2 dispatches each), of the head and of
    // the embedding, and below the first adapter that of the first product's input, of the first norm's, and their sum with
    // the residual's. Each adapter costs 2 products of its factors forward and 3 backward, the upper one a fourth, onto the
    // gradient of its input.
    expect(trainer.dispatchesPerStep).toBe(fullDispatches - (8 + 5 * 2 + 1 + 1 + 3) + (2 * (2 + 3) + 1));
    trainer.destroy();
    for (const [category, bytes] of context.pool.bytes) expect(bytes, category).toBe(before.get(category) ?? 0);
  });
});
