/**
 * @file Opening a checkpoint of SmolLM2-135M's shapes: time, and the most memory the process holds beyond the weights on the device, against the largest
 * tensor. On a software adapter the device's memory is the process's too. Linux only: the peak is read from /proc.
 *
 *     node scripts/run.mjs bench/load.ts [--dtype=BF16|F32] [--precision=f32|bf16|f16]
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FloatType } from '../src/engine.ts';
import { createEngine } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { smolLm2Config, writeRandomCheckpoint } from './checkpoint.ts';
import { folderFiles, option, repository } from './node.ts';

const given = option('folder', '');
await (given === '' ? inAnotherProcess() : measure(given));
process.exit(0);

/** Writing the checkpoint leaves memory behind; the process that is measured shall not have done it. */
async function inAnotherProcess(): Promise<void> {
  const dtype = option('dtype', 'BF16');
  if (dtype !== 'BF16' && dtype !== 'F32') throw new Error(`--dtype is ${dtype}; BF16 and F32 can be written.`);
  const folder = await mkdtemp(join(tmpdir(), 'gimbal-load-'));
  try {
    await writeRandomCheckpoint(folder, dtype, 1);
    const { status } = spawnSync(process.execPath, [join(repository, 'scripts/run.mjs'), join(repository, 'bench/load.ts'), `--folder=${folder}`, `--precision=${option('precision', 'f32')}`], { stdio: 'inherit' });
    if (status !== 0) throw new Error(`The measuring process ended with ${status}.`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(folder: string): Promise<void> {
  const gpu = await testGpu();
  const engine = createEngine(gpu);
  const files = await folderFiles(folder);
  const before = await memory('VmRSS');
  const started = performance.now();
  const lab = await engine.open(files, { precision: option('precision', 'f32') as FloatType });
  await gpu.device.queue.onSubmittedWorkDone();
  const seconds = (performance.now() - started) / 1000;
  const onDevice = [...engine.bytes.values()].reduce((sum, size) => sum + size, 0);
  const beyond = (await memory('VmHWM')) - before - (gpu.facts.software ? onDevice : 0);
  const largest = smolLm2Config.vocab_size * smolLm2Config.hidden_size * 4;
  const megabytes = (size: number): string => `${(size / 1e6).toFixed(0)} MB`;
  console.log(`${gpu.facts.description}; ${lab.model.layout.count.toLocaleString()} parameters, ${megabytes((await stat(join(folder, 'model.safetensors'))).size)} on disk, ${megabytes(onDevice)} on the device`);
  console.log(`opened in ${seconds.toFixed(1)} s; at most ${megabytes(beyond)} beyond the weights, ${(beyond / largest).toFixed(2)} times the largest tensor in f32 (${megabytes(largest)})`);
}

/** A line of /proc/self/status in bytes: VmRSS is what the process has in memory now, VmHWM the most it ever had. */
async function memory(line: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${line}:\\s*(\\d+) kB$`, 'mu').exec(status)![1]) * 1024;
}
