/**
 * @file How far the hidden states of tuned weights have moved from those of the pretrained ones, on the same tokens: after
 * each layer (the residual stream) and before the head (final-normed). States of two models have no common axes but these
 * do, since one was trained from the other; CKA asks only for the geometry, cosine and PCA shift for the places as well.
 *
 * What grows with the square of the tokens runs on the GPU in f32, on states that the CPU has centred in f64.
 */
import productsSource from '../../shaders/gram-products.wgsl?raw';
import { batchesOfShape } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import { readFloats } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import type { BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import { BatchDecomposition } from './decompose.ts';
import { denseRoom } from './dense.ts';
import { Slices, type Cost, type Measuring } from './measuring.ts';
import { allLayers, countTokens, firstTokens, PROBE_TOKENS, statesOf } from './states.ts';
import { Workspace } from './workspace.ts';

export interface RepresentationOptions extends Measuring {
  /** Indices of the layers after which states are read; all when left out. The final-normed states always are. */
  readonly layers?: readonly number[] | undefined;
  /** Tokens of the probe set that are used, from its beginning; 1,024 when left out. Memory and time grow with it and its square. */
  readonly maxTokens?: number | undefined;
}

/** How far the states at one place have moved. */
export interface StateDrift {
  /** The layer before it; undefined for the final-normed states. */
  readonly layer?: number;
  /** Linear centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414): 1 for the same geometry up to rotation and scale. */
  readonly cka: number;
  /** Mean over tokens of the cosine between the states of the same token. */
  readonly cosine: number;
  /**
   * How far the mean state has moved in the plane of the base states' first two principal components, in units of the root
   * mean square distance of base states from their mean in that plane.
   */
  readonly pcaShift: number;
  /** Share of the base states' variance that lies in the plane. */
  readonly explained: number;
}

export interface RepresentationDrift {
  /** In the order of the layers, the final-normed states last. */
  readonly states: readonly StateDrift[];
  /** Tokens whose states were compared. */
  readonly tokens: number;
  readonly cost: Cost;
}

/**
 * Measures `weights` against the model's own. Holds 8 bytes a token, hidden number and place on the CPU, and on the GPU the
 * activations of one forward pass at a time.
 * @param shape rows and tokens a row of a forward pass
 * @throws {RangeError} for fewer than four tokens, an example that is longer than a row, or a layer that is not there
 */
export async function measureRepresentationDrift(model: Model, weights: WeightSet, examples: readonly TokenisedExample[], shape: BatchShape, padTokenId: number, options: RepresentationOptions = {}): Promise<RepresentationDrift> {
  const { numHiddenLayers, hiddenSize } = model.config;
  const layers = [...new Set(options.layers ?? allLayers(model))].toSorted((a, b) => a - b);
  const missing = layers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < numHiddenLayers));
  if (missing !== undefined) throw new RangeError(`This model has the layers 0 to ${numHiddenLayers - 1}, and ${missing} was asked for.`);
  const probe = firstTokens(examples, options.maxTokens ?? PROBE_TOKENS);
  const tokens = countTokens(probe);
  if (tokens < 4) throw new RangeError(`Representation drift needs a probe set of at least four tokens; this one has ${tokens}.`);
  const batches = [...batchesOfShape(probe, { rows: shape.rows, seqLen: shape.length }, padTokenId)];
  const places = [...layers.map((layer) => ({ layer })), {}];
  const slices = new Slices(options, 2 * (batches.length + places.length));
  const read = { shape, layers, tokens };
  const before = await statesOf(model, model.weights, batches, read, slices);
  const planes = await planesOf(model.context, before, tokens, hiddenSize, slices);
  const after = await statesOf(model, weights, batches, read, slices);
  const context = childContext(model.context);
  try {
    const meter = await StateMeter.record(context, planStateMeter(context, tokens, hiddenSize));
    const states: StateDrift[] = [];
    for (const [i, place] of places.entries()) states.push({ ...place, ...(await slices.run(() => meter.measure(before[i]!, planes[i]!, after[i]!))) });
    return { states, tokens, cost: { tokens: 2 * tokens, backwardTokens: 0, seconds: slices.seconds } };
  } finally {
    context.pool.destroyAll();
  }
}

/** The plane of the first two principal components of base states. */
export interface StatePlane {
  /** [width, 2], orthonormal columns */
  readonly directions: Float32Array;
  /** Sum over tokens of the squared distance from the mean, within the plane. */
  readonly variance: number;
}

/** The planes of states [tokens, width], a slice each. */
export async function planesOf(parent: Context, places: readonly Float32Array[], tokens: number, width: number, slices: Slices): Promise<StatePlane[]> {
  const context = childContext(parent);
  const { device } = context.gpu;
  try {
    const { values: room, batch } = denseRoom(context, { names: ['base'], rows: tokens, columns: width });
    const decomposition = await BatchDecomposition.create(context, room, batch, { k: 2 });
    const planes: StatePlane[] = [];
    for (const states of places) {
      planes.push(
        await slices.run(async () => {
          room.write(device, room.layout.weights[0]!, centred(states, tokens, width).states);
          await decomposition.run();
          const { v, sigma } = decomposition.basis;
          const [directions, values] = [await readFloats(device, v), await readFloats(device, sigma)];
          context.gpu.assertHealthy();
          return { directions, variance: values[0]! ** 2 + values[1]! ** 2 };
        }),
      );
    }
    return planes;
  } finally {
    context.pool.destroyAll();
  }
}

/** Room for two sets of states [tokens, width], and what compares their geometry. */
interface StateMeterPlan {
  readonly tokens: number;
  readonly width: number;
  readonly workspace: Workspace;
  readonly room: ParameterBuffers;
  readonly calls: readonly Call[];
  readonly partials: Slice;
}

export function planStateMeter(context: Context, tokens: number, width: number): StateMeterPlan {
  const workspace = new Workspace(context);
  const { values: room } = denseRoom(context, { names: ['base', 'tuned'], rows: tokens, columns: width });
  const size = tokens * tokens;
  const groups = Math.min(64, Math.ceil(size / 4096));
  const grams = workspace.storage(2 * size, 'gram matrices');
  const partials = workspace.storage(4 * groups * 64, 'gram products');
  const calls = [
    ...workspace.product({ layout: 'NT', m: tokens, n: tokens, k: width, batch: 2 }, { a: room.shards[0]!, b: room.shards[0]!, c: grams }),
    { kernel: kernel('gram products', productsSource, ['read', 'write'], { SIZE: size, GROUPS: groups }), slices: [grams, partials], grid: [groups, 1, 1] as const },
  ];
  return { tokens, width, workspace, room, calls, partials };
}

/** Compares states of two models at one place after the other. */
export class StateMeter {
  private constructor(
    private readonly context: Context,
    private readonly plan: StateMeterPlan,
    private readonly program: Program,
  ) {}

  static async record(context: Context, plan: StateMeterPlan): Promise<StateMeter> {
    return new StateMeter(context, plan, await plan.workspace.record('state drift', plan.calls));
  }

  /** @param before states [tokens, width] of the base model with their plane, `after` of the tuned one */
  async measure(before: Float32Array, plane: StatePlane, after: Float32Array): Promise<Omit<StateDrift, 'layer'>> {
    const { tokens, width, room, partials } = this.plan;
    const { gpu } = this.context;
    const own = [before, after].map((states) => centred(states, tokens, width));
    for (const [i, { states }] of own.entries()) room.write(gpu.device, room.layout.weights[i]!, states);
    this.program.replay();
    const products = await readFloats(gpu.device, partials);
    gpu.assertHealthy();
    const [ofBase, ofTuned, ofBoth] = [0, 1, 2].map((i) => products.reduce((sum, value, at) => (at % 4 === i ? sum + value : sum), 0)) as [number, number, number];
    const { directions, variance } = plane;
    const moved = [0, 1].map((i) => own[0]!.mean.reduce((sum, mean, j) => sum + (own[1]!.mean[j]! - mean) * directions[2 * j + i]!, 0));
    const whole = own[0]!.states.reduce((sum, value) => sum + value * value, 0);
    // States that are all the same have no geometry to differ in.
    const cka = ofBase > 0 && ofTuned > 0 ? ofBoth / Math.sqrt(ofBase * ofTuned) : Number(ofBase === ofTuned);
    return { cka, cosine: meanCosine(before, after, tokens, width), pcaShift: variance > 0 ? Math.hypot(...moved) / Math.sqrt(variance / tokens) : 0, explained: whole > 0 ? variance / whole : 0 };
  }
}

/** The states without their mean over tokens, and that. */
function centred(states: Float32Array, tokens: number, width: number): { readonly states: Float32Array<ArrayBuffer>; readonly mean: Float64Array } {
  const mean = new Float64Array(width);
  for (let i = 0; i < states.length; i += 1) mean[i % width]! += states[i]! / tokens;
  const own = new Float32Array(states.length);
  for (let i = 0; i < states.length; i += 1) own[i] = states[i]! - mean[i % width]!;
  return { states: own, mean };
}

function meanCosine(a: Float32Array, b: Float32Array, tokens: number, width: number): number {
  let total = 0;
  for (let token = 0; token < tokens; token += 1) {
    let [product, squaresA, squaresB] = [0, 0, 0];
    for (let i = token * width; i < (token + 1) * width; i += 1) {
      product += a[i]! * b[i]!;
      squaresA += a[i]! * a[i]!;
      squaresB += b[i]! * b[i]!;
    }
    total += product / (Math.sqrt(squaresA * squaresB) || 1);
  }
  return total / tokens;
}
