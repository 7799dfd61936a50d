/**
 * @file One training step: dispatches, milliseconds of JavaScript and of GPU, bytes by category beside the plan of the run,
 * and what each method costs beyond SFT. On software adapters the CPU time of all threads is given too, which other processes disturb
 * less; on lavapipe also the device memory that the operating system counts.
 *
 *     node scripts/run.mjs bench/step.ts [--model=builtin|reference|smollm2] [--rows=8] [--length=128] [--steps=10]
 *       [--methods=sft,l2sp,rpsft,...] [--lora=RANK] [--precision=f32|bf16|f16] [--recompute] [--profile]
 */
import { join } from 'node:path';
import type { Decomposition, FineTuneSettings, FloatType, MethodId } from '../src/engine.ts';
import { createEngine, runSize } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { methodInfo } from '../src/methods/registry.ts';
import { folderFiles, option, repository, touchedDeviceBytes } from './node.ts';
import { fullDocuments, median, shapeNamed, stepFlops } from './workload.ts';

const name = option('model', 'builtin');
const shape = { rows: Number(option('rows', '8')), length: Number(option('length', '128')) };
const steps = Number(option('steps', '10'));
const rank = Number(option('lora', '0'));
const precision = option('precision', 'f32') as FloatType;
const gpu = await testGpu();
const engine = createEngine(gpu);
const lab = await engine.create(shapeNamed(name), 1, await folderFiles(join(repository, 'public/model')), precision);
const { model } = lab;
const tokens = shape.rows * shape.length;
const documents = fullDocuments(model.config.vocabSize, shape);
const flops = stepFlops(model, shape, rank);
const settings: Omit<FineTuneSettings, 'method' | 'lambda'> = {
  rankFraction: 0.2,
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate: 1e-4, warmupSteps: 0, steps: 1000 },
  batchSize: shape.rows,
  accumulation: 1,
  length: shape.length,
  seed: 1,
  recompute: process.argv.includes('--recompute'),
  ...(rank > 0 ? { lora: { rank, alpha: 2 * rank, targets: [...new Set(model.architecture.linears.map(({ module }) => module.split('.').at(-1)!))], rsLora: false } } : {}),
};
console.log(`${gpu.facts.description}; ${name}: ${model.layout.count.toLocaleString()} parameters, width ${model.config.hiddenSize}, ${shape.rows} x ${shape.length} tokens, ${(flops / 1e9).toFixed(1)} GFLOP a step`);

let plain: { readonly wall: number; readonly cpu: number } | undefined;
for (const method of option('methods', 'sft,l2sp,rpsft').split(',') as MethodId[]) {
  const { penalty, holds } = methodInfo(method);
  const choice = { ...settings, method, lambda: penalty ? 1 : 0 };
  const started = performance.now();
  const decomposition: Decomposition | undefined = holds === 'top' ? await lab.decompose(settings.rankFraction, undefined, settings.lora?.targets) : undefined;
  const decomposed = performance.now();
  const run = await lab.fineTune(choice, documents);
  const compiled = performance.now();
  run.submitStep();
  await run.readMetrics();
  const script: number[] = [];
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let step = 0; step < steps; step++) {
    const before = process.cpuUsage();
    const start = performance.now();
    run.submitStep();
    const submitted = performance.now();
    await gpu.device.queue.onSubmittedWorkDone();
    script.push(submitted - start);
    wall.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  const [record] = await run.readMetrics();
  if (!record || !Number.isFinite(record.loss)) throw new Error('The step gave no finite loss.');
  const step = { wall: median(wall), cpu: median(cpu) };
  if (method === 'sft') plain = step;
  const over = (time: 'wall' | 'cpu'): string => (plain ? `${((100 * step[time]) / plain[time] - 100).toFixed(1)}% over sft` : 'sft not run');
  console.log(
    `${method.padEnd(15)} ${run.dispatchesPerStep} dispatches, ${median(script).toFixed(2)} ms of script, ${step.wall.toFixed(1)} ms a step (min ${Math.min(...wall).toFixed(1)}), ${over('wall')}, ` +
      (gpu.facts.software ? `${step.cpu.toFixed(1)} ms of CPU (min ${Math.min(...cpu).toFixed(1)}), ${over('cpu')}, ` : '') +
      `${(flops / step.wall / 1e6).toFixed(1)} GFLOP/s, ${Math.round((1000 * tokens) / step.wall).toLocaleString()} tokens/s; ` +
      `decompose ${((decomposed - started) / 1000).toFixed(1)} s, compile ${((compiled - decomposed) / 1000).toFixed(1)} s`,
  );
  const held = [...engine.bytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const { total } = await lab.plan(runSize(choice, shape, precision));
  const touched = touchedDeviceBytes();
  console.log(
    `       bytes: ${[...engine.bytes].map(([category, bytes]) => `${category} ${(bytes / 1e6).toFixed(1)} MB`).join(', ')}; held ${(held / 1e6).toFixed(1)} MB, planned ${(total / 1e6).toFixed(1)} MB` +
      (touched === undefined ? '' : `, measured ${(touched / 1e6).toFixed(1)} MB (${((100 * touched) / total - 100).toFixed(1)}% from the plan)`),
  );
  if (method === 'sft' && process.argv.includes('--profile')) {
    const times = [...(await run.profile())].toSorted(([, x], [, y]) => y.nanoseconds - x.nanoseconds);
    for (const [kernel, { nanoseconds, count }] of times) console.log(`       ${(nanoseconds / 1e6).toFixed(2).padStart(9)} ms  ${String(count).padStart(4)} x ${kernel}`);
  }
  if (decomposition) {
    const meter = lab.driftMeter(run.weights, decomposition);
    await meter.measure();
    const before = performance.now();
    const drifts = await meter.measure();
    console.log(`       drift of ${drifts.length} matrices: ${((performance.now() - before) / 1000).toFixed(2)} s`);
  }
  run.destroy();
}
process.exit(0);
