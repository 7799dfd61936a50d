/**
 * @file A training step of this engine against one of jax-js (github.com/ekzhang/jax-js), jitted, on the same adapter:
 *
 *     node scripts/run.mjs bench/jax.ts [--model=reference] [--rows=8] [--length=128] [--rounds=7]
 *
 * Both start from the same weights, take the same batch and the same AdamW. The losses of the first steps must agree;
 * then steps of the two alternate, each awaited by reading its loss, so that whatever else the machine does meets both.
 * On software adapters the CPU time of all threads is given as well, which other processes disturb less.
 */
import { parseLlamaConfig } from '../src/models/llama.ts';
import { getWebGPUDevice } from '@jax-js/jax';
import { createContext } from '../src/gpu/context.ts';
import { idleUntil, testAdapters, testGpu } from '../src/gpu/testing.ts';
import { Model } from '../src/models/model.ts';
import { Trainer } from '../src/training/trainer.ts';
import { jaxRun } from './jax-decoder.ts';
import { option } from './node.ts';
import { fullBatch, median, shapeNamed, stepFlops } from './workload.ts';

const name = option('model', 'reference');
const shape = { rows: Number(option('rows', '8')), length: Number(option('length', '128')) };
const rounds = Number(option('rounds', '7'));
const optimizer = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const learningRate = 1e-3;

const gpu = await idleUntil(testGpu());
const model = Model.create(createContext(gpu), shapeNamed(name), 1);
const batch = fullBatch(model.config.vocabSize, shape);

/** jax-js looks for its adapter where a browser has it. */
Object.defineProperty(globalThis, 'navigator', { value: { gpu: await testAdapters(), userAgent: 'Node.js' }, configurable: true });
const jax = await idleUntil(
  jaxRun(parseLlamaConfig(model.configJson), shape, batch, { ...optimizer, learningRate }, async (...names) => {
    const parts = await Promise.all(names.map((wanted) => model.weights.read(gpu.device, model.layout.weights.find((weight) => weight.name === wanted)!)));
    const stacked = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      stacked.set(part, at);
      at += part.length;
    }
    return stacked;
  }),
);
const trainer = await idleUntil(
  Trainer.create(model, { batch: shape, accumulation: 1, optimizer, schedule: { kind: 'constant', learningRate, warmupSteps: 0, steps: 1_000_000 } }),
);

const contestants = {
  gimbal: {
    submit: () => trainer.submitStep([batch]),
    loss: async () => (await trainer.readMetrics()).at(-1)!.loss,
  },
  'jax-js': { submit: () => jax.submitStep(), loss: () => jax.readLoss() },
} as const;
type Contestant = keyof typeof contestants;
const names = Object.keys(contestants) as Contestant[];

interface Timed {
  readonly loss: number;
  /** Milliseconds of JavaScript until the step is submitted, and until its loss is read. */
  readonly script: number;
  readonly step: number;
  /** Milliseconds of CPU time, all threads. */
  readonly cpu: number;
}

async function timed({ submit, loss }: (typeof contestants)[Contestant]): Promise<Timed> {
  const before = process.cpuUsage();
  const start = performance.now();
  submit();
  const submitted = performance.now();
  const value = await idleUntil(loss());
  const { user, system } = process.cpuUsage(before);
  return { loss: value, script: submitted - start, step: performance.now() - start, cpu: (user + system) / 1000 };
}

/** Dispatches while `work` runs, on whatever device. */
async function dispatches(work: () => Promise<unknown>): Promise<number> {
  const { prototype } = GPUComputePassEncoder;
  const method = Object.getOwnPropertyDescriptor(prototype, 'dispatchWorkgroups') as TypedPropertyDescriptor<typeof prototype.dispatchWorkgroups>;
  let count = 0;
  prototype.dispatchWorkgroups = function (...grid) {
    count += 1;
    return Reflect.apply(method.value!, this, grid);
  };
  await work();
  Object.defineProperty(prototype, 'dispatchWorkgroups', method);
  return count;
}


console.log(`${gpu.facts.description}; jax-js on ${getWebGPUDevice().adapterInfo.description}`);
console.log(`${name}: ${model.layout.count.toLocaleString()} parameters, ${shape.rows} x ${shape.length} tokens, ${(stepFlops(model, shape) / 1e9).toFixed(1)} GFLOP a step`);
for (let step = 1; step <= 3; step++) {
  const ours = await timed(contestants.gimbal);
  const theirs = await timed(contestants['jax-js']);
  console.log(`step ${step}: loss ${ours.loss.toFixed(6)} in ${(ours.step / 1000).toFixed(1)} s; jax-js ${theirs.loss.toFixed(6)} in ${(theirs.step / 1000).toFixed(1)} s`);
  if (!(Math.abs(ours.loss - theirs.loss) <= 1e-3 * Math.abs(ours.loss))) throw new Error('The losses differ: the two do not compute the same step.');
}
const counts = { gimbal: await dispatches(() => timed(contestants.gimbal)), 'jax-js': await dispatches(() => timed(contestants['jax-js'])) };

const times: Record<Contestant, Timed[]> = { gimbal: [], 'jax-js': [] };
for (let round = 0; round < rounds; round++) for (const contestant of names) times[contestant].push(await timed(contestants[contestant]));
/** Medians and best steps by contestant, of one of the times. */
const summary = (time: 'step' | 'cpu'): Record<Contestant, { median: number; best: number }> => {
  const of = (contestant: Contestant): { median: number; best: number } => {
    const values = times[contestant].map((one) => one[time]);
    return { median: median(values), best: Math.min(...values) };
  };
  return { gimbal: of('gimbal'), 'jax-js': of('jax-js') };
};
const wall = summary('step');
const cpu = summary('cpu');
for (const contestant of names) {
  console.log(
    `${contestant.padEnd(7)} ${String(counts[contestant]).padStart(4)} dispatches, ${median(times[contestant].map(({ script }) => script)).toFixed(1)} ms of script, ` +
      `${wall[contestant].median.toFixed(0)} ms a step (best ${wall[contestant].best.toFixed(0)})${gpu.facts.software ? `, ${cpu[contestant].median.toFixed(0)} ms of CPU (best ${cpu[contestant].best.toFixed(0)})` : ''}`,
  );
}
const ratios = ({ gimbal, 'jax-js': jaxJs }: typeof wall): string => `${(jaxJs.median / gimbal.median).toFixed(2)} by medians, ${(jaxJs.best / gimbal.best).toFixed(2)} by best steps`;
console.log(`A step of jax-js takes this many times as long: ${ratios(wall)}${gpu.facts.software ? `; in CPU time ${ratios(cpu)}` : ''}. The target is 3.`);
process.exit(0);
