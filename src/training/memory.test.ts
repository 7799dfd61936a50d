/** @file Half precision, recomputation and the plan of a run, each against the run itself. */
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../formats/floats.ts';
import { BufferPool, totalBytes } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import { testContext } from '../gpu/testing.ts';
import { trialAllocate } from '../gpu/trial.ts';
import { relativeError } from '../graph/testing.ts';
import { rpsftPenalty } from '../methods/rpsft.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import type { WeightSource } from '../models/model.ts';
import { Model } from '../models/model.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, packedBatch, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import type { WeightSet } from '../models/weights.ts';
import { decomposeAll } from '../spectral/decompose.ts';
import { probeBaseline, ProbeMeter } from '../spectral/probeMeter.ts';
import { readDiagnostics } from '../spectral/testing.ts';
import { GrpoTrainer } from './grpo.ts';
import { planRun, waysToFit, type RunSize } from './memory.ts';
import type { TrainerOptions } from './trainer.ts';
import { Trainer } from './trainer.ts';

const TIED = 'llama-tied';
const LORA = { r: 4, alpha: 8, rsLora: false };

const OPTIONS: TrainerOptions = {
  batch: FIXTURE_SHAPE,
  accumulation: 1,
  optimizer: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0.1, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 1e-3, warmupSteps: 0, steps: 10 },
};

/** The fixture's weights rounded to bf16, as f32 numbers (without `readRaw`) or as the halves a file of them holds. */
async function roundedSource(folder: string, raw: boolean): Promise<WeightSource> {
  const source = await readFixtureTensors(`${folder}/model.safetensors`);
  const bits = async (name: string): Promise<Uint16Array<ArrayBuffer>> => float32ToBfloat16(await source.read(name));
  return {
    tensors: new Map([...source.tensors].map(([name, { shape }]) => [name, { shape, dtype: raw ? 'BF16' : 'F32' }])),
    read: async (name) => bfloat16ToFloat32(await bits(name)),
    ...(raw && { readRaw: async (name: string) => ({ dtype: 'BF16', bytes: new Uint8Array((await bits(name)).buffer) }) }),
  };
}

async function loadRounded(context: Context, precision: FloatType, { folder = TIED, raw = false } = {}): Promise<Model> {
  return Model.load(context, await readFixtureJson(`${folder}/config.json`), await roundedSource(folder, raw), { precision });
}

/** Adapters on every linear layer. */
const adapted = ({ context, weights, architecture: { linears } }: Model): AdaptedWeights =>
  AdaptedWeights.create(context, { weights, linears }, LORA, linears.map(({ module }) => module), 3);

/** Loss, penalty, gradients and trained numbers after two steps. */
async function train(model: Model, options: TrainerOptions, start?: WeightSet): Promise<{ losses: number[]; penalties: number[]; gradients: Float32Array[]; trained: Float32Array[] }> {
  const batch = packedBatch(await readFixtureJson<BatchJson>(`${TIED}/batch.json`));
  const trainer = await Trainer.create(model, options, start);
  const window = Array.from({ length: options.accumulation }, () => batch);
  trainer.submitStep(window);
  trainer.submitStep(window);
  const records = await trainer.readMetrics();
  const { device } = model.context.gpu;
  const read = (from: typeof trainer.lastGradients): Promise<Float32Array[]> => Promise.all(from.layout.weights.map((weight) => from.read(device, weight)));
  const result = { losses: records.map(({ loss }) => loss), penalties: records.map(({ penalty }) => penalty), gradients: await read(trainer.lastGradients), trained: await read(trainer.weights.trained) };
  trainer.destroy();
  return result;
}

describe('a model in bf16', () => {
  it.each([TIED, 'qwen3', 'gpt2', 'gpt-neox', 'gpt-neox-sequential'])('trains adapters as the f32 model of the rounded weights does, with recomputation to the same bits: %s', async (folder) => {
    const context = await testContext();
    const results = [];
    for (const [precision, raw, recompute] of [['f32', false, false], ['bf16', false, false], ['bf16', true, true]] as const) {
      const model = await loadRounded(context, precision, { folder, raw });
      results.push(await train(model, { ...OPTIONS, recompute }, adapted(model)));
    }
    const [wide, rounded, recomputed] = results;
    expect(recomputed).toEqual(rounded);
    for (const [i, loss] of wide!.losses.entries()) expect(Math.abs(rounded!.losses[i]! / loss - 1)).toBeLessThan(1e-6);
    // The same sums in f32; compilers may fuse other multiplications and additions around the loads.
    for (const [i, gradient] of wide!.gradients.entries()) expect(relativeError(Float64Array.from(rounded!.gradients[i]!), Float64Array.from(gradient))).toBeLessThan(1e-5);
    context.pool.destroyAll();
  });

  it('is fine-tuned in f32 from the same numbers, RPSFT against the halves, and its bases are those of the rounded weights', async () => {
    const context = await testContext();
    const results = [];
    for (const precision of ['f32', 'bf16'] as const) {
      const model = await loadRounded(context, precision);
      const decomposition = await decomposeAll(context, model.weights, { rankFraction: 0.3 });
      const penalty = { lambda: 100, term: (targets: Parameters<typeof rpsftPenalty>[0]) => rpsftPenalty(targets, decomposition) };
      results.push(await train(model, { ...OPTIONS, penalty }));
    }
    const [wide, rounded] = results;
    expect(rounded!.losses[0]).toBe(wide!.losses[0]);
    expect(rounded!.penalties[0]).toBe(0);
    expect(Math.abs(rounded!.penalties[1]! / wide!.penalties[1]! - 1)).toBeLessThan(1e-4);
    for (const [i, gradient] of wide!.gradients.entries()) expect(relativeError(Float64Array.from(rounded!.gradients[i]!), Float64Array.from(gradient))).toBeLessThan(1e-4);
    context.pool.destroyAll();
  });
});

it('recomputes layers to the same bits over accumulated micro-batches', async () => {
  const model = await loadRounded(await testContext(), 'f32');
  const kept = await train(model, { ...OPTIONS, accumulation: 2 });
  expect(await train(model, { ...OPTIONS, accumulation: 2, recompute: true })).toEqual(kept);
  model.context.pool.destroyAll();
});

describe('the plan of a run', () => {
  const size: RunSize = { objective: 'sft', penalty: 'rpsft', rankFraction: 0.3, recompute: false, precision: 'f32', batch: FIXTURE_SHAPE, accumulation: 1 };

  it('has the bytes of the run, by category', async () => {
    for (const [precision, lora, recompute] of [['f32', false, false], ['bf16', false, true], ['bf16', true, false]] as const) {
      const context = await testContext();
      const model = await loadRounded(context, precision);
      const { bytes } = await planRun(model, { ...size, precision, recompute, ...(lora && { lora: { rank: 4, targets: ['o_proj', 'gate_proj'] } }) });
      const start = lora ? AdaptedWeights.create(context, { weights: model.weights, linears: model.architecture.linears }, LORA, ['o_proj', 'gate_proj'], 3) : undefined;
      const names = start?.names;
      const decomposition = await decomposeAll(context, model.weights, { rankFraction: 0.3, names });
      await Trainer.create(model, { ...OPTIONS, recompute, penalty: { lambda: 1, term: (targets) => rpsftPenalty(targets, decomposition) } }, start);
      start?.destroy(context.pool);
      const held = new Map([...context.pool.bytes].filter(([, each]) => each > 0));
      expect(held).toEqual(bytes);
      context.pool.destroyAll();
    }
  });

  it('knows what is held at most while its matrices are decomposed', async () => {
    const context = await testContext();
    const model = await loadRounded(context, 'f32');
    const { decomposing } = await planRun(model, size);
    let most = 0;
    class Watched extends BufferPool {
      override storage(...facts: Parameters<BufferPool['storage']>): ReturnType<BufferPool['storage']> {
        const slice = super.storage(...facts);
        most = Math.max(most, totalBytes(this.bytes));
        return slice;
      }
    }
    await decomposeAll({ ...context, pool: new Watched(context.gpu, context.pool.bytes) }, model.weights, { rankFraction: 0.3 });
    expect(decomposing).toBeGreaterThan(0);
    // The bases of shapes that come later are not there yet when the room is largest.
    expect(most).toBeLessThanOrEqual(decomposing);
    expect(most).toBeGreaterThan(0.8 * decomposing);
    expect((await planRun(model, { ...size, penalty: 'l2sp' })).decomposing).toBe(0);
    context.pool.destroyAll();
  });

  it('of GRPO counts the decoder too, and is made smaller by fewer answers at once and shorter ones', async () => {
    const context = await testContext();
    const model = await loadRounded(context, 'f32');
    const tasks = [{ prompt: [1, 2, 3], reward: () => 0 }];
    const settings = { prompts: 2, samples: 4, maxNewTokens: 40, clipLow: 0.2, clipHigh: 0.28, updates: 1, optimizer: OPTIONS.optimizer, schedule: OPTIONS.schedule, sequences: 8, rows: 4, seed: 1 };
    const planned: RunSize = { objective: 'sft', rankFraction: 0.3, recompute: false, precision: 'f32', batch: { rows: 4, length: 43 }, accumulation: 2, sampling: { sequences: 8, longestPrompt: 3 } };
    const plan = await planRun(model, planned);
    await GrpoTrainer.create(model, settings, tasks, { ids: [5], padTokenId: 0 });
    expect(new Map([...context.pool.bytes].filter(([, each]) => each > 0))).toEqual(plan.bytes);
    expect(plan.bytes.get('cache')).toBeGreaterThan(0);
    const halved = await planRun(model, { ...planned, sampling: { ...planned.sampling!, cache: 'bf16' } });
    expect(halved.bytes.get('cache')).toBe(plan.bytes.get('cache')! / 2);
    expect(halved.total).toBe(plan.total - halved.bytes.get('cache')!);
    const ways = await waysToFit(model, planned, 0);
    expect(ways.map(({ change }) => change)).toEqual(['recompute', 'micro-batch', 'fewer-together', 'half', 'shorter']);
    expect(ways[2]!.size.sampling).toEqual({ sequences: 1, longestPrompt: 3 });
    expect(ways[4]!.size.batch.length, 'a prompt of three with an answer of twenty').toBe(23);
    for (const way of ways) expect((await planRun(model, way.size)).total).toBe(plan.total - way.saves);
    context.pool.destroyAll();
  });

  it('that is followed counts what measures it, and first of all saves that much unfollowed', async () => {
    const { examples } = await readDiagnostics();
    for (const followed of [{ states: true, outputs: true }, { states: true, outputs: false }, { states: false, outputs: true }]) {
      const context = await testContext();
      const model = await loadRounded(context, 'f32');
      const baseline = await probeBaseline(model, examples, followed, 0);
      const plain: RunSize = { objective: 'sft', rankFraction: 0.3, recompute: false, precision: 'f32', batch: FIXTURE_SHAPE, accumulation: 1 };
      const plan = await planRun(model, { ...plain, follow: baseline.size });
      const [way] = await waysToFit(model, plan.size, 0);
      const held = (): Map<string, number> => new Map([...context.pool.bytes].filter(([, bytes]) => bytes > 0));
      const { weights } = await Trainer.create(model, OPTIONS);
      const unfollowed = totalBytes(context.pool.bytes);
      await ProbeMeter.create(baseline, weights);
      expect(held()).toEqual(plan.bytes);
      expect(way).toEqual({ change: 'unfollowed', size: { ...plain, follow: undefined }, saves: totalBytes(context.pool.bytes) - unfollowed, total: unfollowed });
      expect(way!.saves).toBeGreaterThan(0);
      context.pool.destroyAll();
    }
  });

  it('that is over a limit is stopped by a trial, and every way to fit leads to a smaller plan', async () => {
    const context = await testContext();
    const model = await loadRounded(context, 'f32');
    const plan = await planRun(model, { ...size, batch: { rows: 2, length: 128 } });
    const ways = await waysToFit(model, plan.size, 0);
    // LoRA is left out: adapters of rank 16 are no smaller than matrices of 32 columns with their gradients.
    expect(ways.map(({ change }) => change)).toEqual(['recompute', 'micro-batch', 'half', 'shorter', 'smaller-k']);
    for (const way of ways) {
      expect((await planRun(model, way.size)).total).toBe(way.total);
      expect(way.saves).toBe(plan.total - way.total);
      expect(way.saves).toBeGreaterThan(0);
    }
    const projected = await waysToFit(model, { ...size, penalty: 'projection', batch: { rows: 2, length: 2048 } }, 0);
    expect(projected.map(({ change }) => change), 'projection has no form for adapters').toEqual(['recompute', 'micro-batch', 'half', 'shorter', 'smaller-k']);
    expect(ways[1]!.size).toMatchObject({ batch: { rows: 1, length: 128 }, accumulation: 2 });
    const gpu = { ...context.gpu, memoryLimit: plan.total - 1 };
    const limited = { ...context, gpu, pool: new BufferPool(gpu) };
    expect(await trialAllocate(limited, plan.buffers)).toMatchObject({ fits: false });
    expect(await trialAllocate({ ...limited, gpu: { ...gpu, memoryLimit: plan.total }, pool: new BufferPool({ ...gpu, memoryLimit: plan.total }) }, plan.buffers)).toEqual({ fits: true });
    expect(totalBytes(limited.pool.bytes)).toBe(0);
    context.pool.destroyAll();
  });
});
