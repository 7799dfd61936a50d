/**
 * @file Fisher alignment: how much of what the loss is sensitive to lies between the leading singular directions of the
 * weights, which is why RPSFT holds those. With G the gradient of one example's mean loss on a matrix,
 * F_ij = E[(u_iᵀ G v_j)²] is the diagonal of the empirical Fisher information in the basis u_i v_jᵀ. Its sum over a whole
 * basis is E‖G‖² whatever the basis, so the share of the top-k block is E‖UᵀGV‖² / E‖G‖², k²/(mn) by chance.
 *
 * Gradients are those of single examples: the mean over a batch would cancel what differs between them. They stay on the
 * GPU; of each matrix and example only sums of squares come back.
 */
import energySource from '../../shaders/spectral-energy.wgsl?raw';
import { batchOf } from '../data/batches.ts';
import type { TokenisedExample } from '../data/tokenise.ts';
import { countTrained } from '../data/tokenStore.ts';
import { readBack } from '../gpu/buffers.ts';
import { childContext, type Context } from '../gpu/context.ts';
import { kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import { compile } from '../graph/compile.ts';
import { gradients } from '../graph/gradients.ts';
import { AdaptedWeights, merge } from '../models/adapter.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { Model } from '../models/model.ts';
import { ParameterBuffers, ParameterLayout, type MatrixBatch, type PlacedParameter } from '../models/parameters.ts';
import type { WeightSet } from '../models/weights.ts';
import { blockCalls } from './block.ts';
import { controlDirections, type ControlKind } from './controls.ts';
import type { Basis, Directions } from './decompose.ts';
import { placeOf } from './measures.ts';
import { Slices, type Cost, type Measuring } from './measuring.ts';
import { Workspace } from './workspace.ts';

export interface FisherOptions extends Measuring {
  /** What the top-k block is compared with; both when left out. Tail directions are dear for wide models (`controlDirections`). */
  readonly against?: readonly ControlKind[];
  /** Of the random directions. */
  readonly seed?: number;
}

/** The part of the Fisher information that lies in a block. */
export interface FisherShare {
  /** E‖UᵀGV‖² / E‖G‖² */
  readonly share: number;
  /** The share divided by the chance level: 1 for a block that says nothing. */
  readonly ratio: number;
  /** Of the share, over examples; absent with a single one. */
  readonly standardError?: number;
}

export interface MatrixFisher {
  readonly name: string;
  /** Undefined outside the layers. */
  readonly layer?: number;
  readonly module: string;
  readonly shape: readonly [number, number];
  readonly k: number;
  /** k²/(mn): the expected share of a random block. */
  readonly chance: number;
  /** E‖G‖² */
  readonly energy: number;
  readonly top: FisherShare;
  readonly random?: FisherShare;
  readonly tail?: FisherShare;
}

export interface FisherAlignment {
  /** In the order of the layout. */
  readonly matrices: readonly MatrixFisher[];
  /** All matrices together, each with the weight of its energy. */
  readonly whole: Pick<MatrixFisher, 'chance' | 'energy' | 'top' | 'random' | 'tail'>;
  /** Examples measured; those in which nothing is trained have no gradient and are left out. */
  readonly examples: number;
  readonly cost: Cost;
}

type Kind = 'top' | ControlKind;

/** One number of each example. */
type PerExample = number[];

interface Energies {
  readonly gradient: PerExample;
  readonly blocks: ReadonlyMap<Kind, PerExample>;
}

/**
 * Measures `weights` (the model's own, or tuned ones; adapters are merged) in the bases of the pretrained matrices. Holds
 * the gradients of these matrices in f32, and an f32 copy of weights in halves or with adapters. Each example takes a
 * forward and a backward pass of its own, padded to the longest.
 * @throws {RangeError} when there is no basis, or nothing is trained in any example
 */
export async function measureFisher(model: Model, weights: WeightSet, bases: readonly Basis[], examples: readonly TokenisedExample[], padTokenId: number, options: FisherOptions = {}): Promise<FisherAlignment> {
  const trained = examples.filter((example) => countTrained(example.trained) > 0);
  if (trained.length === 0) throw new RangeError('Fisher alignment needs examples with trained tokens; none of these has any. Choose other examples, or a longer maximum length.');
  if (bases.length === 0) throw new RangeError('Fisher alignment needs matrices whose k is below their smaller side; none is. Decompose with a smaller k.');
  const { against = ['random', 'tail'], seed = 0 } = options;
  const directions = against.length * bases.reduce((sum, { batch }) => sum + batch.names.length, 0);
  const slices = new Slices(options, directions + trained.length);
  const context = childContext(model.context);
  try {
    const kinds = new Map<Kind, readonly Directions[]>([['top', bases]]);
    for (const kind of against) kinds.set(kind, await slices.runFree((onProgress) => controlDirections(context, model.weights, bases, kind, seed, onProgress)));
    const length = Math.max(...trained.map(({ ids }) => ids.length));
    const meter = await FisherMeter.create(context, model, weights, kinds, length);
    for (const index of trained.keys()) await slices.run(() => meter.add(batchOf([index], trained, length, padTokenId)));
    const tokens = trained.reduce((sum, { ids }) => sum + ids.length, 0);
    const order = new Map(model.layout.weights.map(({ name }, i) => [name, i]));
    const matrices = bases.flatMap(({ batch, k }, b) => batch.names.map((name, z) => matrixFisher(name, batch, k, meter.energies[b]![z]!)));
    return {
      matrices: matrices.toSorted((a, b) => order.get(a.name)! - order.get(b.name)!),
      whole: wholeFisher(matrices, meter.energies.flat()),
      examples: trained.length,
      cost: { tokens, backwardTokens: tokens, seconds: slices.seconds },
    };
  } finally {
    context.pool.destroyAll();
  }
}

/** A program that takes one example to the energies of its gradients. */
class FisherMeter {
  /** By basis and matrix. */
  readonly energies: readonly (readonly Energies[])[];

  private constructor(
    private readonly context: Context,
    private readonly batch: BatchBuffers,
    private readonly program: Program,
    private readonly partials: readonly { readonly into: readonly PerExample[]; readonly slice: Slice }[],
    energies: readonly (readonly Energies[])[],
  ) {
    this.energies = energies;
  }

  static async create(context: Context, model: Model, weights: WeightSet, kinds: ReadonlyMap<Kind, readonly Directions[]>, length: number): Promise<FisherMeter> {
    const { gpu, pool } = context;
    const bases = kinds.get('top')!;
    const shape = { rows: 1, length };
    const batch = new BatchBuffers(context, shape);
    const { graph, nll, trainable, bindings } = decoderGraph(context, model, batch, shape, await plainWeights(context, weights));
    const rooms = gradientRooms(context, model.layout, new Set(bases.flatMap(({ batch: { names } }) => names)));
    const slots = new Map([...rooms.values()].flatMap((room) => room.layout.parameters.map((placed) => [trainable.get(placed.name)!, room.slice(placed)] as const)));
    const { of } = gradients(graph, nll, [...slots.keys()]);
    for (const [parameter, gradient] of of) bindings.set(gradient, slots.get(parameter)!);
    const { calls: passes } = compile(graph, [...of.values()], { facts: gpu.facts, pool, bindings });

    const workspace = new Workspace(context);
    const most = (elements: (basis: Directions) => number): number => Math.max(...bases.map(elements));
    const narrow = workspace.storage(most(({ batch: { names, rows, columns }, k }) => names.length * Math.min(rows, columns) * k), 'fisher projections');
    const block = workspace.storage(most(({ batch: { names }, k }) => names.length * k * k), 'fisher blocks');
    const partials: { into: PerExample[]; slice: Slice }[] = [];
    const sumSquares = (into: PerExample[], values: Slice, offsets: Slice, size: number): Call => {
      const groups = Math.min(64, Math.ceil(size / 4096));
      const slice = workspace.storage(into.length * groups * 64, 'fisher sums');
      partials.push({ into, slice });
      return { kernel: kernel('spectral energy', energySource, ['read', 'read', 'write'], { SIZE: size, GROUPS: groups }), slices: [values, offsets, slice], grid: [groups, 1, into.length] };
    };
    const energies: Energies[][] = [];
    const calls = [...passes];
    for (const [b, { batch: matrices, k }] of bases.entries()) {
      const own = matrices.names.map((): Energies => ({ gradient: [], blocks: new Map([...kinds.keys()].map((kind) => [kind, []])) }));
      energies.push(own);
      const room = rooms.get(matrices.shard)!;
      const offsets = offsetsIn(room, matrices);
      const inShard = workspace.inShard({ offsets });
      const inBlocks = workspace.upload(Uint32Array.from(offsets, (_, z) => z * k * k), 'block offsets');
      calls.push(sumSquares(own.map(({ gradient }) => gradient), room.shards[0]!, inShard.table, matrices.rows * matrices.columns));
      for (const [kind, directions] of kinds) {
        calls.push(
          ...blockCalls(workspace, { weights: room }, { ...directions[b]!, batch: { ...matrices, shard: 0, offsets } }, inShard, { narrow, block }),
          sumSquares(own.map(({ blocks }) => blocks.get(kind)!), block, inBlocks, k * k),
        );
      }
    }
    return new FisherMeter(context, batch, await workspace.record('fisher', calls), partials, energies);
  }

  /** Measures one example. */
  async add(example: Parameters<BatchBuffers['write']>[0]): Promise<void> {
    const { gpu } = this.context;
    this.batch.write(example);
    this.program.replay();
    const bytes = await readBack(gpu.device, this.partials.map(({ slice }) => slice));
    gpu.assertHealthy();
    for (const [i, { into }] of this.partials.entries()) {
      const sums = new Float32Array(bytes[i]!);
      const each = sums.length / into.length;
      for (const [z, values] of into.entries()) values.push(sum(sums.subarray(z * each, (z + 1) * each)));
    }
  }
}

/** Weights whose parameters have gradients: plain and in f32. */
async function plainWeights(context: Context, weights: WeightSet): Promise<WeightSet> {
  if (weights instanceof AdaptedWeights) return merge(context, weights);
  return weights.trained.precision === 'f32' ? weights : weights.copy(context);
}

/** Room for the gradients of the parameters that hold `names`, by shard of the model, so that the matrices of a batch lie in one buffer. */
function gradientRooms({ pool }: Context, layout: ParameterLayout, names: ReadonlySet<string>): Map<number, ParameterBuffers> {
  const byShard = new Map<number, PlacedParameter[]>();
  for (const placed of layout.parameters) {
    if (placed.parts.some(({ name }) => names.has(name))) byShard.set(placed.shard, [...(byShard.get(placed.shard) ?? []), placed]);
  }
  return new Map([...byShard].map(([shard, specs]) => [shard, new ParameterBuffers(new ParameterLayout(specs, Number.POSITIVE_INFINITY), pool, 'gradients', 'gradients')]));
}

function offsetsIn({ layout }: ParameterBuffers, { names }: MatrixBatch): number[] {
  const placed = new Map(layout.weights.map((weight) => [weight.name, weight.offset]));
  return names.map((name) => placed.get(name)!);
}

function matrixFisher(name: string, { rows, columns }: MatrixBatch, k: number, { gradient, blocks }: Energies): MatrixFisher {
  const chance = (k * k) / (rows * columns);
  return { name, ...placeOf(name), shape: [rows, columns], k, chance, energy: mean(gradient), ...sharesOf(gradient, blocks, chance) };
}

function wholeFisher(matrices: readonly MatrixFisher[], energies: readonly Energies[]): FisherAlignment['whole'] {
  const add = (lists: readonly PerExample[]): PerExample => lists[0]!.map((_, example) => sum(lists.map((list) => list[example]!)));
  const gradient = add(energies.map((each) => each.gradient));
  const blocks = new Map([...energies[0]!.blocks.keys()].map((kind) => [kind, add(energies.map((each) => each.blocks.get(kind)!))]));
  const energy = mean(gradient);
  const chance = energy > 0 ? sum(matrices.map((matrix) => matrix.chance * matrix.energy)) / energy : 0;
  return { chance, energy, ...sharesOf(gradient, blocks, chance) };
}

function sharesOf(gradient: PerExample, blocks: ReadonlyMap<Kind, PerExample>, chance: number): Pick<MatrixFisher, 'top' | 'random' | 'tail'> {
  const shares = Object.fromEntries([...blocks].map(([kind, block]) => [kind, shareOf(block, gradient, chance)])) as Partial<Record<Kind, FisherShare>>;
  return { ...shares, top: shares.top! };
}

/** A ratio of means with the standard error of its linearisation (Cochran, Sampling Techniques, section 2.11). */
function shareOf(block: PerExample, gradient: PerExample, chance: number): FisherShare {
  const energy = mean(gradient);
  if (energy === 0) return { share: 0, ratio: 0 };
  const share = mean(block) / energy;
  const count = block.length;
  const residuals = sum(block.map((value, i) => (value - share * gradient[i]!) ** 2));
  return { share, ratio: share / chance, ...(count > 1 ? { standardError: Math.sqrt(residuals / (count * (count - 1))) / energy } : {}) };
}

const sum = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += values[i]!;
  return total;
};
const mean = (values: PerExample): number => sum(values) / values.length;
