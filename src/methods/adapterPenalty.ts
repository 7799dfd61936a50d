/**
 * @file The penalties on adapted weights, W - W0 = s B A, from the factors alone: no matrix of a weight's size and none of
 * a block's is ever formed.
 *
 * RPSFT: with P = UᵀB [k, r] and Q = A V [r, k], λ ‖Uᵀ(s B A)V‖² = λ s² tr((PᵀP)(Q Qᵀ)), its gradient on B is
 * 2λs² U P (Q Qᵀ) and on A 2λs² (PᵀP) Q Vᵀ: about 4(m + n)kr operations a matrix. L2-SP is the same with P = B, Q = A.
 * Where B is zero, as in a fresh adapter, so are the value and both gradients.
 */
import adapterSource from '../../shaders/penalty-adapter.wgsl?raw';
import { f32Constant, kernel, linearGrid, type Call, type Slice } from '../gpu/kernel.ts';
import type { AdaptedModule, AdaptedWeights } from '../models/adapter.ts';
import type { PlacedWeight } from '../models/parameters.ts';
import type { Basis, Decomposition } from '../spectral/decompose.ts';
import { Workspace } from '../spectral/workspace.ts';
import { partialCount, partialSums, type Penalty, type PenaltyTargets } from './penalty.ts';

export interface AdapterTargets extends PenaltyTargets {
  readonly weights: AdaptedWeights;
}

/** Adapters of layers of one shape, whose A lie in one shard and whose B do. */
interface Run {
  readonly modules: readonly AdaptedModule[];
  readonly rows: number;
  readonly columns: number;
  /** The singular bases of these layers, from matrix `first` of the basis on; without it the whole change is penalised. */
  readonly basis?: { readonly of: Basis; readonly first: number };
}

const CHUNK = 4096;

/** λ Σ ‖Uᵀ(s B A)V‖² over the adapted layers that `decomposition` has, ‖s B A‖² where it calls them degenerate. */
export function rpsftOfAdapter(targets: AdapterTargets, { bases, degenerate }: Decomposition): Penalty {
  const whole = new Set(degenerate.flatMap(({ names }) => names));
  const free = targets.weights.modules.filter((adapted) => whole.has(weightName(adapted)));
  return penaltyOf(targets, [...bases.flatMap((basis) => runsOf(targets.weights, basis)), ...runsOfShape(free)]);
}

/** λ Σ ‖s B A‖² over the adapted layers. */
export const l2spOfAdapter = (targets: AdapterTargets): Penalty => penaltyOf(targets, runsOfShape(targets.weights.modules));

const weightName = ({ linear }: AdaptedModule): string => `${linear.module}.weight`;

/** The adapted layers of a basis as runs of neighbours in it whose factors share their shards. */
function runsOf({ modules }: AdaptedWeights, basis: Basis): Run[] {
  const byName = new Map(modules.map((adapted) => [weightName(adapted), adapted]));
  const { names, rows, columns } = basis.batch;
  const runs: (Run & { readonly modules: AdaptedModule[] })[] = [];
  let open = false;
  for (const [z, name] of names.entries()) {
    const adapted = byName.get(name);
    const run = runs.at(-1);
    if (adapted && open && run && sharesShards(run.modules[0]!, adapted)) run.modules.push(adapted);
    else if (adapted) runs.push({ modules: [adapted], rows, columns, basis: { of: basis, first: z } });
    open = adapted !== undefined;
  }
  return runs;
}

function runsOfShape(modules: readonly AdaptedModule[]): Run[] {
  const runs: (Run & { readonly modules: AdaptedModule[] })[] = [];
  for (const adapted of modules) {
    const { rows, columns } = adapted.linear;
    const run = runs.find((other) => other.rows === rows && other.columns === columns && sharesShards(other.modules[0]!, adapted));
    if (run) run.modules.push(adapted);
    else runs.push({ modules: [adapted], rows, columns });
  }
  return runs;
}

const sharesShards = (one: AdaptedModule, other: AdaptedModule): boolean => one.a.shard === other.a.shard && one.b.shard === other.b.shard;

function penaltyOf(targets: AdapterTargets, runs: readonly Run[]): Penalty {
  const workspace = new Workspace(targets.context);
  const { r } = targets.weights.settings;
  const { ranges, sum } = partialSums(workspace, targets, runs.map((run) => partialCount(run.modules.length * r * r, CHUNK)));
  // One run after the other, so that all share the room of the largest.
  const room = (elements: (run: Run) => number, label: string): Slice => workspace.storage(Math.max(1, ...runs.map(elements)), label);
  const square = (run: Run): number => run.modules.length * r * r;
  const narrow = (run: Run): number => run.modules.length * r * (run.basis?.of.k ?? 0);
  const rooms: Rooms = {
    gramA: room(square, 'Gram matrices of A'),
    gramB: room(square, 'Gram matrices of B'),
    p: room(narrow, 'projections of B'),
    q: room(narrow, 'projections of A'),
    product: room(narrow, 'projections times Gram matrices'),
  };
  return { calls: [...runs.flatMap((run, i) => runCalls(workspace, targets, run, rooms, ranges[i]!)), sum], value: targets.value };
}

type Rooms = Readonly<Record<'gramA' | 'gramB' | 'p' | 'q' | 'product', Slice>>;

function runCalls(workspace: Workspace, targets: AdapterTargets, run: Run, rooms: Rooms, partials: Slice): Call[] {
  const { weights, gradients, lambda } = targets;
  const { r } = weights.settings;
  const { modules, rows, columns, basis } = run;
  const batch = modules.length;
  const a = placesOf(workspace, modules.map((adapted) => adapted.a));
  const b = placesOf(workspace, modules.map((adapted) => adapted.b));
  const [valuesA, valuesB] = [weights.trained.shards[a.shard]!, weights.trained.shards[b.shard]!];
  const [intoA, intoB] = [gradients.shards[a.shard]!, gradients.shards[b.shard]!];
  const gramA = { ...rooms.gramA, size: 4 * batch * r * r };
  const gramB = { ...rooms.gramB, size: 4 * batch * r * r };
  const [x, y] = linearGrid(Math.ceil((batch * r * r) / CHUNK), 1);
  const scaleGrams: Call = {
    kernel: kernel('penalty adapter', adapterSource, ['uniform', 'write', 'write', 'write'], { SQUARED_SCALE: f32Constant(weights.scale ** 2), CHUNK }),
    slices: [lambda, gramB, gramA, partials],
    grid: [x, y, 1],
  };
  if (!basis) {
    return [
      ...workspace.product({ ...b.shape, a: 'table', b: 'table', layout: 'TN', m: r, n: r, k: rows }, { a: valuesB, b: valuesB, c: gramB, table: b.table }),
      ...workspace.product({ ...a.shape, a: 'table', b: 'table', layout: 'NT', m: r, n: r, k: columns }, { a: valuesA, b: valuesA, c: gramA, table: a.table }),
      scaleGrams,
      ...workspace.product({ ...b.shape, a: 'table', c: 'table', accumulate: true, layout: 'NN', m: rows, n: r, k: r }, { a: valuesB, b: gramA, c: intoB, table: b.table }),
      ...workspace.product({ ...a.shape, b: 'table', c: 'table', accumulate: true, layout: 'NN', m: r, n: columns, k: r }, { a: gramB, b: valuesA, c: intoA, table: a.table }),
    ];
  }
  const { of: { k, u, v }, first } = basis;
  const ofU = { offset: first * rows * k, stride: rows * k };
  const ofV = { offset: first * columns * k, stride: columns * k };
  const { p, q, product } = rooms;
  return [
    ...workspace.product({ ...b.shape, a: ofU, b: 'table', layout: 'TN', m: k, n: r, k: rows }, { a: u, b: valuesB, c: p, table: b.table }),
    ...workspace.product({ ...a.shape, a: 'table', b: ofV, layout: 'NN', m: r, n: k, k: columns }, { a: valuesA, b: v, c: q, table: a.table }),
    ...workspace.product({ batch, layout: 'TN', m: r, n: r, k }, { a: p, b: p, c: gramB }),
    ...workspace.product({ batch, layout: 'NT', m: r, n: r, k }, { a: q, b: q, c: gramA }),
    scaleGrams,
    ...workspace.product({ batch, layout: 'NN', m: k, n: r, k: r }, { a: p, b: gramA, c: product }),
    ...workspace.product({ ...b.shape, a: ofU, c: 'table', accumulate: true, layout: 'NN', m: rows, n: r, k }, { a: u, b: product, c: intoB, table: b.table }),
    ...workspace.product({ batch, layout: 'NN', m: r, n: k, k: r }, { a: gramB, b: q, c: product }),
    ...workspace.product({ ...a.shape, b: ofV, c: 'table', accumulate: true, layout: 'NT', m: r, n: columns, k }, { a: product, b: v, c: intoA, table: a.table }),
  ];
}

function placesOf(workspace: Workspace, weights: readonly PlacedWeight[]) {
  const { shape, table } = workspace.inShard({ offsets: weights.map(({ offset }) => offset) });
  return { shard: weights[0]!.shard, shape, table };
}
