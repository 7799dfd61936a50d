/**
 * @file AdamW with global-norm clipping, decided on the GPU: norm, clip factor and the decision to skip a non-finite
 * update never come back to the CPU before the update is made.
 */
import adamwSource from '../../shaders/adamw.wgsl?raw';
import lossSumSource from '../../shaders/loss-sum.wgsl?raw';
import squareSumSource from '../../shaders/square-sum.wgsl?raw';
import decisionSource from '../../shaders/step-decision.wgsl?raw';
import numbersSource from '../../shaders/step-uniform.wgsl?raw';
import type { Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import { kernel, linearGrid } from '../gpu/kernel.ts';
import { rowLanes } from '../graph/rows.ts';
import type { ParameterLayout } from '../models/parameters.ts';
import { ParameterBuffers } from '../models/parameters.ts';

export interface AdamW {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled weight decay of matrices; norm gains are never decayed. */
  readonly weightDecay: number;
  /** Largest global gradient norm, penalty gradient included; 0 = no clipping. */
  readonly clipNorm: number;
}

/** Numbers of one step that the GPU wrote. */
export interface StepRecord {
  readonly step: number;
  /** What the objective minimises on the data. */
  readonly loss: number;
  /** Mean nll of the trained tokens: the loss of SFT, whatever the objective, so that methods can be compared. */
  readonly crossEntropy: number;
  readonly penalty: number;
  readonly gradientNorm: number;
  readonly skipped: boolean;
}

/** Steps the ring of metrics holds; older ones are overwritten. */
export const RING = 64;
/** Floats a step writes. */
const METRICS = 8;
/** Gradients that one partial sum of the norm covers. */
const CHUNK = 4096;

/** The moments, the numbers of the step and the GPU's own decisions. */
export class OptimizerState {
  readonly moment1: ParameterBuffers;
  readonly moment2: ParameterBuffers;
  /** Uniform with the numbers of the step. */
  readonly numbers: Slice;
  readonly control: Slice;
  readonly metrics: Slice;
  /** Two f32: the loss of the accumulation window so far, and its cross-entropy. */
  readonly lossSum: Slice;
  /** One f32: the penalty's value, 0 where the method has none. */
  readonly penalty: Slice;
  readonly #context: Context;
  readonly #staged = new DataView(new ArrayBuffer(48));

  constructor(context: Context, layout: ParameterLayout) {
    const { pool } = context;
    this.#context = context;
    this.moment1 = new ParameterBuffers(layout, pool, 'moments', 'first moments');
    this.moment2 = new ParameterBuffers(layout, pool, 'moments', 'second moments');
    this.numbers = pool.uniform(48, 'step numbers');
    this.control = pool.storage(32, 'other', 'step control');
    this.metrics = pool.storage(4 * RING * METRICS, 'other', 'step metrics');
    this.lossSum = pool.storage(16, 'other', 'loss sum');
    this.penalty = pool.storage(16, 'other', 'penalty');
  }

  /** Uploads the numbers of a step, counted from 1. */
  writeNumbers(step: number, learningRate: number, { beta1, beta2, epsilon, weightDecay, clipNorm }: AdamW): void {
    const staged = this.#staged;
    staged.setUint32(0, step, true);
    staged.setUint32(4, step % RING, true);
    staged.setFloat32(8, learningRate, true);
    staged.setFloat32(12, beta1, true);
    staged.setFloat32(16, beta2, true);
    staged.setFloat32(20, 1 - beta1, true);
    staged.setFloat32(24, 1 - beta2, true);
    staged.setFloat32(28, epsilon, true);
    staged.setFloat32(32, weightDecay, true);
    staged.setFloat32(36, clipNorm, true);
    this.#context.gpu.device.queue.writeBuffer(this.numbers.buffer, 0, staged.buffer);
  }
}

/** Adds the loss of one micro-batch, the sum over its tokens, and its cross-entropy, that of weight * nll, to `state.lossSum`. */
export function lossSumCall({ gpu }: Context, state: OptimizerState, { loss, nll, weights }: Readonly<Record<'loss' | 'nll' | 'weights', Slice>>, tokens: number): Call {
  return {
    kernel: kernel('lossSum', lossSumSource, ['read', 'read', 'read', 'write'], { TOKENS: tokens, LANES: 4 * rowLanes(gpu.facts) }),
    slices: [loss, nll, weights, state.lossSum],
    grid: [1, 1, 1],
  };
}

/** Norm, decision and update, for complete gradients. `scratch` of `updateScratchBytes`. */
export function updateCalls({ gpu }: Context, state: OptimizerState, weights: ParameterBuffers, gradients: ParameterBuffers, scratch: Slice): Call[] {
  const { layout } = weights;
  const lanes = rowLanes(gpu.facts);
  let first = 0;
  const squares = layout.shardSizes.map((count, shard): Call => {
    const chunks = Math.ceil(count / CHUNK);
    const call: Call = {
      kernel: kernel('squareSum', squareSumSource, ['read', 'write'], { COUNT: count, CHUNK, CHUNKS: chunks, FIRST: first, LANES: lanes }),
      slices: [gradients.shards[shard]!, scratch],
      grid: linearGrid(chunks, 1),
    };
    first += chunks;
    return call;
  });
  const decision: Call = {
    kernel: kernel('stepDecision', numbersSource + decisionSource, ['uniform', 'read', 'read', 'read', 'write', 'write'], { PARTIALS: first, METRICS, LANES: 4 * lanes }),
    slices: [state.numbers, scratch, state.lossSum, state.penalty, state.control, state.metrics],
    grid: [1, 1, 1],
  };
  const updates = layout.shardSizes.map(
    (count, shard): Call => ({
      kernel: kernel('adamw', numbersSource + adamwSource, ['uniform', 'read', 'read', 'write', 'write', 'write'], { COUNT: count, MATRIX_END: layout.matrixElements[shard]! }),
      slices: [state.numbers, state.control, gradients.shards[shard]!, weights.shards[shard]!, state.moment1.shards[shard]!, state.moment2.shards[shard]!],
      grid: linearGrid(count / 4, 256),
    }),
  );
  return [...squares, decision, ...updates];
}

/** Bytes of scratch `updateCalls` needs. */
export const updateScratchBytes = ({ layout }: ParameterBuffers): number => 4 * layout.shardSizes.reduce((sum, count) => sum + Math.ceil(count / CHUNK), 0);

/** The steps after `after` that the ring's contents hold, in order. */
export function decodeMetrics(ring: ArrayBuffer, after: number): StepRecord[] {
  const floats = new Float32Array(ring);
  const words = new Uint32Array(ring);
  const records: StepRecord[] = [];
  for (let at = 0; at < floats.length; at += METRICS) {
    const step = words[at]!;
    if (step > after) records.push({ step, loss: floats[at + 1]!, penalty: floats[at + 2]!, gradientNorm: floats[at + 3]!, skipped: floats[at + 4] === 1, crossEntropy: floats[at + 5]! });
  }
  return records.toSorted((a, b) => a.step - b.step);
}
