/**
 * @file Every objective, penalty and control against PyTorch and PEFT (reference/methods.py): 20 steps each, all weights and
 * adapters; what they are where they have nothing to say; and that none of them holds a second model.
 */
import { describe, expect, it } from 'vitest';
import { countingContext } from '../gpu/context.ts';
import { compile } from '../graph/compile.ts';
import { relativeError } from '../graph/testing.ts';
import type { Objective } from '../methods/objectives.ts';
import { NO_DIRECTIONS, penaltyTerm } from '../methods/penalties.ts';
import type { HeldDirections } from '../methods/penalty.ts';
import type { PenaltyId } from '../methods/registry.ts';
import { heldBy } from '../methods/registry.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, loadFixtureModel, packedBatch, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import { toFile } from '../models/stored.ts';
import type { WeightSet } from '../models/weights.ts';
import { controlDirections } from '../spectral/controls.ts';
import { decomposeAll, heldMatrices } from '../spectral/decompose.ts';
import { planRun } from './memory.ts';
import type { AdamW } from './optimizer.ts';
import type { Schedule } from './schedule.ts';
import type { TrainerOptions } from './trainer.ts';
import { planTraining, Trainer } from './trainer.ts';

interface Options {
  readonly objective?: Objective['kind'];
  readonly tau?: number;
  readonly throughScale?: boolean;
  readonly beta?: number;
  readonly penalty?: 'top' | 'full' | 'two-sided' | 'random' | 'tail' | 'projection';
  readonly strength?: number;
  readonly fraction?: number;
  readonly seed?: number;
}

type Curve = Readonly<Record<'loss' | 'crossEntropy' | 'penalty' | 'gradientNorm', readonly number[]>>;
type Runs = Readonly<Record<string, { readonly options: Options } & Curve>>;

const { full, lora } = await readFixtureJson<{ readonly full: Runs; readonly lora: Runs }>('methods.json');
const { optimizer, batches } = await readFixtureJson<{ readonly optimizer: AdamW & Schedule & { readonly schedule: Schedule['kind'] }; readonly batches: readonly BatchJson[] }>('llama-tied/methods.json');
const golden = await readFixtureTensors('methods.safetensors');

const PENALTIES: Readonly<Record<NonNullable<Options['penalty']>, PenaltyId>> = { top: 'rpsft', full: 'l2sp', 'two-sided': 'two-sided-rpsft', random: 'random-basis', tail: 'tail-basis', projection: 'projection' };

function objectiveFrom({ objective = 'sft', tau = 1, throughScale = false, beta = 0 }: Options): Objective {
  if (objective === 'iw-sft') return { kind: objective, tau, throughScale };
  return objective === 'kl-sft' ? { kind: objective, beta } : { kind: objective };
}

async function penaltyFrom({ context, weights, layout }: Model, { penalty, strength: lambda = 0, fraction: rankFraction = 1, seed = 0 }: Options, names?: ReadonlySet<string>): Promise<Pick<TrainerOptions, 'penalty'>> {
  if (!penalty) return {};
  const id = PENALTIES[penalty];
  const kind = heldBy(id);
  const { restricted, degenerate } = heldMatrices(layout, rankFraction, names);
  const directions = async (): Promise<HeldDirections> => {
    if (!kind) return NO_DIRECTIONS;
    return kind === 'top' ? decomposeAll(context, weights, { rankFraction, names }) : { bases: await controlDirections(context, weights, restricted, kind, seed), degenerate };
  };
  return { penalty: { lambda, term: penaltyTerm(id, await directions()) } };
}

/** The options of every run of the fixture; adapters are not decayed. */
function optionsFrom(weightDecay = optimizer.weightDecay): TrainerOptions {
  const { beta1, beta2, epsilon, clipNorm, schedule: kind, learningRate, warmupSteps, steps } = optimizer;
  return { batch: FIXTURE_SHAPE, accumulation: 1, optimizer: { beta1, beta2, epsilon, weightDecay, clipNorm }, schedule: { kind, learningRate, warmupSteps, steps } };
}

/** The adapter that PEFT started from. */
async function adapterOf({ context, weights, architecture }: Model): Promise<AdaptedWeights> {
  const { cases } = await readFixtureJson<{ readonly cases: readonly { readonly settings: AdaptedWeights['settings'] }[] }>('lora.json');
  const tensors = await readFixtureTensors('llama-tied/lora.safetensors');
  const modules = [];
  for (const name of tensors.tensors.keys()) {
    if (name.startsWith('gradient/') || !name.endsWith('.lora_A.weight')) continue;
    const module = name.replace('.lora_A.weight', '');
    modules.push({ name: module, a: await tensors.read(name), b: await tensors.read(`${module}.lora_B.weight`) });
  }
  return AdaptedWeights.from(context, { weights, linears: architecture.linears }, { settings: cases[0]!.settings, modules });
}

/** Trains through all batches and holds every step and the kept weights to the fixture. */
async function expectCurve(model: Model, prefix: string, expected: Curve, options: TrainerOptions, start?: WeightSet): Promise<void> {
  const { device } = model.context.gpu;
  const trainer = await Trainer.create(model, options, start);
  const { trained } = trainer.weights;
  let compared = 0;
  for (const [index, batch] of batches.entries()) {
    trainer.submitStep([packedBatch(batch)]);
    for (const weight of trained.layout.weights) {
      const name = `${prefix}/${index + 1}/${weight.name}`;
      if (!golden.tensors.has(name)) continue;
      compared += 1;
      // Adam divides by the root of v: where a gradient is near zero a rounding in it moves the weight by a share of the learning rate.
      const values = toFile(weight, await trained.read(device, weight));
      expect(relativeError(Float64Array.from(values), Float64Array.from(await golden.read(name))), name).toBeLessThan(index === 0 ? 1e-4 : 1e-3);
    }
  }
  expect(compared).toBe([...golden.tensors.keys()].filter((name) => name.startsWith(`${prefix}/`)).length);
  const records = await trainer.readMetrics();
  expect(records).toHaveLength(batches.length);
  for (const [i, { loss, crossEntropy, gradientNorm, penalty }] of records.entries()) {
    expect(Math.abs(loss / expected.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
    expect(Math.abs(crossEntropy / expected.crossEntropy[i]! - 1), `cross-entropy of step ${i + 1}`).toBeLessThan(1e-4);
    expect(Math.abs(gradientNorm / expected.gradientNorm[i]! - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
    expect(Math.abs(penalty - expected.penalty[i]!), `penalty of step ${i + 1}`).toBeLessThanOrEqual(1e-3 * expected.penalty[i]!);
  }
  trainer.destroy();
}

describe('20 steps as PyTorch takes them', () => {
  it.each(Object.entries(full))('%s, all weights', async (name, { options, ...expected }) => {
    const model = await loadFixtureModel('llama-tied');
    await expectCurve(model, `full/${name}`, expected, { ...optionsFrom(), objective: objectiveFrom(options), ...(await penaltyFrom(model, options)) });
    model.context.pool.destroyAll();
  });

  it.each(Object.entries(lora))('%s, adapters', async (name, { options, ...expected }) => {
    const model = await loadFixtureModel('llama-tied');
    const start = await adapterOf(model);
    await expectCurve(model, `lora/${name}`, expected, { ...optionsFrom(0), objective: objectiveFrom(options), ...(await penaltyFrom(model, options, start.names)) }, start);
    model.context.pool.destroyAll();
  });
});

/** Bits of the trained numbers and the losses of a few steps. */
async function bitsOf(model: Model, options: Partial<TrainerOptions>, start?: WeightSet): Promise<unknown> {
  const trainer = await Trainer.create(model, { ...optionsFrom(), ...options }, start);
  const window = (step: number) => Array.from({ length: options.accumulation ?? 1 }, () => packedBatch(batches[step]!));
  for (let step = 0; step < 3; step++) trainer.submitStep(window(step));
  const records = await trainer.readMetrics();
  const { trained } = trainer.weights;
  const values = [];
  for (const weight of trained.layout.weights) values.push(new Uint32Array((await trained.read(model.context.gpu.device, weight)).buffer));
  trainer.destroy();
  return { records, values };
}

describe('objectives', () => {
  it('are SFT to the bit where they have nothing to say, from any start; and the same bits with layers computed again', async () => {
    const model = await loadFixtureModel('llama-tied');
    for (const start of [undefined, await adapterOf(model)]) {
      const sft = await bitsOf(model, {}, start);
      const kl = { objective: { kind: 'kl-sft', beta: 0 } } as const;
      expect(await bitsOf(model, kl, start)).toEqual(sft);
      expect(await bitsOf(model, { objective: { kind: 'iw-sft', tau: 0 } }, start)).toEqual(sft);
      expect(await bitsOf(model, { objective: { kind: 'iw-sft', tau: 0, throughScale: true } }, start)).toEqual(sft);
      expect(await bitsOf(model, { penalty: { lambda: 0, term: penaltyTerm('two-sided-rpsft', await decomposeAll(model.context, model.weights, { rankFraction: 0.25 })) } }, start)).toEqual(sft);
      for (const objective of [{ kind: 'iw-sft', tau: 1 }, { kind: 'kl-sft', beta: 1 }] as const) {
        const kept = await bitsOf(model, { objective, accumulation: 2 }, start);
        expect(kept).not.toEqual(sft);
        expect(await bitsOf(model, { objective, accumulation: 2, recompute: true }, start)).toEqual(kept);
      }
    }
    model.context.pool.destroyAll();
  });

  it('with a reference hold no second model: beside SFT what a forward pass holds at most, and for KL a second chunk of logits', async () => {
    const model = await loadFixtureModel('llama-tied');
    const tokens = FIXTURE_SHAPE.rows * FIXTURE_SHAPE.length;
    const logits = 4 * tokens * model.config.vocabSize;
    const evaluating = countingContext(model.context);
    const { graph, nll, bindings } = decoderGraph(evaluating, model, new BatchBuffers(evaluating, FIXTURE_SHAPE), FIXTURE_SHAPE);
    compile(graph, [nll], { facts: model.context.gpu.facts, pool: evaluating.pool, bindings });
    const forward = evaluating.pool.bytes.get('activations')!;
    for (const start of [model.weights, await adapterOf(model)]) {
      const held = async (objective: Objective) => {
        const counting = countingContext(model.context);
        await planTraining(counting, model, { batch: FIXTURE_SHAPE, accumulation: 1, objective }, start);
        return counting.pool.bytes;
      };
      const sft = await held({ kind: 'sft' });
      for (const objective of [{ kind: 'dft' }, { kind: 'iw-sft', tau: 1 }, { kind: 'kl-sft', beta: 1 }] as const) {
        const bytes = await held(objective);
        for (const category of ['weights', 'adapter', 'pretrained', 'gradients', 'moments'] as const) expect(bytes.get(category), `${objective.kind} ${category}`).toBe(sft.get(category));
        expect(bytes.get('logits'), objective.kind).toBe(objective.kind === 'kl-sft' ? 2 * logits : logits);
        const more = bytes.get('activations')! - sft.get('activations')!;
        // The pass of the reference leaves its room to the one that is trained, which does not fit it to the byte.
        expect(more, objective.kind).toBeLessThanOrEqual(objective.kind === 'dft' ? 0 : forward);
      }
    }
    model.context.pool.destroyAll();
  });

  it('are planned as they run', async () => {
    const model = await loadFixtureModel('llama-tied');
    const { context } = model;
    for (const [objective, id] of [[{ kind: 'kl-sft', beta: 1 }, 'two-sided-rpsft'], [{ kind: 'iw-sft', tau: 1 }, 'random-basis']] as const) {
      const before = new Map(context.pool.bytes);
      const penalty = await penaltyFrom(model, { penalty: id === 'random-basis' ? 'random' : 'two-sided', fraction: 0.25 });
      await Trainer.create(model, { ...optionsFrom(), objective, ...penalty });
      const { bytes } = await planRun(model, { objective: objective.kind, penalty: id, rankFraction: 0.25, recompute: false, precision: 'f32', batch: FIXTURE_SHAPE, accumulation: 1 });
      const gained = new Map([...context.pool.bytes].map(([category, each]) => [category, each - (category === 'pretrained' ? 0 : before.get(category) ?? 0)] as const).filter(([, each]) => each > 0));
      expect(gained).toEqual(bytes);
    }
    context.pool.destroyAll();
  });
});
