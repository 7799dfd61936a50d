/** @file A small recorded run for tests: two methods, three evaluations, two layers, with values that are easy to find again on the page. */
import { defaultConfig } from '../src/app/method/defaults.ts';
import type { Accuracy, DatasetRole, DatasetSummary, Evaluation, LabEvent, MatrixDrift, MethodId, RecordedRun, RunConfig, StepMetrics } from '../src/worker/protocol.ts';

const steps = 20;
const evaluateEvery = 10;

const accuracy = (correct: number, items = 200): Accuracy => ({ correct, items, low: Math.max(0, correct / items - 0.05), high: Math.min(1, correct / items + 0.05) });

const dataset = (role: DatasetRole, rows: number): DatasetSummary => ({
  role, rows, name: `demo-${role}.jsonl`, origin: 'demo', shape: 'GSM8K', measure: 'exact', rendering: 'plain', columns: ['question', 'answer'], mapping: { prompt: 'question', completion: 'answer' },
  tokens: rows * 40, trainedTokens: rows * 15, truncatedRows: 0, longest: 60, duplicates: 0, overlap: {}, lengths: { width: 8, counts: [0, 0, 0, 0, rows / 2, rows / 2] },
  warnings: [], milliseconds: 40,
});

const step = (at: number, config: RunConfig): StepMetrics => ({
  step: at, loss: 4 / at, penalty: config.method === 'sft' ? 0 : 0.01 * at, gradientNorm: 2, learningRate: config.learningRate, trainedTokens: 200, tokensPerSecond: 5000, skipped: false,
});

/** From 10% to 80% of the items in-domain with SFT and to 70% with RPSFT; out-of-domain down to half and to nine tenths. */
function evaluation(at: number, method: MethodId): Evaluation {
  const progress = at / steps;
  const outOfDomain = accuracy(180 - Math.round(progress * (method === 'sft' ? 90 : 18)));
  return { step: at, heldOutLoss: 2 - progress, outOfDomainLoss: 1 + progress, inDomain: accuracy(20 + Math.round(progress * (method === 'sft' ? 140 : 120))), outOfDomain, groups: [{ group: 'facts', ...outOfDomain }] };
}

function matrix(layer: number, module: string, at: number, method: MethodId): MatrixDrift {
  const turned = (at / steps) * (method === 'sft' ? 0.2 : 0.1);
  const angles = [turned * 20, turned * 40, turned * 60];
  return {
    name: `model.layers.${layer}.${module}.weight`, layer, module, shape: [64, 64], k: 3, leftAngles: angles, rightAngles: angles, vectorAlignment: 1 - turned,
    matchedAlignment: 1 - turned / 2, block: { share: 0.01, diagonal: 0.004, offDiagonal: 0.006, chance: 0.0022 }, sigma0: [3, 2, 1], sigma: [3.1, 2.1, 1.1], relativeChange: turned,
  };
}

function events(run: string, config: RunConfig): readonly LabEvent[] {
  const { method } = config;
  const measured = [0, evaluateEvery, steps];
  const drift = (at: number): LabEvent => ({
    type: 'drift', run, drift: { step: at, matrices: [0, 1].flatMap((layer) => ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((module) => matrix(layer, module, at, method))) },
  });
  return measured.flatMap((at, index): readonly LabEvent[] => {
    const from = measured[index - 1];
    const trained = from === undefined ? [] : Array.from({ length: at - from }, (_, offset) => step(from + offset + 1, config));
    return [
      ...(trained.length === 0 ? [] : [{ type: 'steps', run, steps: trained } as const]),
      { type: 'evaluation', run, evaluation: evaluation(at, method) },
      ...(at === 0 ? [] : [drift(at)]),
    ];
  });
}

const runOf = (method: MethodId): RecordedRun['runs'][number] => {
  const config: RunConfig = { ...defaultConfig, method, steps, evaluateEvery, driftEvery: evaluateEvery };
  const summary = { id: method, config, state: 'finished', model: 'Recorded model', dataset: 'demo-train.jsonl', startedAt: '2026-11-23T12:00:00.000Z', completedSteps: steps } as const;
  return { summary, events: events(method, config) };
};

export const recordedRun: RecordedRun = {
  format: 1,
  recordedOn: { adapter: 'Test adapter', date: '2026-11-23', command: 'npm run e2e' },
  model: {
    name: 'Recorded model', parameters: 1_000_000, architecture: 'Llama', layers: 2, hiddenSize: 64, heads: 4, keyValueHeads: 2, vocabulary: 1280, contextLength: 256, bytes: 4_000_000,
    source: 'built-in', precision: 'f32', storedAs: 'F32', template: 'plain', linears: [{ name: 'q_proj', count: 2, weights: 8192, byDefault: true }], warnings: [],
  },
  datasets: [dataset('train', 2000), dataset('heldOut', 200), dataset('outOfDomain', 200)],
  runs: [runOf('sft'), runOf('rpsft')],
};
