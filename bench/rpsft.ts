/**
 * @file RPSFT on real weights against PyTorch with exact bases: `node scripts/run.mjs bench/rpsft.ts --model=FOLDER --data=ROWS.jsonl`.
 *
 * FOLDER as reference/pretrained.py makes it, ROWS of {question, answer}. reference/real_rpsft.py trains five LoRA steps with bases by torch.linalg.svd in f64;
 * the engine starts from the same adapter, on the same tokens, with its own bases. Prints loss and penalty of each step, how far the adapter's change is
 * from PyTorch's, and then the time of measuring the drift of every matrix.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openAsBlob, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModelFolder } from '../src/formats/folder.ts';
import type { LoraModule } from '../src/formats/lora.ts';
import { openSafetensors, readTensor } from '../src/formats/safetensors.ts';
import { testContext } from '../src/gpu/testing.ts';
import { IGNORED } from '../src/graph/ops/head-loss.ts';
import { rpsftPenalty } from '../src/methods/rpsft.ts';
import { AdaptedWeights } from '../src/models/adapter.ts';
import type { PackedBatch } from '../src/models/decoder.ts';
import { Model } from '../src/models/model.ts';
import { toFile } from '../src/models/stored.ts';
import { decomposeAll } from '../src/spectral/decompose.ts';
import { DriftMeter } from '../src/spectral/drift.ts';
import type { AdamW } from '../src/training/optimizer.ts';
import { Trainer } from '../src/training/trainer.ts';
import { folderFiles, option, repository } from './node.ts';

interface Run {
  readonly rank: number;
  readonly length: number;
  readonly strength: number;
  readonly fraction: number;
  readonly optimizer: AdamW & { readonly learningRate: number };
  readonly rows: readonly { readonly ids: readonly number[]; readonly prompt: number }[];
  readonly loss: readonly number[];
  readonly penalty: readonly number[];
}

const [folder, data] = [option('model', ''), option('data', '')];
if (!folder || !data) throw new Error('Which model and data? --model=FOLDER --data=ROWS.jsonl');
const out = mkdtempSync(join(tmpdir(), 'gimbal-rpsft-'));
const { status, stderr } = spawnSync(process.env['PYTHON'] ?? 'python3', [join(repository, 'reference/real_rpsft.py'), folder, data, out], { encoding: 'utf8' });
if (status !== 0) throw new Error(`reference/real_rpsft.py failed: ${stderr}`);
const run = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as Run;
const open = async (name: string) => openSafetensors(await openAsBlob(join(out, name)), name);
const [start, end] = [await open('start.safetensors'), await open('end.safetensors')];

const context = await testContext();
const { device, facts } = context.gpu;
const { config, weights } = await readModelFolder(await folderFiles(folder));
const model = await Model.load(context, config, weights);
const modules: LoraModule[] = [];
for (const name of start.tensors.keys()) {
  if (!name.endsWith('.lora_A.weight')) continue;
  const module = name.replace('.lora_A.weight', '');
  modules.push({ name: module, a: await readTensor(start, name), b: await readTensor(start, `${module}.lora_B.weight`) });
}
const settings = { r: run.rank, alpha: run.rank, rsLora: false };
const adapted = AdaptedWeights.from(context, { weights: model.weights, linears: model.architecture.linears }, { settings, modules });
console.log(`${facts.description}; ${folder}`);

const before = performance.now();
const decomposition = await decomposeAll(context, model.weights, { rankFraction: run.fraction, names: adapted.names });
const quality = decomposition.bases.flatMap((basis) => basis.quality);
console.log(`${quality.length} matrices decomposed in ${((performance.now() - before) / 1000).toFixed(1)} s, compiling included; the worst says: energy lost ${Math.max(...quality.map((each) => each.lostEnergy)).toExponential(1)}, overlap ${Math.min(...quality.map((each) => each.overlap)).toFixed(6)}`);

const { learningRate, ...optimizer } = run.optimizer;
const trainer = await Trainer.create(
  model,
  {
    batch: { rows: 1, length: run.length },
    accumulation: 1,
    optimizer,
    schedule: { kind: 'constant', learningRate, warmupSteps: 0, steps: run.rows.length },
    penalty: { lambda: run.strength, term: (targets) => rpsftPenalty(targets, decomposition) },
  },
  adapted,
);
/** One row as a batch of its own; the tokens behind it are a document that is not trained. */
function batchOf({ ids, prompt }: Run['rows'][number]): PackedBatch {
  const { length } = run;
  const isTrained = (i: number): boolean => i + 1 >= prompt && i + 1 < ids.length;
  return {
    ids: Uint32Array.from({ length }, (_, i) => ids[i] ?? 0),
    labels: Uint32Array.from({ length }, (_, i) => (isTrained(i) ? ids[i + 1]! : IGNORED)),
    positions: Uint32Array.from({ length }, (_, i) => (i < ids.length ? i : i - ids.length)),
    documentStart: Uint32Array.from({ length }, (_, i) => (i < ids.length ? 0 : ids.length)),
    rowWeights: Float32Array.from({ length }, (_, i) => (isTrained(i) ? 1 / (ids.length - prompt) : 0)),
  };
}
for (const row of run.rows) trainer.submitStep([batchOf(row)]);
for (const [i, { loss, penalty }] of (await trainer.readMetrics()).entries()) {
  const difference = run.penalty[i]! > 0 ? (penalty / run.penalty[i]! - 1).toExponential(1) : `${penalty - run.penalty[i]!}`;
  console.log(`step ${i + 1}: loss ${loss.toFixed(6)} (PyTorch ${run.loss[i]!.toFixed(6)}), penalty ${penalty.toExponential(5)} (${run.penalty[i]!.toExponential(5)}, ${difference})`);
}
const { trained } = trainer.weights;
let [error, size] = [0, 0];
for (const weight of trained.layout.weights) {
  const [own, first, last] = [toFile(weight, await trained.read(device, weight)), await readTensor(start, weight.name), await readTensor(end, weight.name)];
  for (const [i, value] of own.entries()) {
    error += (value - last[i]!) ** 2;
    size += (last[i]! - first[i]!) ** 2;
  }
}
console.log(`change of the adapter: ${(100 * Math.sqrt(error / size)).toFixed(3)}% from PyTorch's`);

for (const which of ['first', 'second']) {
  const started = performance.now();
  const meter = new DriftMeter(context, { weights: trainer.weights, pretrained: model.weights, bases: decomposition.bases });
  const drifts = await meter.measure();
  console.log(`drift of ${drifts.length} matrices, ${which} time: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
context.gpu.assertHealthy();
rmSync(out, { recursive: true });
process.exit(0);
