/**
 * @file Export = verify: what was written is read back, every number is compared with the live run's, and what the files say as a model is compared
 * with what the run says.
 */
import type { DecodeProgress, Engine, FloatType, LogitsOptions, ModelFiles, WeightSet } from '../engine.ts';
import { GpuMemoryError } from '../engine.ts';
import { readModelFolder } from '../formats/folder.ts';
import type { BaseModel, LoraAdapter } from '../formats/lora.ts';
import { readMlxAdapter } from '../formats/mlx.ts';
import { readPeftAdapter } from '../formats/peft.ts';
import { encodeFloats } from '../formats/safetensors.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { fileShape, toFile } from '../models/stored.ts';
import type { ExportedRun } from './exporting.ts';
import { promptsOf } from './comparedLogits.ts';
import type { ExportOptions, VerifyItem } from './protocol.ts';

/** Unit roundoff of a dtype, and the precision that holds its numbers as they are. */
const DTYPES: Readonly<Record<ExportOptions['dtype'], { readonly roundoff: number; readonly precision: FloatType }>> = {
  F32: { roundoff: 2 ** -24, precision: 'f32' },
  F16: { roundoff: 2 ** -11, precision: 'f16' },
  BF16: { roundoff: 2 ** -8, precision: 'bf16' },
};

/** What an export was made of. */
export interface Exported {
  readonly options: ExportOptions;
  readonly weights: WeightSet;
  /** Of the kinds that are one. */
  readonly adapter: LoraAdapter | undefined;
  /** Of an adapter that was extracted from the weights. */
  readonly retainedEnergy: number | undefined;
  readonly base: BaseModel;
  /** Bytes of every file. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** How a verification is followed and ended. */
export interface Verifying {
  readonly signal?: AbortSignal | undefined;
  /** Tokens of the prompts that are compared. */
  readonly onProgress?: ((progress: DecodeProgress) => void) | undefined;
}

/**
 * @param read opens what was written, from where it was written to
 * @throws the reason of `signal`
 */
export async function verify(engine: Engine, run: ExportedRun, exported: Exported, read: () => Promise<ModelFiles>, verifying: Verifying = {}): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  const check = async (title: string, work: () => Promise<Omit<VerifyItem, 'check'>>): Promise<void> => {
    try {
      items.push({ check: title, ...(await work()) });
    } catch (error) {
      verifying.signal?.throwIfAborted();
      items.push({ check: title, passed: false, detail: error instanceof Error ? error.message : String(error) });
    }
  };
  let files: ModelFiles = new Map();
  await check('Every file is there and opens', async () => {
    files = await read();
    const wrong = [...exported.sizes].filter(([path, size]) => files.get(path)?.size !== size).map(([path]) => path);
    return { passed: wrong.length === 0, detail: wrong.length > 0 ? `Missing or of another size: ${wrong.join(', ')}.` : `${files.size} files.` };
  });
  const { adapter } = exported;
  if (adapter) {
    let found: LoraAdapter | undefined;
    await check('The matrices of every adapted layer are those of the run', async () => {
      found = await (exported.options.kind === 'mlx' ? readMlxAdapter : readPeftAdapter)(files, exported.base);
      return compareMatrices(adapter, found);
    });
    const title = exported.retainedEnergy === undefined ? 'The adapter on the base model gives the same logits' : 'The adapter on the base model gives logits near those of the run';
    await check(title, async () => {
      if (!found) return { passed: false, detail: 'It could not be read.' };
      const { lab } = run.material;
      const reloaded = lab.attachAdapter(found);
      try {
        return await compareLogits(run, exported, (ids, options) => lab.logits(ids, reloaded, options), verifying);
      } finally {
        lab.release(reloaded);
      }
    });
  } else {
    await check(`Every weight is that of the run${exported.options.dtype === 'F32' ? '' : `, rounded to ${exported.options.dtype}`}`, () => compareWeights(run, exported, files));
    await check('The reloaded model gives the same logits', () => reloadAndCompare(engine, run, exported, files, verifying));
  }
  return items;
}

function compareMatrices(live: LoraAdapter, read: LoraAdapter): Omit<VerifyItem, 'check'> {
  const byName = new Map(read.modules.map((module) => [module.name, module]));
  const wrong = live.modules.filter(({ name, a, b }) => {
    const found = byName.get(name);
    return !found || !isEqual(found.a, a) || !isEqual(found.b, b);
  });
  if (wrong.length > 0) return { passed: false, detail: `${wrong[0]!.name} is missing or differs.` };
  return { passed: read.modules.length === live.modules.length, detail: `${read.modules.length} layers, r ${read.settings.r}, equal to the last bit.` };
}

/** One tensor at a time, as bytes. */
async function compareWeights({ material: { lab } }: ExportedRun, { options: { dtype }, weights }: Exported, files: ModelFiles): Promise<Omit<VerifyItem, 'check'>> {
  const { device } = lab.model.context.gpu;
  const { weights: read } = await readModelFolder(files);
  const { tensors } = read;
  const expected = lab.model.layout.weights;
  for (const weight of expected) {
    const { name } = weight;
    if (tensors.get(name)?.shape.join() !== fileShape(weight).join()) return { passed: false, detail: `${name} is missing or misshapen.` };
    const live = encodeFloats(toFile(weight, await weights.read(device, weight)), dtype);
    const { dtype: found, bytes } = await read.readRaw(name);
    if (found !== dtype || !isEqual(bytes, live)) return { passed: false, detail: `${name} differs.` };
  }
  if (tensors.size !== expected.length) return { passed: false, detail: `There are ${tensors.size} tensors; the model has ${expected.length}.` };
  return { passed: true, detail: `${tensors.size} tensors${lab.model.config.tieWordEmbeddings ? ', the tied head left out' : ''}, equal to the last bit.` };
}

/** Opens the files as a person would. */
async function reloadAndCompare(engine: Engine, run: ExportedRun, exported: Exported, files: ModelFiles, verifying: Verifying): Promise<Omit<VerifyItem, 'check'>> {
  try {
    const reloaded = await engine.open(files, { precision: DTYPES[exported.options.dtype].precision });
    try {
      return await compareLogits(run, exported, (ids, options) => reloaded.logits(ids, undefined, options), verifying);
    } finally {
      reloaded.destroy();
    }
  } catch (error) {
    if (!(error instanceof GpuMemoryError)) throw error;
    return { passed: true, detail: 'Not compared: this adapter has no room for a second copy of the model. The check above found every number as it should be.' };
  }
}

async function compareLogits(run: ExportedRun, exported: Exported, logitsOf: (ids: readonly number[], options: LogitsOptions) => Promise<Float32Array>, { signal, onProgress }: Verifying): Promise<Omit<VerifyItem, 'check'>> {
  const { lab } = run.material;
  const prompts = promptsOf(run);
  let difference = 0;
  let largest = 0;
  const total = 2 * prompts.reduce((sum, { length }) => sum + length, 0);
  const started = performance.now();
  let before = 0;
  const options: LogitsOptions = {
    turn: (work) => {
      signal?.throwIfAborted();
      return work();
    },
    onProgress(of) {
      const done = before + of.done;
      if (of.done === of.total) before = done;
      const tokensPerSecond = (1000 * done) / (performance.now() - started);
      onProgress?.({ done, total, tokensPerSecond, secondsLeft: (total - done) / tokensPerSecond });
    },
  };
  for (const ids of prompts) {
    const [live, read] = [await lab.logits(ids, exported.weights, options), await logitsOf(ids, options)];
    for (const [i, logit] of live.entries()) {
      // A NaN must not pass as a small difference.
      const apart = Math.abs(logit - read[i]!);
      difference = apart > difference || Number.isNaN(apart) ? apart : difference;
      largest = Math.max(largest, Math.abs(logit));
    }
  }
  const detail = `Largest difference of a logit on ${prompts.length} prompts: ${difference.toPrecision(2)}, of logits up to ${largest.toPrecision(3)}`;
  if (exported.retainedEnergy !== undefined) {
    return { passed: Number.isFinite(difference), detail: `${detail}: what the adapter leaves out. It holds ${(100 * exported.retainedEnergy).toFixed(1)}% of the change of its layers.` };
  }
  const allowed = largest * toleranceOf(run, exported);
  return { passed: difference <= allowed, detail: `${detail} (rounding allows ${allowed.toPrecision(2)}).` };
}

/**
 * How far logits may lie apart, relative to the largest. The same numbers through the same kernels give the same logits. Else the error of each matrix
 * product is a random walk: over the weights of a row where they were rounded, over its sum where it was only summed in another order.
 */
function toleranceOf({ material: { lab } }: ExportedRun, { options: { kind, dtype }, weights }: Exported): number {
  if (kind === 'model' && dtype === 'F32' && !(weights instanceof AdaptedWeights)) return 0;
  const { config, architecture } = lab.model;
  const products = architecture.linears.length + 1;
  const summed = 2 ** -24 * Math.sqrt(Math.max(config.hiddenSize, config.intermediateSize));
  const { roundoff } = DTYPES[kind === 'model' ? dtype : 'F32'];
  return 4 * Math.sqrt(products) * Math.max(roundoff, summed);
}

function isEqual(a: Float32Array | Uint8Array, b: Float32Array | Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
