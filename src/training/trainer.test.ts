/** @file The trainer against transformers and PyTorch: loss, every gradient, an optimizer step and a curve of each method. */
import { describe, expect, it } from 'vitest';
import { relativeError } from '../graph/testing.ts';
import { l2spPenalty } from '../methods/l2sp.ts';
import type { PenaltyTargets } from '../methods/penalty.ts';
import { rpsftPenalty } from '../methods/rpsft.ts';
import type { PackedBatch } from '../models/decoder.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, loadFixtureModel, packedBatch, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import { decomposeAll } from '../spectral/decompose.ts';
import type { AdamW } from './optimizer.ts';
import type { Schedule } from './schedule.ts';
import type { TrainerOptions } from './trainer.ts';
import { Trainer } from './trainer.ts';

const OPTIMIZER: AdamW = { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0.1, clipNorm: 1 };

interface MethodsFixture {
  readonly optimizer: AdamW & Schedule & { readonly schedule: Schedule['kind'] };
  readonly batches: readonly BatchJson[];
  readonly methods: Readonly<Record<string, { readonly options: { readonly strength?: number; readonly fraction?: number }; readonly loss: readonly number[]; readonly penalty: readonly number[]; readonly gradientNorm: readonly number[] }>>;
}

const options = (more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  batch: FIXTURE_SHAPE,
  accumulation: 1,
  optimizer: OPTIMIZER,
  schedule: { kind: 'constant', learningRate: 1e-3, warmupSteps: 0, steps: 10 },
  ...more,
});

describe.each(['llama-tied', 'llama-untied'])('%s', (folder) => {
  it('has the loss and every gradient of transformers', async () => {
    const model = await loadFixtureModel(folder);
    const trainer = await Trainer.create(model, options());
    const batch = await readFixtureJson<BatchJson & { loss: number }>(`${folder}/batch.json`);
    const expected = await readFixtureTensors(`${folder}/gradients.safetensors`);
    trainer.submitStep([packedBatch(batch)]);
    const [record] = await trainer.readMetrics();
    expect(record!.loss).toBeCloseTo(batch.loss, 5);
    for (const weight of model.layout.weights) {
      const gradient = await trainer.lastGradients.read(model.context.gpu.device, weight);
      // Both sides are f32: a few hundred roundings along the longest path, some of them through exp.
      expect(relativeError(Float64Array.from(gradient), Float64Array.from(await expected.read(weight.name))), weight.name).toBeLessThan(2e-5);
    }
    trainer.destroy();
  });
});

describe('Trainer', () => {
  it.each(['sft', 'rpsft', 'l2sp'] as const)('follows PyTorch for 20 steps of %s', async (method) => {
    const model = await loadFixtureModel('llama-tied');
    const { optimizer, batches, methods } = await readFixtureJson<MethodsFixture>('llama-tied/methods.json');
    const expected = methods[method]!;
    const { beta1, beta2, epsilon, weightDecay, clipNorm, schedule: kind, learningRate, warmupSteps, steps } = optimizer;
    const { strength: lambda = 0, fraction: rankFraction = 1 } = expected.options;
    const decomposition = await decomposeAll(model.context, model.weights, { rankFraction });
    const term = method === 'rpsft' ? (targets: PenaltyTargets) => rpsftPenalty(targets, decomposition) : l2spPenalty;
    const trainer = await Trainer.create(
      model,
      options({
        optimizer: { beta1, beta2, epsilon, weightDecay, clipNorm },
        schedule: { kind, learningRate, warmupSteps, steps },
        ...(method === 'sft' ? {} : { penalty: { lambda, term } }),
      }),
    );
    const weights = await readFixtureTensors(`llama-tied/${method}.safetensors`);
    for (const [index, batch] of batches.entries()) {
      trainer.submitStep([packedBatch(batch)]);
      if (index === 0 || index === batches.length - 1) {
        for (const weight of model.layout.weights) {
          const values = await trainer.weights.read(model.context.gpu.device, weight);
          const golden = await weights.read(`${index + 1}/${weight.name}`);
          // Adam divides by the root of v: where a gradient is near zero a rounding in it moves the weight by a share of the learning rate.
          expect(relativeError(Float64Array.from(values), Float64Array.from(golden)), `${weight.name} after step ${index + 1}`).toBeLessThan(index === 0 ? 1e-4 : 1e-3);
        }
      }
    }
    const records = await trainer.readMetrics();
    expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    for (const [i, { loss, gradientNorm, penalty }] of records.entries()) {
      expect(Math.abs(loss / expected.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
      expect(Math.abs(gradientNorm / expected.gradientNorm[i]! - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
      expect(Math.abs(penalty - expected.penalty[i]!), `penalty of step ${i + 1}`).toBeLessThanOrEqual(1e-3 * expected.penalty[i]!);
    }
    trainer.destroy();
  });

  it('takes the same step from four accumulated parts as from the whole', async () => {
    const model = await loadFixtureModel('llama-tied');
    const whole = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
    const { length } = FIXTURE_SHAPE;
    // Part p holds one document in place and padding elsewhere; the weights are those of the whole window.
    const documents = [
      [0, 10],
      [10, 24],
      [24, 41],
      [41, 48],
    ] as const;
    const parts = documents.map(([from, to]): PackedBatch => {
      const keep = <T extends Uint32Array | Float32Array>(array: T, otherwise: (i: number) => number): T => array.map((value, i) => (i >= from && i < to ? value : otherwise(i))) as T;
      return {
        ids: keep(whole.ids, () => 0),
        labels: keep(whole.labels, () => 0xffffffff),
        positions: keep(whole.positions, () => 0),
        documentStart: keep(whole.documentStart, (i) => i % length),
        rowWeights: keep(whole.rowWeights, () => 0),
      };
    });
    const results = [];
    for (const [accumulation, microBatches] of [
      [1, [whole]],
      [4, parts],
    ] as const) {
      const trainer = await Trainer.create(model, options({ accumulation }));
      trainer.submitStep(microBatches);
      trainer.submitStep(microBatches);
      const records = await trainer.readMetrics();
      const gradients = await Promise.all(model.layout.weights.map((weight) => trainer.lastGradients.read(model.context.gpu.device, weight)));
      results.push({ records, gradients });
      trainer.destroy();
    }
    const [one, four] = results;
    for (const step of [0, 1]) expect(Math.abs(four!.records[step]!.loss / one!.records[step]!.loss - 1)).toBeLessThan(1e-5);
    for (const [i, gradient] of one!.gradients.entries()) expect(relativeError(Float64Array.from(four!.gradients[i]!), Float64Array.from(gradient))).toBeLessThan(1e-4);
  });

  it('gives the same bits for the same seed', async () => {
    const model = await loadFixtureModel('llama-tied');
    const batch = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const trainer = await Trainer.create(model, options());
      for (let step = 0; step < 3; step++) trainer.submitStep([batch]);
      runs.push(await Promise.all(model.layout.weights.map((weight) => trainer.weights.read(model.context.gpu.device, weight))));
      trainer.destroy();
    }
    for (const [i, values] of runs[0]!.entries()) expect(new Uint32Array(runs[1]![i]!.buffer)).toEqual(new Uint32Array(values.buffer));
  });

  it('leaves the whole update out when the loss is not finite, says so, and goes on', async () => {
    const model = await loadFixtureModel('llama-tied');
    const good = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
    const bad: PackedBatch = { ...good, rowWeights: good.rowWeights.map((weight) => (weight > 0 ? Number.POSITIVE_INFINITY : 0)) };
    const trained = [];
    for (const batches of [
      [good, good],
      [good, bad, good],
    ]) {
      const trainer = await Trainer.create(model, options());
      for (const batch of batches) trainer.submitStep([batch]);
      const records = await trainer.readMetrics();
      expect(records.map(({ skipped }) => skipped)).toEqual(batches.map((batch) => batch === bad));
      trained.push(await Promise.all(model.layout.weights.map((weight) => trainer.weights.read(model.context.gpu.device, weight))));
      trainer.destroy();
    }
    for (const [i, values] of trained[0]!.entries()) expect(trained[1]![i]).toEqual(values);
  });
});
