/**
 * @file Speed of matrix products: `node scripts/run.mjs bench/matmul.ts [--all] [--tile=S] [--only=TEXT] [--rounds=5] [--b=bf16]`.
 *
 * Each shape runs with the tile the planner chooses (with `--all`: with every tile) and with the obvious kernel, one
 * invocation per element; with `--b` also with B in halves, bf16 or f16. A round is enough dispatches for about 0.1 s over
 * two sets of buffers; the median and the best round are printed, compilation apart. Results are compared with sums in f64
 * on sampled elements in the same run. On software adapters a third figure divides by the CPU time used, which other
 * processes on the machine do not disturb.
 */
import { BufferPool, readFloats } from '../src/gpu/buffers.ts';
import { kernel, PipelineCache, type Call, type Slice } from '../src/gpu/kernel.ts';
import { matmulCalls, planMatmul, TILES, type MatmulLayout, type MatmulShape, type Tile } from '../src/gpu/matmul.ts';
import { Program } from '../src/gpu/program.ts';
import type { FloatType } from '../src/gpu/storedFloats.ts';
import { cutTo, idleUntil, storedWords, testGpu } from '../src/gpu/testing.ts';

type Sizes = readonly [layout: MatmulLayout, m: number, n: number, k: number];

/** Squares; a narrow Llama (hidden 128, MLP 352, 1024 tokens): forward, input gradients, weight gradients; SmolLM2-135M at 2048 tokens. */
const SHAPES: readonly Sizes[] = [
  ...[256, 512, 1024].map((size): Sizes => ['NN', size, size, size]),
  ['NT', 512, 512, 512],
  ['TN', 512, 512, 512],
  ['NT', 1024, 256, 128],
  ['NT', 1024, 128, 128],
  ['NT', 1024, 704, 128],
  ['NT', 1024, 128, 352],
  ['NT', 1024, 1024, 128],
  ['NN', 1024, 128, 1024],
  ['NN', 1024, 352, 128],
  ['NN', 1024, 128, 704],
  ['TN', 256, 128, 1024],
  ['TN', 704, 128, 1024],
  ['TN', 1024, 128, 1024],
  ['NT', 2048, 576, 576],
  ['NT', 2048, 1536, 576],
  ['NN', 2048, 576, 1536],
  ['TN', 1536, 576, 2048],
];

const NAIVE = `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N || id.y >= M) {
    return;
  }
  var sum = 0.0;
  for (var p = 0u; p < K; p += 1u) {
//#if A_TRANSPOSED
    let left = a[p * M + id.y];
//#else
    let left = a[id.y * K + p];
//#end
//#if B_TRANSPOSED
    let right = b[id.x * K + p];
//#else
    let right = b[p * N + id.x];
//#end
    sum += left * right;
  }
  c[id.y * N + id.x] = sum;
}`;

const option = (name: string): string | undefined => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const rounds = Number(option('rounds') ?? 5);

const gpu = await testGpu();
const { device, facts } = gpu;
const pool = new BufferPool(gpu);

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function naiveCall([layout, m, n, k]: Sizes, a: Slice, b: Slice, c: Slice): Call {
  const constants = { M: m, N: n, K: k, A_TRANSPOSED: layout === 'TN', B_TRANSPOSED: layout === 'NT' };
  return { kernel: kernel('naive', NAIVE, ['read', 'read', 'write'], constants), slices: [a, b, c], grid: [Math.ceil(n / 8), Math.ceil(m / 8), 1] };
}

/** The largest error over sampled elements, as a fraction of what rounding every operation may cost. */
function worstError([layout, m, n, k]: Sizes, a: Float32Array, b: Float32Array, c: Float32Array): number {
  let worst = 0;
  for (let sample = 0; sample < 500; sample += 1) {
    const i = (sample * 7919) % m;
    const j = (sample * 104729 + sample) % n;
    let sum = 0;
    let magnitude = 0;
    for (let p = 0; p < k; p += 1) {
      const term = a[layout === 'TN' ? p * m + i : i * k + p]! * b[layout === 'NT' ? j * k + p : p * n + j]!;
      sum += term;
      magnitude += Math.abs(term);
    }
    const error = Math.abs(c[i * n + j]! - sum) / ((k + 4) * 2 ** -24 * magnitude);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

interface Timing {
  /** Milliseconds to compile and run once. */
  readonly compile: number;
  readonly median: number;
  readonly best: number;
  /** Milliseconds of CPU time, all threads. */
  readonly cpu: number;
}

async function time(sets: readonly (readonly Call[])[]): Promise<Timing> {
  const pipelines = new PipelineCache(device);
  const start = performance.now();
  const once = await Program.record(device, pipelines, 'once', sets[0]!);
  const run = async (program: Program): Promise<number> => {
    const before = performance.now();
    program.replay();
    await idleUntil(device.queue.onSubmittedWorkDone());
    return performance.now() - before;
  };
  await run(once);
  const compile = performance.now() - start;
  const repeats = Math.min(400, Math.max(2, Math.ceil(100 / (await run(once)))));
  const calls = Array.from({ length: repeats }, (_, index) => sets[index % sets.length]!).flat();
  const program = await Program.record(device, pipelines, 'round', calls);
  await run(program);
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    wall.push((await run(program)) / repeats);
    const used = process.cpuUsage(before);
    cpu.push((used.user + used.system) / 1e3 / repeats);
  }
  gpu.assertHealthy();
  const sorted = wall.toSorted((x, y) => x - y);
  return { compile, median: sorted[sorted.length >> 1]!, best: sorted[0]!, cpu: Math.min(...cpu) };
}

async function measure(sizes: Sizes, tile: Tile | 'naive' | undefined, bType: FloatType = 'f32'): Promise<void> {
  const [layout, m, n, k] = sizes;
  const shape: MatmulShape = { layout, m, n, k, bType };
  const plan = tile === 'naive' ? undefined : planMatmul(shape, facts, tile && { tile });
  const a = noise(m * k, 1);
  const b = noise(k * n, 2).map((value) => cutTo(bType, value));
  const outputs: Slice[] = [];
  const sets = [0, 1].map(() => {
    const operands = { a: pool.upload(a, 'other', 'a'), b: pool.upload(storedWords(b, bType), 'other', 'b'), c: pool.storage(4 * m * n, 'other', 'c') };
    outputs.push(operands.c);
    if (!plan) return [naiveCall(sizes, operands.a, operands.b, operands.c)];
    return matmulCalls(plan, { ...operands, ...(plan.scratchBytes && { scratch: pool.storage(plan.scratchBytes, 'other', 'partials') }) });
  });
  const timing = await time(sets);
  const error = worstError(sizes, a, b, await idleUntil(readFloats(device, outputs[1]!)));
  pool.destroyAll();
  if (!(error <= 1)) throw new Error(`${layout} [${m},${n},${k}] by ${tile ?? plan?.tile} is wrong: ${error} times the error bound.`);
  const rate = (milliseconds: number): string => ((2 * m * n * k) / milliseconds / 1e6).toFixed(1).padStart(9);
  const name = plan ? plan.tile + (plan.splits > 1 ? `/${plan.splits}` : '') + (bType === 'f32' ? '' : ` ${bType}`) : 'naive';
  const columns = [`${layout} [${m},${n},${k}]`.padEnd(20), (tile ? name : `${name} *`).padEnd(8), rate(timing.median), rate(timing.best)];
  if (facts.software) columns.push(rate(timing.cpu));
  console.log([...columns, timing.compile.toFixed(0).padStart(9), error.toFixed(3).padStart(7)].join(' '));
}

console.log(`${facts.description} (${facts.vendor}, ${facts.architecture})${facts.software ? ', software' : ''}`);
console.log(`GFLOP/s; * is the planner's choice\nshape                tile        median      best${facts.software ? ' CPU-secnd' : ''} first, ms   error`);
const only = option('only') ?? '';
const forced = option('tile') as Tile | undefined;
const halves = option('b') as FloatType | undefined;
for (const sizes of SHAPES.filter((shape) => String(shape).includes(only))) {
  await measure(sizes, forced);
  if (halves) await measure(sizes, forced, halves);
  if (process.argv.includes('--all')) for (const tile of TILES) await measure(sizes, tile);
  if (!forced) await measure(sizes, 'naive');
}
process.exit(0);
