/**
 * @file The memory of a run before it starts: the very code of a run on a context that only counts, and the changes that
 * would make it smaller.
 */
import { planGenerator } from '../generation/plan.ts';
import type { BufferCategory, BufferFacts } from '../gpu/buffers.ts';
import { totalBytes } from '../gpu/buffers.ts';
import { countingContext } from '../gpu/context.ts';
import type { FloatType } from '../gpu/storedFloats.ts';
import { objectiveOf } from '../methods/objectives.ts';
import type { HeldDirections } from '../methods/penalty.ts';
import { NO_DIRECTIONS, penaltyTerm } from '../methods/penalties.ts';
import type { ObjectiveId, PenaltyId } from '../methods/registry.ts';
import { heldBy, methodInfo } from '../methods/registry.ts';
import { AdaptedWeights, targetLinears } from '../models/adapter.ts';
import type { BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import { decompositionRoom, plannedDecomposition } from '../spectral/decompose.ts';
import { planProbeMeter, type ProbeSize } from '../spectral/probeMeter.ts';
import { policyLoss, policySlice } from './grpo.ts';
import { planTraining } from './trainer.ts';

/** What decides how much memory a run takes. */
export interface RunSize {
  /** Has no part where answers are sampled. */
  readonly objective: ObjectiveId;
  readonly penalty?: PenaltyId | undefined;
  /** IW-SFT differentiates its factors. */
  readonly throughScale?: boolean | undefined;
  /** k of the directions that the penalty holds, as a fraction of each matrix's smaller side. */
  readonly rankFraction: number;
  /** Absent for full fine-tuning; targets as `targetLinears` takes them. */
  readonly lora?: { readonly rank: number; readonly targets: readonly string[] } | undefined;
  readonly recompute: boolean;
  /** How the matrices of the frozen model are kept. */
  readonly precision: FloatType;
  /** Shape of a micro-batch. */
  readonly batch: BatchShape;
  /** Micro-batches an optimizer step. */
  readonly accumulation: number;
  /** What measures states and predictions while it goes on. */
  readonly follow?: ProbeSize | undefined;
  /** Of GRPO: how many answers are decoded together, the tokens of the longest prompt, and how keys and values are kept. `batch` holds that prompt with the longest answer. */
  readonly sampling?: { readonly sequences: number; readonly longestPrompt: number; readonly cache?: FloatType | undefined };
}

export interface RunPlan {
  readonly size: RunSize;
  /** Bytes of everything the run holds, the model included. */
  readonly bytes: ReadonlyMap<BufferCategory, number>;
  readonly total: number;
  readonly buffers: readonly BufferFacts[];
  /** Bytes that are held at most while its matrices are decomposed, before the run takes its own: the model, the bases and the room of that; 0 without. */
  readonly decomposing: number;
}

/** A change that makes a run smaller. */
export interface WayToFit {
  readonly change: 'unfollowed' | 'recompute' | 'micro-batch' | 'fewer-together' | 'lora' | 'half' | 'shorter' | 'smaller-k';
  /** The run with the change. */
  readonly size: RunSize;
  readonly saves: number;
  /** Bytes of the run with the change; more than the limit where it does not suffice alone. */
  readonly total: number;
}

/** @throws {RangeError} for targets that select nothing, or a penalty that has no form for adapters */
export async function planRun(model: Model, size: RunSize): Promise<RunPlan> {
  const { objective: kind, penalty: id, throughScale, rankFraction, lora, recompute, precision, batch, accumulation, sampling, follow } = size;
  const context = countingContext(model.context);
  const planned = model.planned(context, precision);
  const linears = lora && targetLinears(model.architecture.linears, lora.targets);
  // A run copies what it starts from, which is freed then and not counted.
  const start = lora && linears ? AdaptedWeights.zeros(countingContext(context), planned.weights, linears, { r: lora.rank, alpha: lora.rank, rsLora: false }) : planned.weights;
  const directions = (): HeldDirections => {
    const held = heldBy(id);
    if (!held) return NO_DIRECTIONS;
    const decomposition = plannedDecomposition(context, planned.layout, rankFraction, linears && new Set(linears.map(({ module }) => `${module}.weight`)));
    // Random directions come without singular values.
    if (held === 'random') for (const { sigma } of decomposition.bases) context.pool.destroy(sigma);
    return decomposition;
  };
  const penalty = id && { lambda: 0, term: penaltyTerm(id, directions()) };
  const loss = sampling ? { loss: policyLoss(policySlice(context, batch)) } : { objective: objectiveOf(kind, { throughScale }) };
  const { weights } = await planTraining(context, planned, { batch, accumulation, recompute, ...loss, ...(penalty ? { penalty } : {}) }, start);
  if (sampling) planGenerator(context, planned, weights, { sequences: sampling.sequences, length: batch.length, ...(sampling.cache ? { cache: sampling.cache } : {}) });
  if (follow) planProbeMeter(context, planned, weights, follow);
  const { bytes, buffers } = context.pool;
  const held = heldBy(id);
  const room = held === 'top' || held === 'tail' ? decompositionRoom(model.context, planned.weights, rankFraction, linears && new Set(linears.map(({ module }) => `${module}.weight`))) : 0;
  return { size, bytes, total: totalBytes(bytes), buffers, decomposing: room && room + (bytes.get('pretrained') ?? 0) + (bytes.get('bases') ?? 0) };
}

const goesWithAdapters = ({ penalty }: RunSize): boolean => !penalty || methodInfo(penalty).adapters;

/** Shorter rows than this say little about a text. */
const SHORTEST = 64;
/** Shorter answers than this hardly hold one. */
const SHORTEST_ANSWER = 16;
const SMALLEST_FRACTION = 0.05;
const LORA_RANK = 16;

/**
 * The changes that each make a run smaller, the least harmful first: those that leave the result as it is, then those that
 * change what is trained or how exactly, then those that cut the data or the method.
 * @param limit bytes it should fit; a length and a k are halved until it does, or no further
 */
export async function waysToFit(model: Model, size: RunSize, limit: number): Promise<WayToFit[]> {
  const { total } = await planRun(model, size);
  const { batch, accumulation, rankFraction, sampling } = size;
  const targets = [...new Set(model.architecture.linears.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)))];
  const halvings = (from: number, least: number): number[] => {
    const values = [];
    for (let value = from / 2; value >= least; value /= 2) values.push(value);
    return values;
  };
  const prompt = sampling?.longestPrompt ?? 0;
  const shorter = sampling ? halvings(batch.length - prompt, SHORTEST_ANSWER).map((answer) => prompt + answer) : halvings(batch.length, SHORTEST);
  const candidates: readonly [WayToFit['change'], readonly RunSize[]][] = [
    ['unfollowed', size.follow ? [{ ...size, follow: undefined }] : []],
    ['recompute', size.recompute ? [] : [{ ...size, recompute: true }]],
    ['micro-batch', batch.rows === 1 ? [] : [{ ...size, batch: { ...batch, rows: 1 }, accumulation: accumulation * batch.rows }]],
    ['fewer-together', sampling ? halvings(sampling.sequences, 1).map((sequences) => ({ ...size, sampling: { ...sampling, sequences: Math.floor(sequences) } })) : []],
    ['lora', size.lora || !goesWithAdapters(size) ? [] : [{ ...size, lora: { rank: LORA_RANK, targets } }]],
    ['half', size.precision === 'f32' ? [{ ...size, precision: 'bf16' }] : []],
    ['shorter', shorter.map((length) => ({ ...size, batch: { ...batch, length: Math.floor(length) } }))],
    ['smaller-k', heldBy(size.penalty) ? halvings(rankFraction, SMALLEST_FRACTION).map((fraction) => ({ ...size, rankFraction: fraction })) : []],
  ];
  const ways: WayToFit[] = [];
  for (const [change, sizes] of candidates) {
    let way: WayToFit | undefined;
    for (const changed of sizes) {
      const plan = await planRun(model, changed);
      way = { change, size: changed, saves: total - plan.total, total: plan.total };
      if (Math.max(plan.total, plan.decomposing) <= limit) break;
    }
    if (way && way.saves > 0) ways.push(way);
  }
  return ways;
}
