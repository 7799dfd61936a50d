/**
 * @file Decompositions of real weights against torch.linalg.svd on the same machine:
 * `node scripts/run.mjs bench/decompose.ts --model=FOLDER [--kinds=q_proj,v_proj,down_proj] [--k=0.2,0.5] [--threads=1] [--layers=N]`.
 *
 * FOLDER holds model.safetensors, as reference/pretrained.py makes it; its matrices are read as plain tensors, so the family need not be one that opens. A row
 * a kind and k: seconds of the engine (a first run, which compiles, apart), of script within them, and of torch.linalg.svd (f32, in full) for the same matrices, then
 * the worst matrix against the decomposition in f64 by reference/exact_bases.py, and beside it what the engine says of itself. Under `taskset -c 0` both
 * have one core. A matrix that one buffer cannot hold is left out, and named.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openAsBlob, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, readTensor, streamSafetensors, type LazyTensor } from '../src/formats/safetensors.ts';
import { readFloats } from '../src/gpu/buffers.ts';
import { largestBuffer } from '../src/gpu/device.ts';
import { testContext } from '../src/gpu/testing.ts';
import { ParameterBuffers, ParameterLayout } from '../src/models/parameters.ts';
import { BatchDecomposition, effectiveRank, type Basis } from '../src/spectral/decompose.ts';
import { option, repository } from './node.ts';

interface Compared {
  readonly seconds: number;
  readonly lost: number;
  readonly overlap: number;
  readonly plain: number;
  readonly smallest: number;
  readonly orthonormal: number;
  readonly sigma: number;
}

const folder = option('model', '');
if (!folder) throw new Error('Which model? --model=FOLDER; reference/pretrained.py makes one.');
const kinds = option('kinds', 'q_proj,v_proj,down_proj').split(',');
const fractions = option('k', '0.2,0.5').split(',').map(Number);
const most = Number(option('layers', '1000'));

const context = await testContext();
const { device, facts } = context.gpu;
const path = join(folder, 'model.safetensors');
const file = await openSafetensors(await openAsBlob(path), path);
const scratch = mkdtempSync(join(tmpdir(), 'gimbal-decompose-'));

/** CPU seconds of the main thread so far, where Linux tells them in hundredths (fields 14 and 15); the adapter's own threads do not count. */
function scriptSeconds(): number {
  if (process.platform !== 'linux') return Number.NaN;
  const fields = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** What torch makes of the bases, matrix by matrix. */
async function compared(bases: readonly Basis[]): Promise<Readonly<Record<string, Compared>>> {
  const tensors: LazyTensor[] = [];
  for (const { batch, k, u, v, sigma } of bases) {
    const [left, right, values] = [await readFloats(device, u), await readFloats(device, v), await readFloats(device, sigma)];
    const part = (from: Float32Array<ArrayBuffer>, z: number, size: number): (() => Promise<Uint8Array<ArrayBuffer>>) => async () => new Uint8Array(from.slice(z * size, (z + 1) * size).buffer);
    for (const [z, name] of batch.names.entries()) {
      tensors.push({ name: `${name}.u`, dtype: 'F32', shape: [batch.rows, k], bytes: part(left, z, batch.rows * k) });
      tensors.push({ name: `${name}.v`, dtype: 'F32', shape: [batch.columns, k], bytes: part(right, z, batch.columns * k) });
      tensors.push({ name: `${name}.sigma`, dtype: 'F32', shape: [k], bytes: part(values, z, k) });
    }
  }
  const out = join(scratch, 'bases.safetensors');
  await writeFile(out, streamSafetensors(tensors));
  const { stdout, stderr, status } = spawnSync(process.env['PYTHON'] ?? 'python3', [join(repository, 'reference/exact_bases.py'), path, out, option('threads', '1')], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`reference/exact_bases.py failed: ${stderr}`);
  return JSON.parse(stdout) as Record<string, Compared>;
}

const columns = (cells: readonly string[]): string => cells.map((cell, i) => (i === 0 ? cell.padEnd(12) : cell.padStart(10))).join('');
console.log(`${facts.description}; ${folder}`);
console.log(columns(['kind', 'k', 'matrices', 'first, s', 'engine, s', 'script, s', 'torch, s', 'ratio', 'lost', 'overlap', 'plain', 'smallest', 'orthonorm', 'sigma', 'says lost', 'says over', 'rounds']));
const sums = new Map<number, { engine: number; script: number; torch: number; matrices: number }>();
for (const kind of kinds) {
  const names = [...file.tensors.keys()].filter((name) => name.includes(kind) && file.tensors.get(name)!.shape.length === 2).slice(0, most);
  const fits = names.filter((name) => 4 * file.tensors.get(name)!.shape.reduce((a, b) => a * b) <= largestBuffer(context.gpu));
  for (const name of names) if (!fits.includes(name)) console.log(`${name} is larger than one buffer of this adapter and is left out.`);
  if (fits.length === 0) continue;
  const layout = new ParameterLayout(fits.map((name) => ({ name, shape: file.tensors.get(name)!.shape, parts: [{ name, rows: file.tensors.get(name)!.shape[0]! }] })), largestBuffer(context.gpu));
  const values = new ParameterBuffers(layout, context.pool, 'weights', 'weights');
  for (const weight of layout.weights) values.write(device, weight, await readTensor(file, weight.name));
  for (const fraction of fractions) {
    const bases: Basis[] = [];
    let [compile, engine, script] = [0, 0, 0];
    for (const batch of layout.matrixBatches()) {
      const started = performance.now();
      const decomposition = await BatchDecomposition.create(context, values, batch, { k: effectiveRank(batch, fraction) });
      // Software drivers compile a kernel when it first runs.
      await decomposition.run();
      const compiled = performance.now();
      const before = scriptSeconds();
      await decomposition.run();
      script += scriptSeconds() - before;
      engine += (performance.now() - compiled) / 1000;
      compile += (compiled - started) / 1000;
      bases.push(decomposition.basis);
      decomposition.destroyScratch();
    }
    context.gpu.assertHealthy();
    const torch = Object.values(await compared(bases));
    const quality = bases.flatMap((basis) => basis.quality);
    const seconds = torch.reduce((sum, each) => sum + each.seconds, 0);
    const worst = (of: (each: Compared) => number, pick: (...values: number[]) => number): number => pick(...torch.map(of));
    const sum = sums.get(fraction) ?? { engine: 0, script: 0, torch: 0, matrices: 0 };
    sums.set(fraction, { engine: sum.engine + engine, script: sum.script + script, torch: sum.torch + seconds, matrices: sum.matrices + torch.length });
    console.log(
      columns([
        kind,
        `${100 * fraction}%`,
        `${torch.length}`,
        ...[compile, engine, script, seconds, engine / seconds].map((value) => value.toFixed(2)),
        worst((each) => each.lost, Math.max).toExponential(1),
        worst((each) => each.overlap, Math.min).toFixed(6),
        worst((each) => each.plain, Math.min).toFixed(6),
        worst((each) => each.smallest, Math.min).toFixed(4),
        worst((each) => each.orthonormal, Math.max).toExponential(1),
        worst((each) => each.sigma, Math.max).toExponential(1),
        Math.max(...quality.map((each) => each.lostEnergy)).toExponential(1),
        Math.min(...quality.map((each) => each.overlap)).toFixed(6),
        `${Math.max(...quality.map((each) => each.rounds))}`,
      ]),
    );
    for (const { u, v, sigma } of bases) for (const slice of [u, v, sigma]) context.pool.destroy(slice);
  }
  values.destroy(context.pool);
}
for (const [fraction, { engine, script, torch, matrices }] of sums) {
  console.log(`k ${100 * fraction}%: ${matrices} matrices, engine ${engine.toFixed(1)} s of which script ${script.toFixed(1)} s, torch ${torch.toFixed(1)} s, ratio ${(engine / torch).toFixed(2)}`);
}
rmSync(scratch, { recursive: true });
process.exit(0);
