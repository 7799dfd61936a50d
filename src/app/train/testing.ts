/**
 * @file What a run of the scripted engine (app/testing.ts) reports: from formulas, only shaped like what a real run reports.
 */
import type { Accuracy, Drift, Evaluation, MatrixDrift, ModelSummary, RunConfig, StepMetrics } from '../../worker/protocol.ts';

/** A repeatable noise in [-0.5, 0.5]. */
const noise = (seed: number): number => {
  const value = Math.sin(seed * 12.9898) * 43_758.5453;
  return value - Math.floor(value) - 0.5;
};

const accuracy = (share: number, items: number): Accuracy => {
  const correct = Math.round(Math.min(1, Math.max(0, share)) * items);
  const half = 1.96 * Math.sqrt((share * (1 - share) + 0.25 / items) / items);
  return { correct, items, low: Math.max(0, correct / items - half), high: Math.min(1, correct / items + half) };
};

/** How much a method forgets at the end. */
const forgettingOf = (method: RunConfig['method']): number => ({ rpsft: 0.15, l2sp: 0.12 } as Partial<Record<RunConfig['method'], number>>)[method] ?? 0.31;

export function evaluationAt(step: number, { method, steps, evaluationItems }: RunConfig): Evaluation {
  const progress = step / steps;
  const items = step === 0 || step === steps ? 200 : evaluationItems;
  const out = 0.952 - forgettingOf(method) * progress ** 1.4;
  const groups = ['Knowledge', 'Skills', 'Instructions', 'Arithmetic'].map((group, index) => ({ group, ...accuracy(out + noise(step + index) * 0.06, 60 + 40 * index) }));
  return {
    step, heldOutLoss: 2.6 * Math.exp(-4 * progress) + 0.1, outOfDomainLoss: 0.4 + forgettingOf(method) * progress, groups,
    inDomain: accuracy(1 / (1 + Math.exp(10 * (0.55 - progress))) - 0.004, items), outOfDomain: accuracy(out, step === steps || step === 0 ? 642 : items),
  };
}

export function stepAt(step: number, { method, learningRate, warmupSteps, batchSize }: RunConfig): StepMetrics {
  return {
    step, loss: 5 * Math.exp(-step / 60) + 0.15 + noise(step) * 0.05, penalty: method === 'sft' ? 0 : 0.01 + noise(step + 7) * 0.004,
    gradientNorm: 8 * Math.exp(-step / 20) + 1 + noise(step + 3) * 0.4, learningRate: learningRate * Math.min(1, step / Math.max(1, warmupSteps)),
    trainedTokens: batchSize * 19, tokensPerSecond: 7500 + noise(step + 1) * 900, skipped: false,
  };
}

const modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

export function driftAt(step: number, { method, steps, rankFraction }: RunConfig, model: ModelSummary): Drift {
  const turn = (step / steps) * (method === 'sft' ? 12 : 6);
  const matrix = (name: string, module: string, shape: readonly [number, number], layer?: number): MatrixDrift => {
    const k = Math.max(1, Math.round(Math.min(...shape) * rankFraction));
    const angles = Array.from({ length: k }, (_, index) => turn * ((index + 1) / k) * (1 + noise(index + (layer ?? 9) * 31 + module.length) * 0.5) * 2);
    const alignment = Math.max(0, 1 - turn / 60 + noise(module.length + (layer ?? 0)) * 0.1);
    const sigma0 = Array.from({ length: k }, (_, index) => 6 * Math.exp(-index / 20));
    return {
      name, module, shape, k, leftAngles: angles, rightAngles: angles.map((angle) => angle * 0.8), vectorAlignment: alignment, matchedAlignment: Math.min(1, alignment + 0.05),
      block: { share: method === 'sft' ? 0.04 : 0.001, diagonal: 0.002, offDiagonal: method === 'sft' ? 0.03 : 0.0005, chance: (k * k) / (shape[0] * shape[1]) },
      sigma0, sigma: sigma0.map((value, index) => value * (1 + (noise(index) * step) / steps / 30)), relativeChange: (0.1 * step) / steps, ...(layer === undefined ? {} : { layer }),
    };
  };
  const layers = Array.from({ length: model.layers }, (_, layer) =>
    modules.map((module) => matrix(`model.layers.${layer}.${module}.weight`, module, module.includes('proj') && /gate|up/.test(module) ? [352, 128] : [128, 128], layer)),
  );
  return { step, matrices: [matrix('model.embed_tokens.weight', 'embed_tokens', [model.vocabulary, 128]), ...layers.flat()] };
}
