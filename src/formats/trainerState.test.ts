/** @file The log files of a run: the names that transformers gives its log, ours under prefixes, and nothing lost on the way back. */
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import type { RunHistory, RunPlan } from './trainerState.ts';
import { logHistory, readMetricsLines, writeMetricsCsv, writeMetricsLines, writeTrainerState } from './trainerState.ts';

const PLAN: RunPlan = { maxSteps: 30, batchSize: 4, microBatchSize: 2, examples: 16, evaluateEvery: 2 };
const step = (number: number) => ({ step: number, loss: 2 / number, penalty: 0.1, gradientNorm: 1.5, learningRate: 1e-3, trainedTokens: 40, tokensPerSecond: 123, skipped: false });
const accuracy = (correct: number) => ({ correct, items: 4, low: 0.1, high: 0.9 });
const estimate = (mean: number) => ({ mean, low: mean / 2, high: 2 * mean });
const HISTORY: RunHistory = {
  followed: [
    { step: 1, tokens: 40, seconds: 0.5, outputs: { baseToTuned: estimate(0.2), tunedToBase: estimate(0.1), jensenShannon: estimate(0.05) } },
    { step: 2, tokens: 40, seconds: 0.5, states: [{ layer: 0, cka: 0.9, cosine: 0.8, pcaShift: 0.1, explained: 0.4 }, { cka: 0.7, cosine: 0.6, pcaShift: 0.3, explained: 0.5 }] },
  ],
  starts: [{ step: 0, heldOutLoss: 1.5, outOfDomainLoss: 2.2, inDomain: accuracy(1), outOfDomain: accuracy(2), groups: [] }],
  steps: [step(1), { ...step(2), loss: Number.NaN, gradientNorm: Number.NaN, skipped: true }],
  evaluations: [
    { step: 0, heldOutLoss: 3, outOfDomainLoss: 2, seconds: 1.25, inDomain: accuracy(0), outOfDomain: accuracy(3), groups: [{ group: 'sums', ...accuracy(3) }] },
    { step: 2, heldOutLoss: 1, outOfDomainLoss: 2.5, inDomain: accuracy(2), outOfDomain: { ...accuracy(0), items: 0 }, groups: [] },
  ],
  drifts: [
    {
      step: 2,
      matrices: [
        { name: 'q', layer: 0, module: 'q_proj', shape: [4, 2], k: 1, leftAngles: [1, 3], rightAngles: [2, 4], vectorAlignment: 0.9, matchedAlignment: 0.95, block: { share: 0.1, diagonal: 0.05, offDiagonal: 0.05, chance: 0.125 }, sigma0: [2], sigma: [2.1], relativeChange: 0.02 },
        { name: 'embed', module: 'embed', shape: [4, 2], k: 1, leftAngles: [1], rightAngles: [3], vectorAlignment: 1, matchedAlignment: 1, block: { share: 0, diagonal: 0, offDiagonal: 0, chance: 0.125 }, sigma0: [1], sigma: [1], relativeChange: 0.04 },
      ],
    },
  ],
};

describe('trainer_state.json', () => {
  it('counts as transformers counts', () => {
    const state = JSON.parse(writeTrainerState(HISTORY, PLAN)) as Record<string, unknown>;
    expect(state).toMatchObject({ global_step: 2, max_steps: 30, epoch: 0.5, num_train_epochs: 8, train_batch_size: 2, eval_steps: 2, logging_steps: 1 });
  });

  it("logs steps, evaluations and drift in order under transformers' names and our prefixes", () => {
    const [base, first, outputs, skipped, second, drift, states, ...rest] = logHistory(HISTORY, PLAN);
    expect(rest).toEqual([]);
    expect(base).toMatchObject({ epoch: 0, step: 0, eval_loss: 3, eval_runtime: 1.25, 'eval_id/accuracy': 0, 'eval_ood/loss': 2, 'eval_ood/accuracy': 0.75, 'eval_ood/sums/correct': 3 });
    expect(first).toEqual({ epoch: 0.25, loss: 2, grad_norm: 1.5, learning_rate: 1e-3, 'train/penalty': 0.1, 'train/tokens': 40, 'train/tokens_per_second': 123, 'train/skipped': 0, step: 1 });
    expect(skipped).toMatchObject({ step: 2, 'train/skipped': 1 });
    for (const absent of ['loss', 'grad_norm']) expect(skipped).not.toHaveProperty(absent);
    // No time was measured, and no share of no items.
    expect(second).toMatchObject({ step: 2, 'eval_id/accuracy': 0.5, 'eval_ood/items': 0 });
    for (const absent of ['eval_runtime', 'eval_ood/accuracy']) expect(second).not.toHaveProperty(absent);
    expect(drift).toMatchObject({ step: 2, 'spectral/q/mean_angle': 2.5, 'spectral/q/alignment': 0.9, 'spectral/embed/relative_change': 0.04 });
    expect(outputs).toEqual({ epoch: 0.25, step: 1, 'drift/kl_base_tuned': 0.2, 'drift/kl_tuned_base': 0.1, 'drift/jensen_shannon': 0.05 });
    expect(states).toEqual({ epoch: 0.5, step: 2, 'drift/layer_0/cka': 0.9, 'drift/layer_0/cosine': 0.8, 'drift/layer_0/pca_shift': 0.1, 'drift/cka': 0.7, 'drift/cosine': 0.6, 'drift/pca_shift': 0.3 });
  });
});

describe('metrics.csv', () => {
  it('has a row a step, measurements of that step beside it', () => {
    const { data, meta } = Papa.parse<Record<string, number | null>>(writeMetricsCsv(HISTORY, PLAN).trimEnd(), { header: true, dynamicTyping: true });
    expect(meta.fields?.slice(0, 2)).toEqual(['step', 'epoch']);
    expect(data.map(({ step: number }) => number)).toEqual([0, 1, 2]);
    expect(data[0]).toMatchObject({ eval_loss: 3, loss: null });
    expect(data[1]).toMatchObject({ loss: 2, eval_loss: null });
    expect(data[2]).toMatchObject({ loss: null, eval_loss: 1, 'spectral/mean_angle': 2.25 });
    expect(data[2]!['spectral/relative_change']).toBeCloseTo(0.03, 12);
    expect(data[1]).toMatchObject({ 'drift/kl_base_tuned': 0.2, 'drift/cka': null });
    expect(data[2]).toMatchObject({ 'drift/cka': 0.7 });
    expect(meta.fields?.some((field) => field.includes('sums') || field.includes('layer'))).toBe(false);
  });
});

describe('metrics.jsonl', () => {
  it('gives back all that was measured, NaN included', () => {
    expect(readMetricsLines(writeMetricsLines(HISTORY))).toEqual(HISTORY);
  });

  it('has what GRPO says of its answers, as metrics.csv has it', () => {
    const sampled = { reward: 0.25, answerTokens: 12.5, ended: 0.75, entropy: 1.5, mixedGroups: 0.5, clipShare: 0 };
    const history = { ...HISTORY, steps: [{ ...step(1), ...sampled }] };
    expect(readMetricsLines(writeMetricsLines(history))).toEqual(history);
    const { data } = Papa.parse<Record<string, number | null>>(writeMetricsCsv(history, PLAN).trimEnd(), { header: true, dynamicTyping: true });
    expect(data[1]).toMatchObject({ 'train/reward': 0.25, 'train/answer_tokens': 12.5, 'train/ended': 0.75, 'train/entropy': 1.5, 'train/mixed_groups': 0.5, 'train/clip_share': 0 });
  });

  it.each<[string, string, string]>([
    ['a broken line', '\n{"type":"step"', 'metrics.jsonl: line 2: not valid JSON'],
    ['a list', '[]', 'line 1: not a JSON object'],
    ['an unknown type', '{"type":"guess"}', 'type is "guess", not "step", "evaluation", "start", "drift" or "followed"'],
    ['a text for a number', '{"type":"step","step":"1"}', 'step is "1", not a number'],
    ['a missing field', '{"type":"drift","step":1}', 'matrices is undefined, not a list'],
    ['a wrong field deep inside', '{"type":"evaluation","step":1,"heldOutLoss":1,"outOfDomainLoss":1,"inDomain":{"correct":1,"items":true}}', 'inDomain.items is true, not a number'],
    ['a prototype key', '{"type":"step","__proto__":{"step":1}}', 'step is undefined, not a number'],
  ])('names the line of %s', (_, text, message) => {
    expect(() => readMetricsLines(text)).toThrow(message);
  });
});
