/** @file A run that is saved, lost and taken up again is the run that was never interrupted, bit for bit. */
import { describe, expect, it } from 'vitest';
import { readBack } from '../gpu/buffers.ts';
import { l2spPenalty } from '../methods/l2sp.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { PackedBatch } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, loadFixtureModel, packedBatch, readFixtureJson } from '../models/testing.ts';
import type { StepRecord } from './optimizer.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

const OPTIONS: TrainerOptions = {
  batch: FIXTURE_SHAPE,
  accumulation: 2,
  optimizer: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0.1, clipNorm: 1 },
  schedule: { kind: 'linear', learningRate: 1e-2, warmupSteps: 1, steps: 5 },
  penalty: { lambda: 0.1, term: l2spPenalty },
};

const gpt2 = await loadFixtureModel('gpt2');

/** Windows of a run; the second is not finite and is left out, so that steps and updates count apart. */
async function windowsOf(model: Model): Promise<PackedBatch[][]> {
  const { vocabSize } = model.config;
  const batch = packedBatch(await readFixtureJson<BatchJson>('llama-tied/batch.json'));
  return Array.from({ length: 5 }, (_, step) =>
    [0, 1].map((part): PackedBatch => {
      const shifted = (ids: Uint32Array): Uint32Array<ArrayBuffer> => Uint32Array.from(ids, (id) => (id === 0xffffffff ? id : (id + 5 * step + part) % vocabSize));
      return { ...batch, ids: shifted(batch.ids), labels: shifted(batch.labels), rowWeights: batch.rowWeights.map((weight) => (step === 1 && weight > 0 ? Number.POSITIVE_INFINITY : weight / 2)) };
    }),
  );
}

async function wordsOf(trainer: Trainer, model: Model): Promise<Uint32Array[]> {
  return (await readBack(model.context.gpu.device, trainer.weights.trained.shards)).map((bytes) => new Uint32Array(bytes));
}

async function saved(trainer: Trainer): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of trainer.saveState()) pieces.push(piece);
  return new Blob(pieces);
}

const adapter = (): AdaptedWeights => AdaptedWeights.create(gpt2.context, { weights: gpt2.weights, linears: gpt2.architecture.linears }, { r: 2, alpha: 4, rsLora: false }, ['c_attn', 'c_proj'], 5);

describe('a checkpoint', () => {
  it.each([
    ['all weights', undefined],
    ['an adapter', adapter],
  ])('goes on to the bits of the run that was not interrupted: %s', async (_, start) => {
    const windows = await windowsOf(gpt2);
    const create = (): Promise<Trainer> => Trainer.create(gpt2, OPTIONS, start?.());
    const run = async (trainer: Trainer, steps: readonly PackedBatch[][]): Promise<StepRecord[]> => {
      for (const window of steps) trainer.submitStep(window);
      return trainer.readMetrics();
    };
    const straight = await create();
    const expected = await run(straight, windows);
    expect(expected.map(({ skipped }) => skipped)).toEqual([false, true, false, false, false]);

    const first = await create();
    await run(first, windows.slice(0, 3));
    const file = await saved(first);
    first.destroy();
    const second = await create();
    await second.restoreState(file, 'run.checkpoint');
    expect(second.step).toBe(3);
    expect(await run(second, windows.slice(3))).toEqual(expected.slice(3));
    expect(await wordsOf(second, gpt2)).toEqual(await wordsOf(straight, gpt2));
    expect(await saved(second).then((blob) => blob.arrayBuffer())).toEqual(await saved(straight).then((blob) => blob.arrayBuffer()));
    for (const trainer of [straight, second]) trainer.destroy();
  });

  it('of another run changes nothing, and says which tensor does not fit', async () => {
    const full = await Trainer.create(gpt2, OPTIONS);
    const lora = await Trainer.create(gpt2, OPTIONS, adapter());
    const before = await wordsOf(full, gpt2);
    const file = await saved(lora);
    await expect(full.restoreState(file, 'run.checkpoint')).rejects.toThrow('run.checkpoint: step: is "0", not the number of a step');
    const windows = await windowsOf(gpt2);
    lora.submitStep(windows[0]!);
    await expect(full.restoreState(await saved(lora), 'run.checkpoint')).rejects.toThrow(/^run\.checkpoint: tensor "moment1\/.*": is missing$/);
    expect([full.step, await wordsOf(full, gpt2)]).toEqual([0, before]);
    for (const trainer of [full, lora]) trainer.destroy();
  });
});
