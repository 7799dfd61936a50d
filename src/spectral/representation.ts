/**
 * @file How far the hidden states of tuned weights have moved from those of the pretrained ones, on the same tokens: after
 * each layer (the residual stream) and before the head (final-normed). States of two models have no common axes but these
 * do, since one was trained from the other; CKA asks only for the geometry, cosine and PCA shift for the places as well.
 *
 * What grows with the square of the tokens runs on the GPU in f32, on states that the CPU has centred in f64.
 */
import productsSource from '../../shaders/gram-products.wgsl?raw';
import { batchesOfShape, type Batch } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import { readBack, readFloats } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { kernel, type Slice } from '../gpu/kernel.ts';
import { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import { BatchBuffers, decoderGraph, type BatchShape } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import { BatchDecomposition } from './decompose.ts';
import { denseRoom } from './dense.ts';
import { Slices, type Cost, type Measuring } from './measuring.ts';
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

const MAX_TOKENS = 1024;

/**
 * Measures `weights` against the model's own. Holds 8 bytes a token, hidden number and place on the CPU, and on the GPU the
 * activations of one forward pass at a time.
 * @param shape rows and tokens a row of a forward pass
 * @throws {RangeError} for fewer than four tokens, an example that is longer than a row, or a layer that is not there
 */
export async function measureRepresentationDrift(model: Model, weights: WeightSet, examples: readonly TokenisedExample[], shape: BatchShape, padTokenId: number, options: RepresentationOptions = {}): Promise<RepresentationDrift> {
  const { numHiddenLayers, hiddenSize } = model.config;
  const layers = [...new Set(options.layers ?? Array.from({ length: numHiddenLayers }, (_, layer) => layer))].toSorted((a, b) => a - b);
  const missing = layers.find((layer) => !(Number.isInteger(layer) && layer >= 0 && layer < numHiddenLayers));
  if (missing !== undefined) throw new RangeError(`This model has the layers 0 to ${numHiddenLayers - 1}, and ${missing} was asked for.`);
  const probe = firstTokens(examples, options.maxTokens ?? MAX_TOKENS);
  const tokens = probe.reduce((sum, { ids }) => sum + ids.length, 0);
  if (tokens < 4) throw new RangeError(`Representation drift needs a probe set of at least four tokens; this one has ${tokens}.`);
  const batches = [...batchesOfShape(probe, { rows: shape.rows, seqLen: shape.length }, padTokenId)];
  const places = [...layers.map((layer) => ({ layer })), {}];
  const slices = new Slices(options, 2 * batches.length + places.length);
  const before = await statesOf(model, model.weights, batches, { shape, layers, tokens }, slices);
  const after = await statesOf(model, weights, batches, { shape, layers, tokens }, slices);
  const context = childContext(model.context);
  try {
    const meter = await StateMeter.create(context, tokens, hiddenSize);
    const states: StateDrift[] = [];
    for (const [i, place] of places.entries()) states.push({ ...place, ...(await slices.run(() => meter.measure(before[i]!, after[i]!))) });
    return { states, tokens, cost: { tokens: 2 * tokens, backwardTokens: 0, seconds: slices.seconds } };
  } finally {
    context.pool.destroyAll();
  }
}

/** The first examples of `count` tokens together, the last of them cut. */
function firstTokens(examples: readonly TokenisedExample[], count: number): TokenisedExample[] {
  const first: TokenisedExample[] = [];
  let left = count;
  for (const { ids, trained, truncated } of examples) {
    if (left <= 0) break;
    first.push({ ids: ids.slice(0, left), trained: trained.slice(0, left), truncated: truncated || ids.length > left });
    left -= ids.length;
  }
  return first;
}

/** Hidden states [tokens, hiddenSize] after each of `layers` and final-normed, of all tokens that are no padding. */
async function statesOf(model: Model, weights: WeightSet, batches: readonly Batch[], { shape, layers, tokens }: { readonly shape: BatchShape; readonly layers: readonly number[]; readonly tokens: number }, slices: Slices): Promise<Float32Array<ArrayBuffer>[]> {
  const width = model.config.hiddenSize;
  const context = childContext(model.context);
  const { gpu, pool, pipelines } = context;
  try {
    const buffers = new BatchBuffers(context, shape);
    const { graph, hidden, residuals, bindings } = decoderGraph(context, model, buffers, shape, weights);
    const taps = [...layers.map((layer) => residuals[layer]!), hidden];
    const compiled = compile(graph, taps, { facts: gpu.facts, pool, bindings });
    const program = await Program.record(gpu.device, pipelines, 'hidden states', compiled.calls);
    const states = taps.map(() => new Float32Array(tokens * width));
    let at = 0;
    for (const batch of batches) {
      const read = await slices.run(async () => {
        buffers.write(batch);
        program.replay();
        const bytes = await readBack(gpu.device, taps.map((tap) => compiled.slices.get(tap)!));
        gpu.assertHealthy();
        return bytes;
      });
      const kept = [...batch.exampleOf.keys()].filter((token) => batch.exampleOf[token]! >= 0);
      for (const [i, bytes] of read.entries()) {
        const rows = new Float32Array(bytes);
        for (const [j, token] of kept.entries()) states[i]!.set(rows.subarray(token * width, (token + 1) * width), (at + j) * width);
      }
      at += kept.length;
    }
    return states;
  } finally {
    pool.destroyAll();
  }
}

/** Room and programs for two sets of states [tokens, width]. */
class StateMeter {
  private constructor(
    private readonly context: Context,
    private readonly tokens: number,
    private readonly width: number,
    private readonly room: ParameterBuffers,
    private readonly decomposition: BatchDecomposition,
    private readonly program: Program,
    private readonly partials: Slice,
  ) {}

  static async create(context: Context, tokens: number, width: number): Promise<StateMeter> {
    const workspace = new Workspace(context);
    const { values: room, batch } = denseRoom(context, { names: ['base', 'tuned'], rows: tokens, columns: width });
    const decomposition = await BatchDecomposition.create(context, room, { ...batch, names: ['base'], offsets: [0] }, { k: 2 });
    const size = tokens * tokens;
    const groups = Math.min(64, Math.ceil(size / 4096));
    const grams = workspace.storage(2 * size, 'gram matrices');
    const partials = workspace.storage(4 * groups * 64, 'gram products');
    const program = await workspace.record('state drift', [
      ...workspace.product({ layout: 'NT', m: tokens, n: tokens, k: width, batch: 2 }, { a: room.shards[0]!, b: room.shards[0]!, c: grams }),
      { kernel: kernel('gram products', productsSource, ['read', 'write'], { SIZE: size, GROUPS: groups }), slices: [grams, partials], grid: [groups, 1, 1] },
    ]);
    return new StateMeter(context, tokens, width, room, decomposition, program, partials);
  }

  /** @param before states [tokens, width] of the base model, `after` of the tuned one; both are centred in place */
  async measure(before: Float32Array<ArrayBuffer>, after: Float32Array<ArrayBuffer>): Promise<Omit<StateDrift, 'layer'>> {
    const { tokens, width, room } = this;
    const { gpu } = this.context;
    const cosine = meanCosine(before, after, tokens, width);
    const [meanBefore, meanAfter] = [centre(before, tokens, width), centre(after, tokens, width)];
    for (const [i, states] of [before, after].entries()) room.write(gpu.device, room.layout.weights[i]!, states);
    this.program.replay();
    await this.decomposition.run();
    const { v, sigma } = this.decomposition.basis;
    const [partials, plane, values] = [await readFloats(gpu.device, this.partials), await readFloats(gpu.device, v), await readFloats(gpu.device, sigma)];
    gpu.assertHealthy();
    const [ofBase, ofTuned, ofBoth] = [0, 1, 2].map((i) => partials.reduce((sum, value, at) => (at % 4 === i ? sum + value : sum), 0)) as [number, number, number];
    const variance = values[0]! ** 2 + values[1]! ** 2;
    const moved = [0, 1].map((i) => meanBefore.reduce((sum, mean, j) => sum + (meanAfter[j]! - mean) * plane[2 * j + i]!, 0));
    const whole = before.reduce((sum, value) => sum + value * value, 0);
    // States that are all the same have no geometry to differ in.
    const cka = ofBase > 0 && ofTuned > 0 ? ofBoth / Math.sqrt(ofBase * ofTuned) : Number(ofBase === ofTuned);
    return { cka, cosine, pcaShift: variance > 0 ? Math.hypot(...moved) / Math.sqrt(variance / tokens) : 0, explained: whole > 0 ? variance / whole : 0 };
  }
}

/** Subtracts the mean over tokens, which it returns. */
function centre(states: Float32Array, tokens: number, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < states.length; i += 1) mean[i % width]! += states[i]! / tokens;
  for (let i = 0; i < states.length; i += 1) states[i]! -= mean[i % width]!;
  return mean;
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
