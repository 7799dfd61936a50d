/**
 * @file One training step: dispatches, milliseconds of JavaScript and of GPU, bytes by category, and what RPSFT costs.
 *
 *     node scripts/run.mjs bench/step.ts [--model=builtin|reference|smollm2] [--rows=8] [--length=128] [--steps=10] [--profile]
 */
import { createContext } from '../src/gpu/context.ts';
import { idleUntil, testGpu } from '../src/gpu/testing.ts';
import { l2spPenalty } from '../src/methods/l2sp.ts';
import { rpsftPenalty } from '../src/methods/rpsft.ts';
import type { PackedBatch } from '../src/models/decoder.ts';
import { Model } from '../src/models/model.ts';
import { decomposeAll } from '../src/spectral/decompose.ts';
import type { PenaltyChoice } from '../src/training/trainer.ts';
import { Trainer } from '../src/training/trainer.ts';
import { option } from './node.ts';

const shapes: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  builtin: { vocab_size: 1280, hidden_size: 128, intermediate_size: 384, num_hidden_layers: 5, num_attention_heads: 4, num_key_value_heads: 2 },
  reference: { vocab_size: 512, hidden_size: 128, intermediate_size: 352, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 4 },
  smollm2: { vocab_size: 49152, hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3 },
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const name = option('model', 'builtin');
const rows = Number(option('rows', '8'));
const length = Number(option('length', '128'));
const steps = Number(option('steps', '10'));
const gpu = await idleUntil(testGpu());
const context = createContext(gpu);
const model = Model.create(context, { model_type: 'llama', tie_word_embeddings: true, rms_norm_eps: 1e-5, max_position_embeddings: 2048, ...shapes[name] }, 1);
const { hiddenSize, numHiddenLayers, numAttentionHeads, headDim } = model.config;
const tokens = rows * length;
const batch: PackedBatch = {
  ids: Uint32Array.from({ length: tokens }, (_, i) => (i * 7919) % model.config.vocabSize),
  labels: Uint32Array.from({ length: tokens }, (_, i) => (i * 104729) % model.config.vocabSize),
  positions: Uint32Array.from({ length: tokens }, (_, i) => i % length),
  documentStart: new Uint32Array(tokens),
  rowWeights: new Float32Array(tokens).fill(1 / tokens),
};
const matrixElements = model.layout.weights.filter(({ shape }) => shape.length > 1).reduce((sum, { rows: m, columns: n }) => sum + m * n, 0);
const attentionFlops = 12 * numHiddenLayers * numAttentionHeads * headDim * tokens * (length / 2);
const flops = 6 * matrixElements * tokens + attentionFlops;
console.log(`${gpu.facts.description}; ${name}: ${model.layout.count.toLocaleString()} parameters, width ${hiddenSize}, ${rows} x ${length} tokens, ${(flops / 1e9).toFixed(1)} GFLOP a step`);

let plain = 0;
for (const method of ['sft', 'l2sp', 'rpsft'] as const) {
  const started = performance.now();
  let penalty: PenaltyChoice | undefined;
  if (method === 'l2sp') penalty = { lambda: 1, term: l2spPenalty };
  if (method === 'rpsft') {
    const decomposition = await idleUntil(decomposeAll(context, model.weights, { rankFraction: 0.2 }));
    penalty = { lambda: 1, term: (targets) => rpsftPenalty(targets, decomposition) };
  }
  const decomposed = performance.now();
  const trainer = await idleUntil(
    Trainer.create(model, {
      batch: { rows, length },
      accumulation: 1,
      optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
      schedule: { kind: 'constant', learningRate: 1e-4, warmupSteps: 0, steps: 1000 },
      ...(penalty ? { penalty } : {}),
    }),
  );
  const compiled = performance.now();
  trainer.submitStep([batch]);
  await idleUntil(trainer.readMetrics());
  const script: number[] = [];
  const wall: number[] = [];
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    trainer.submitStep([batch]);
    const submitted = performance.now();
    await idleUntil(gpu.device.queue.onSubmittedWorkDone());
    script.push(submitted - start);
    wall.push(performance.now() - start);
  }
  const [record] = await idleUntil(trainer.readMetrics());
  if (!record || !Number.isFinite(record.loss)) throw new Error('The step gave no finite loss.');
  const milliseconds = median(wall);
  if (method === 'sft') plain = milliseconds;
  console.log(
    `${method.padEnd(6)} ${trainer.dispatchesPerStep} dispatches, ${median(script).toFixed(2)} ms of script, ${milliseconds.toFixed(1)} ms a step (min ${Math.min(...wall).toFixed(1)}), ` +
      `${(flops / milliseconds / 1e6).toFixed(1)} GFLOP/s, ${Math.round((1000 * tokens) / milliseconds).toLocaleString()} tokens/s, ${((100 * milliseconds) / plain - 100).toFixed(1)}% over sft; ` +
      `decompose ${((decomposed - started) / 1000).toFixed(1)} s, compile ${((compiled - decomposed) / 1000).toFixed(1)} s`,
  );
  if (method === 'sft') {
    console.log(`       bytes: ${[...context.pool.bytes].map(([category, bytes]) => `${category} ${(bytes / 1e6).toFixed(1)} MB`).join(', ')}`);
    if (process.argv.includes('--profile')) {
      const times = [...(await idleUntil(trainer.profile()))].toSorted(([, a], [, b]) => b.nanoseconds - a.nanoseconds);
      for (const [kernel, { nanoseconds, count }] of times) console.log(`       ${(nanoseconds / 1e6).toFixed(2).padStart(9)} ms  ${String(count).padStart(4)} x ${kernel}`);
    }
  }
  trainer.destroy();
}
process.exit(0);
