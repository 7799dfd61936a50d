/**
 * @file What a run starts from and what holds it: the weights it copies, and the penalty with the directions it needs.
 */
import type { Context } from '../gpu/context.ts';
import type { LoraSettings } from '../formats/lora.ts';
import { NO_DIRECTIONS, penaltyTerm } from '../methods/penalties.ts';
import { PROJECTION_NEEDS_FULL } from '../methods/projection.ts';
import { heldBy, methodInfo, partsOf } from '../methods/registry.ts';
import { AdaptedWeights, merge, targetLinears } from '../models/adapter.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import { controlDirections } from '../spectral/controls.ts';
import { destroyBases, heldMatrices } from '../spectral/decompose.ts';
import type { Progress } from '../spectral/workspace.ts';
import type { PenaltyChoice } from '../training/trainer.ts';
import type { LabBases } from './bases.ts';
import { matricesOf } from './bases.ts';
import type { FineTuneSettings } from './settings.ts';

/**
 * Where a run starts; `own` when it was made for that alone.
 * @param startFrom weights of another run or of an import: for full fine-tuning any, adapters merged; for LoRA an adapter of the
 *   same settings on the same layers
 * @throws {RangeError} when a run with adapters cannot go on from `startFrom`
 */
export async function startOf(
  context: Context,
  { weights, architecture: { linears } }: Model,
  { lora, seed }: Pick<FineTuneSettings, 'lora' | 'seed'>,
  startFrom: WeightSet = weights,
): Promise<{ readonly start: WeightSet; readonly own: boolean }> {
  const adapter = startFrom instanceof AdaptedWeights ? startFrom : undefined;
  if (!lora) return adapter ? { start: await merge(context, adapter), own: true } : { start: startFrom, own: false };
  const settings: LoraSettings = { r: lora.rank, alpha: lora.alpha, rsLora: lora.rsLora };
  if (startFrom === weights) return { start: AdaptedWeights.create(context, { weights, linears }, settings, lora.targets, seed), own: true };
  if (!adapter) throw new RangeError('A LoRA run starts from the model or from an adapter, and these weights were trained in full. Extract an adapter from them and start from that.');
  for (const field of ['r', 'alpha', 'rsLora'] as const) {
    if (adapter.settings[field] !== settings[field]) throw new RangeError(`The adapter to start from has ${field} ${adapter.settings[field]}, the settings say ${settings[field]}; take those of the adapter.`);
  }
  const wanted = targetLinears(linears, lora.targets).map(({ module }) => module);
  const has = new Set(adapter.modules.map(({ linear }) => linear.module));
  const odd = wanted.find((module) => !has.has(module)) ?? [...has].find((module) => !wanted.includes(module));
  if (odd !== undefined) throw new RangeError(`The adapter to start from and the targets of the settings differ in ${odd}; take the layers of the adapter.`);
  return { start: adapter, own: false };
}

/** The penalty of a run, and what frees the directions that are its alone. */
export async function penaltyOf(context: Context, model: Model, bases: LabBases, settings: FineTuneSettings, onProgress?: Progress): Promise<{ readonly penalty?: PenaltyChoice; readonly release: () => void }> {
  const { lambda, rankFraction, lora, seed } = settings;
  const { penalty: id } = partsOf(settings);
  const nothing = (): void => undefined;
  if (!id) return { release: nothing };
  if (lora && !methodInfo(id).adapters) throw new RangeError(PROJECTION_NEEDS_FULL);
  const held = heldBy(id);
  if (!held) return { penalty: { lambda, term: penaltyTerm(id, NO_DIRECTIONS) }, release: nothing };
  if (held === 'top') return { penalty: { lambda, term: penaltyTerm(id, await bases.decompose(rankFraction, onProgress, lora?.targets)) }, release: nothing };
  const { restricted, degenerate } = heldMatrices(model.layout, rankFraction, matricesOf(model, lora?.targets));
  const directions = await controlDirections(context, model.weights, restricted, held, seed, onProgress);
  return { penalty: { lambda, term: penaltyTerm(id, { bases: directions, degenerate }) }, release: () => destroyBases(context, directions) };
}
