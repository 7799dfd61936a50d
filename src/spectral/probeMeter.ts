/**
 * @file Drift of states and predictions followed through a run: what the base model makes of a probe set is measured once, and
 * the weights under training are compared with it as often as wanted, with one forward pass each time. The numbers are those
 * of representation.ts and outputDrift.ts on the same tokens.
 */
import { batchesOfShape, type Batch } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import type { TokenisedList } from '../data/tokenStore.ts';
import { readBack } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import type { Tensor } from '../graph/graph.ts';
import { floatType } from '../graph/graph.ts';
import { BatchBuffers, decoderGraph, plainLoss, type BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { WeightSet } from '../models/weights.ts';
import { Slices, type Measuring } from './measuring.ts';
import { comparisonCalls, DriftSums, type OutputDrift } from './outputDrift.ts';
import { planesOf, planStateMeter, StateMeter, type StateDrift, type StatePlane } from './representation.ts';
import { allLayers, countTokens, firstTokens, keptTokens, PROBE_TOKENS, StateRows, statesOf } from './states.ts';
import { Workspace } from './workspace.ts';

/** What is followed. */
export interface Followed {
  readonly states: boolean;
  readonly outputs: boolean;
}

/** What decides the memory that a meter takes. */
export interface ProbeSize extends Followed {
  /** Tokens of the probe set. */
  readonly tokens: number;
  /** Rows and tokens a row of its forward pass. */
  readonly shape: BatchShape;
}

const MOST_ROWS = 8;

/** The part of some examples that a run is followed on: their first 1,024 tokens, as many rows at a time as a pass of that many tokens has room for. */
export function probeOf(examples: TokenisedList, followed: Followed): { readonly examples: readonly TokenisedExample[]; readonly size: ProbeSize } {
  const probe = firstTokens(examples, PROBE_TOKENS);
  const length = Math.max(1, ...probe.map(({ ids }) => ids.length));
  const rows = Math.max(1, Math.min(MOST_ROWS, probe.length, Math.floor(PROBE_TOKENS / length)));
  return { examples: probe, size: { ...followed, tokens: countTokens(probe), shape: { rows, length } } };
}

/** What the base model makes of a probe set. Holds 4 bytes a token, hidden number and place on the CPU. */
export interface ProbeBaseline {
  readonly model: Model;
  readonly size: ProbeSize;
  readonly batches: readonly Batch[];
  readonly examples: number;
  /** [tokens, hiddenSize] after each layer where states are followed, and final-normed. */
  readonly states: readonly Float32Array[];
  /** Of each of them where states are followed. */
  readonly planes: readonly StatePlane[];
}

/** @throws {RangeError} for fewer than four tokens */
export async function probeBaseline(model: Model, examples: TokenisedList, followed: Followed, padTokenId: number, measuring: Measuring = {}): Promise<ProbeBaseline> {
  const { examples: probe, size } = probeOf(examples, followed);
  const { tokens, shape } = size;
  if (tokens < 4) throw new RangeError(`Following states or predictions needs a probe set of at least four tokens; this one has ${tokens}.`);
  const batches = [...batchesOfShape(probe, { rows: shape.rows, seqLen: shape.length }, padTokenId)];
  const layers = layersOf(model, followed);
  const slices = new Slices(measuring, batches.length + (followed.states ? layers.length + 1 : 0));
  const states = await statesOf(model, model.weights, batches, { shape, layers, tokens }, slices);
  const planes = followed.states ? await planesOf(model.context, states, tokens, model.config.hiddenSize, slices) : [];
  return { model, size, batches, examples: probe.length, states, planes };
}

const layersOf = (model: Model, { states }: Followed): number[] => (states ? allLayers(model) : []);

/** One measurement. */
export interface Probed {
  /** In the order of the layers, the final-normed states last; absent where they are not followed. */
  readonly states?: readonly StateDrift[];
  readonly outputs?: Omit<OutputDrift, 'cost'>;
  readonly tokens: number;
  /** Time in the work itself, without waiting for turns. */
  readonly seconds: number;
}

/** Buffers and commands of a meter, before they are recorded. */
interface MeterPlan {
  readonly workspace: Workspace;
  readonly batch: BatchBuffers;
  readonly forward: readonly Call[];
  /** Where the states of a batch are after a forward pass, at each place. */
  readonly taps: readonly Slice[];
  readonly stateMeter: ReturnType<typeof planStateMeter> | undefined;
  readonly comparison: { readonly base: Slice; readonly calls: readonly Call[]; readonly drift: Slice } | undefined;
}

/** All that a meter holds on the device; on a context that only counts, its memory. */
export function planProbeMeter(context: Context, model: Model, weights: WeightSet, size: ProbeSize): MeterPlan {
  const { shape, tokens } = size;
  const { gpu, pool } = context;
  const { hiddenSize } = model.config;
  const workspace = new Workspace(context);
  const batch = new BatchBuffers(context, shape);
  const baseHeads: Tensor[] = [];
  const { graph, hidden, head, residuals, bindings } = decoderGraph(context, model, batch, shape, weights, (parts) => {
    baseHeads.push(parts.forwardOf(model.weights).head);
    return plainLoss(parts);
  });
  const tensors = [...layersOf(model, size).map((layer) => residuals[layer]!), hidden];
  const { calls, slices } = compile(graph, tensors, { facts: gpu.facts, pool, bindings });
  const inBatch = shape.rows * shape.length;
  const compare = (): MeterPlan['comparison'] => {
    const base = workspace.storage(inBatch * hiddenSize, 'base states');
    const side = (states: Slice, own: Tensor) => ({ hidden: states, head: bindings.get(own)!, headType: floatType(own) });
    return { base, ...comparisonCalls(workspace, model, inBatch, side(base, baseHeads[0]!), side(slices.get(hidden)!, head)) };
  };
  return {
    workspace,
    batch,
    forward: calls,
    taps: tensors.map((tensor) => slices.get(tensor)!),
    stateMeter: size.states ? planStateMeter(context, tokens, hiddenSize) : undefined,
    comparison: size.outputs ? compare() : undefined,
  };
}

/** Compares weights with a baseline as they are at each call. */
export class ProbeMeter {
  private constructor(
    private readonly context: Context,
    private readonly baseline: ProbeBaseline,
    private readonly plan: MeterPlan,
    private readonly program: Program,
    private readonly stateMeter: StateMeter | undefined,
  ) {}

  /** @param weights of the baseline's model, which may be under training */
  static async create(baseline: ProbeBaseline, weights: WeightSet): Promise<ProbeMeter> {
    const { model, size } = baseline;
    const context = childContext(model.context);
    try {
      const plan = planProbeMeter(context, model, weights, size);
      const program = await plan.workspace.record('probe', [...plan.forward, ...(plan.comparison?.calls ?? [])]);
      const stateMeter = plan.stateMeter && (await StateMeter.record(context, plan.stateMeter));
      return new ProbeMeter(context, baseline, plan, program, stateMeter);
    } catch (error) {
      context.pool.destroyAll();
      throw error;
    }
  }

  async measure(measuring: Measuring = {}): Promise<Probed> {
    const { baseline, stateMeter, plan } = this;
    const { model, size, batches, examples } = baseline;
    const places = stateMeter ? plan.taps.length : 0;
    const slices = new Slices(measuring, batches.length + places);
    const after = new StateRows(places, size.tokens, model.config.hiddenSize);
    const sums = plan.comparison && new DriftSums(examples);
    let at = 0;
    for (const batch of batches) {
      const from = at;
      const { states, drift } = await slices.run(() => this.#forward(batch, from));
      after.add(batch, states);
      if (drift) sums?.add(batch, drift);
      at += keptTokens(batch).length;
    }
    const { numHiddenLayers } = model.config;
    const drifts: StateDrift[] = [];
    if (stateMeter) {
      for (const [i, states] of after.places.entries()) {
        const drift = await slices.run(() => stateMeter.measure(baseline.states[i]!, baseline.planes[i]!, states));
        drifts.push({ ...(i < numHiddenLayers ? { layer: i } : {}), ...drift });
      }
    }
    return { ...(stateMeter ? { states: drifts } : {}), ...(sums ? { outputs: sums.means } : {}), tokens: size.tokens, seconds: slices.seconds };
  }

  destroy(): void {
    this.context.pool.destroyAll();
  }

  /** @param from place of the first token of the batch in the probe set */
  async #forward(batch: Batch, from: number): Promise<{ readonly states: readonly ArrayBuffer[]; readonly drift: Float32Array | undefined }> {
    const { gpu } = this.context;
    const { plan, stateMeter } = this;
    const { comparison } = plan;
    plan.batch.write(batch);
    if (comparison) gpu.device.queue.writeBuffer(comparison.base.buffer, comparison.base.offset, this.#baseRows(batch, from));
    this.program.replay();
    const read = await readBack(gpu.device, [...(stateMeter ? plan.taps : []), ...(comparison ? [comparison.drift] : [])]);
    gpu.assertHealthy();
    const drift = comparison && read.pop();
    return { states: read, drift: drift && new Float32Array(drift) };
  }

  /** Final-normed states of the base model where the tokens of a batch are; zeros for padding. */
  #baseRows(batch: Batch, from: number): Float32Array<ArrayBuffer> {
    const { model, size, states } = this.baseline;
    const width = model.config.hiddenSize;
    const rows = new Float32Array(size.shape.rows * size.shape.length * width);
    for (const [j, token] of keptTokens(batch).entries()) rows.set(states.at(-1)!.subarray((from + j) * width, (from + j + 1) * width), token * width);
    return rows;
  }
}
