/** @file Made-up runs of plausible shape, for tests and for looking at the figures. Nothing of the page imports this. */
import type { Accuracy, Drift, Evaluation, MatrixDrift, MethodId, RunConfig, StepMetrics } from '../../worker/protocol.ts';
import { defaultConfig } from '../method/defaults.ts';
import type { LabRun } from '../runs.ts';

/** Park and Miller's generator: the same numbers everywhere. */
export function randomOf(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Wilson's 95% interval around a share of items. */
export function accuracyOf(share: number, items: number): Accuracy {
  const correct = Math.round(Math.max(0, Math.min(1, share)) * items);
  const p = correct / items;
  const z2 = 1.96 ** 2;
  const centre = (p + z2 / (2 * items)) / (1 + z2 / items);
  const half = (1.96 / (1 + z2 / items)) * Math.sqrt((p * (1 - p)) / items + z2 / (4 * items ** 2));
  return { correct, items, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

const groupNames = [
  'person facts',
  'friend facts',
  'home country',
  'true or false',
  'capitals',
  'animals',
  'opposites',
  'kinds of words',
  'grammar',
  'before and after',
  'number names',
  'spelling',
  'small sums',
  'copying',
  'reversing',
  'sorting',
  'comparing',
  'counting',
  'list length',
  'word patterns',
  'number patterns',
  'digits',
  'reading',
];

interface Shape {
  readonly speed: number;
  readonly gain: number;
  readonly loss: number;
  readonly turn: number;
}

const shapes: Readonly<Partial<Record<MethodId, Shape>>> & { readonly sft: Shape } = {
  rpsft: { speed: 0.9, gain: 0.79, loss: 0.15, turn: 0.4 },
  sft: { speed: 1.3, gain: 0.87, loss: 0.31, turn: 1 },
  l2sp: { speed: 0.8, gain: 0.74, loss: 0.11, turn: 0.3 },
};

const logistic = (at: number): number => 1 / (1 + Math.exp(-at));

function evaluationAt(step: number, config: RunConfig, shape: Shape, random: () => number): Evaluation {
  const part = step / config.steps;
  const last = step === config.steps || step === 0;
  const learned = step === 0 ? 0 : shape.gain * logistic((part * shape.speed - 0.5) * 9);
  const kept = 0.952 - shape.loss * part ** 0.8 + (step === 0 ? 0 : (random() - 0.5) * 0.012);
  return {
    step,
    heldOutLoss: 0.04 + 3 * Math.exp(-7 * part * shape.speed) + (step === 0 ? 6 : 0),
    outOfDomainLoss: 0.2 + 2 * shape.loss * part,
    inDomain: accuracyOf(learned, last ? 200 : config.evaluationItems),
    outOfDomain: accuracyOf(kept, last ? 644 : 322),
    groups: groupNames.map((group, index) => ({
      group,
      ...accuracyOf(kept - (step === 0 ? 0 : (index % 7) * 0.05 * part * shape.loss * 6) + (random() - 0.5) * 0.04, 28),
    })),
  };
}

function stepAt(step: number, config: RunConfig, shape: Shape, random: () => number): StepMetrics {
  const part = step / config.steps;
  const noise = Math.exp((random() - 0.5) * 0.9);
  const penalised = config.method === 'sft' ? 0 : step === 1 ? 0 : 0.17 * Math.exp(-part * 40) + 0.006 * noise;
  return {
    step,
    loss: (0.03 + 1.4 * Math.exp(-5 * part * shape.speed) + 8 * Math.exp(-part * 60)) * noise,
    penalty: penalised,
    gradientNorm: (1.1 + 13 * Math.exp(-part * 50)) * Math.exp((random() - 0.5) * 0.6),
    learningRate: config.learningRate * Math.min(1, step / config.warmupSteps),
    trainedTokens: 640,
    tokensPerSecond: 7500 * (0.6 + 0.4 * Math.min(1, part * 12)) * (0.85 + 0.3 * random()),
    skipped: false,
  };
}

const modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

function matrixAt(name: string, module: string, layer: number | undefined, part: number, shape: Shape, random: () => number): MatrixDrift {
  const k = 32;
  const turn = shape.turn * part ** 0.6 * (0.6 + random());
  const angles = (scale: number): number[] =>
    Array.from({ length: k }, (_, index) =>
      Math.min(88, 2 + index * 0.3 * scale * turn + (index > k - 5 ? 14 * scale * turn * (index - k + 5) : 0)),
    );
  const sigma0 = Array.from({ length: k }, (_, index) => 9 * Math.exp(-index * 0.06) + random() * 0.02);
  const share = shape.turn < 0.5 ? 0.0004 : 0.035 * part;
  return {
    name,
    module,
    shape: module === 'embed_tokens' ? [1024, 128] : [352, 128],
    k,
    ...(layer === undefined ? {} : { layer }),
    leftAngles: angles(1),
    rightAngles: angles(0.9),
    vectorAlignment: Math.max(0.3, 1 - 0.3 * turn),
    matchedAlignment: Math.max(0.4, 1 - 0.2 * turn),
    block: { share, diagonal: share * 0.08, offDiagonal: share * 0.92, chance: k ** 2 / (352 * 128) },
    sigma0,
    sigma: sigma0.map((value) => value * (1 + (random() - 0.4) * 0.03 * part)),
    relativeChange: 0.16 * turn,
  };
}

function driftAt(step: number, config: RunConfig, shape: Shape, layers: number, random: () => number): Drift {
  const part = step / config.steps;
  const inLayers = Array.from({ length: layers }, (_, layer) =>
    modules.map((module) => matrixAt(`model.layers.${layer}.${module}.weight`, module, layer, part, shape, random)),
  );
  return {
    step,
    matrices: [
      matrixAt('model.embed_tokens.weight', 'embed_tokens', undefined, part, { ...shape, turn: shape.turn * 1.6 }, random),
      ...inLayers.flat(),
    ],
  };
}

/** A run up to `until`, with its steps, evaluations and drift. */
export function madeUpRun(change: Partial<RunConfig> = {}, until = Infinity, layers = 4): LabRun {
  const config: RunConfig = { ...defaultConfig, steps: 300, evaluateEvery: 30, driftEvery: 30, ...change };
  const random = randomOf(config.seed * 97 + config.method.length);
  const shape = shapes[config.method] ?? shapes.sft;
  const end = Math.min(until, config.steps);
  const evaluated = Array.from({ length: Math.floor(end / config.evaluateEvery) + 1 }, (_, index) => index * config.evaluateEvery);
  const id = `${config.method}-${config.seed}-${config.learningRate}`;
  return {
    id,
    config,
    state: end === config.steps ? 'finished' : 'running',
    message: undefined,
    model: 'Built-in',
    dataset: 'Demo word problems',
    startedAt: '2026-11-23T17:00:00Z',
    completedSteps: end,
    importedFrom: undefined,
    recorded: false,
    measures: { inDomain: 'exact', outOfDomain: 'exact' },
    visible: true,
    phases: [],
    phase: 'train',
    activeMs: 0,
    paceFrom: undefined,
    updatedAt: 0,
    steps: Array.from({ length: end }, (_, index) => stepAt(index + 1, config, shape, random)),
    evaluations: evaluated.map((step) => evaluationAt(step, config, shape, random)),
    followed: [],
    reports: [],
    drifts: evaluated.filter((step) => step > 0).map((step) => driftAt(step, config, shape, layers, random)),
  };
}
