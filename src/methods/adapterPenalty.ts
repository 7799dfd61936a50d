/**
 * @file The penalties on adapted weights, W - W0 = s B A, from the factors alone: no matrix of a weight's size and none of
 * a block's is ever formed.
 *
 * RPSFT: with P = UᵀB [k, r] and Q = A V [r, k], λ ‖Uᵀ(s B A)V‖² = λ s² tr((PᵀP)(Q Qᵀ)), its gradient on B is
 * 2λs² U P (Q Qᵀ) and on A 2λs² (PᵀP) Q Vᵀ: about 4(m + n)kr operations a matrix. L2-SP is the same with P = B, Q = A.
 * Two-sided RPSFT is the sum of two such terms, of P with A, and of B - U P with Q: the last has the gradient
 * 2λs² (B - U P)(Q Qᵀ) on B, since projecting twice is projecting once. Where B is zero, as in a fresh adapter, so are the
 * value and both gradients.
 */
import adapterSource from '../../shaders/penalty-adapter.wgsl?raw';
import outsideSource from '../../shaders/penalty-outside.wgsl?raw';
import { f32Constant, kernel, linearGrid, type Call, type Slice } from '../gpu/kernel.ts';
import type { AdaptedModule, AdaptedWeights } from '../models/adapter.ts';
import type { PlacedWeight } from '../models/parameters.ts';
import type { Directions } from '../spectral/decompose.ts';
import { Workspace } from '../spectral/workspace.ts';
import { partialCount, partialSums, type HeldDirections, type Penalty, type PenaltyTargets } from './penalty.ts';

export interface AdapterTargets extends PenaltyTargets {
  readonly weights: AdaptedWeights;
}

/** Adapters of layers of one shape, whose A lie in one shard and whose B do. */
interface Run {
  readonly modules: readonly AdaptedModule[];
  readonly rows: number;
  readonly columns: number;
  /** The singular bases of these layers, from matrix `first` of the basis on; without it the whole change is penalised. */
  readonly basis?: { readonly of: Directions; readonly first: number };
}

const CHUNK = 4096;

/** Of each factor, what counts: all of it, or what lies inside or outside the directions that are held. */
interface Term {
  readonly b: 'whole' | 'inside' | 'outside';
  readonly a: 'whole' | 'inside';
}

const WHOLE: readonly Term[] = [{ b: 'whole', a: 'whole' }];
const BLOCK: readonly Term[] = [{ b: 'inside', a: 'inside' }];
const TWO_SIDED: readonly Term[] = [
  { b: 'inside', a: 'whole' },
  { b: 'outside', a: 'inside' },
];

/** λ Σ ‖Uᵀ(s B A)V‖² over the adapted layers that `directions` has, ‖s B A‖² where it calls them degenerate. */
export const rpsftOfAdapter = (targets: AdapterTargets, directions: HeldDirections): Penalty => penaltyOf(targets, heldRuns(targets, directions), BLOCK);

/** λ Σ ‖Uᵀ(s B A)‖² + ‖(I - U Uᵀ)(s B A)V‖² over the same layers. */
export const twoSidedOfAdapter = (targets: AdapterTargets, directions: HeldDirections): Penalty => penaltyOf(targets, heldRuns(targets, directions), TWO_SIDED);

/** λ Σ ‖s B A‖² over the adapted layers. */
export const l2spOfAdapter = (targets: AdapterTargets): Penalty => penaltyOf(targets, runsOfShape(targets.weights.modules), WHOLE);

function heldRuns({ weights }: AdapterTargets, { bases, degenerate }: HeldDirections): Run[] {
  const whole = new Set(degenerate.flatMap(({ names }) => names));
  return [...bases.flatMap((basis) => runsOf(weights, basis)), ...runsOfShape(weights.modules.filter((adapted) => whole.has(weightName(adapted))))];
}

const weightName = ({ linear }: AdaptedModule): string => `${linear.module}.weight`;

/** The adapted layers of a basis as runs of neighbours in it whose factors share their shards. */
function runsOf({ modules }: AdaptedWeights, basis: Directions): Run[] {
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

/** @param terms for layers with directions; of the others the whole change counts */
function penaltyOf(targets: AdapterTargets, runs: readonly Run[], terms: readonly Term[]): Penalty {
  const workspace = new Workspace(targets.context);
  const { r } = targets.weights.settings;
  const square = (run: Run): number => run.modules.length * r * r;
  const parts = runs.flatMap((run) => (run.basis ? terms : WHOLE).map((term) => ({ run, term })));
  const { ranges, sum } = partialSums(workspace, targets, parts.map(({ run }) => partialCount(square(run), CHUNK)));
  // One run after the other, so that all share the room of the largest.
  const room = (elements: (run: Run) => number, label: string): Slice => workspace.storage(Math.max(1, ...runs.map(elements)), label);
  const narrow = (run: Run): number => run.modules.length * r * (run.basis?.of.k ?? 0);
  const rooms: Rooms = {
    gramA: room(square, 'Gram matrices of A'),
    gramB: room(square, 'Gram matrices of B'),
    p: room(narrow, 'projections of B'),
    q: room(narrow, 'projections of A'),
    product: room(narrow, 'projections times Gram matrices'),
    outside: room((run) => (terms.some(({ b }) => b === 'outside') && run.basis ? run.modules.length * run.rows * r : 0), 'B less its projections'),
  };
  return { calls: [...parts.flatMap(({ run, term }, i) => termCalls(workspace, targets, run, term, rooms, ranges[i]!)), sum], value: targets.value };
}

type Rooms = Readonly<Record<'gramA' | 'gramB' | 'p' | 'q' | 'product' | 'outside', Slice>>;

function termCalls(workspace: Workspace, targets: AdapterTargets, run: Run, term: Term, rooms: Rooms, partials: Slice): Call[] {
  const { weights, gradients, lambda } = targets;
  const { r } = weights.settings;
  const { modules, rows, columns } = run;
  const batch = modules.length;
  const a = placesOf(workspace, modules.map((adapted) => adapted.a));
  const b = placesOf(workspace, modules.map((adapted) => adapted.b));
  const [valuesA, valuesB] = [weights.trained.shards[a.shard]!, weights.trained.shards[b.shard]!];
  const [ontoA, ontoB] = [{ c: gradients.shards[a.shard]!, table: a.table }, { c: gradients.shards[b.shard]!, table: b.table }];
  const { p, q, product } = rooms;
  const gramA = { ...rooms.gramA, size: 4 * batch * r * r };
  const gramB = { ...rooms.gramB, size: 4 * batch * r * r };
  const outside = { ...rooms.outside, size: 4 * batch * rows * r };
  const { k, u, v } = run.basis?.of ?? { k: 0, u: p, v: q };
  const first = run.basis?.first ?? 0;
  const ofU = { offset: first * rows * k, stride: rows * k };
  const ofV = { offset: first * columns * k, stride: columns * k };
  const inside = (): Call[] => workspace.product({ ...b.shape, a: ofU, b: 'table', layout: 'TN', m: k, n: r, k: rows }, { a: u, b: valuesB, c: p, table: b.table });
  const [x, y] = linearGrid(Math.ceil((batch * r * r) / CHUNK), 1);
  const scaleGrams: Call = {
    kernel: kernel('penalty adapter', adapterSource, ['uniform', 'write', 'write', 'write'], { SQUARED_SCALE: f32Constant(weights.scale ** 2), CHUNK }),
    slices: [lambda, gramB, gramA, partials],
    grid: [x, y, 1],
  };
  /** For each choice of B the calls of its Gram matrix, and those of its gradient from that of A. */
  const ofB: Readonly<Record<Term['b'], () => readonly [gram: Call[], gradient: Call[]]>> = {
    whole: () => [
      workspace.product({ ...b.shape, a: 'table', b: 'table', layout: 'TN', m: r, n: r, k: rows }, { a: valuesB, b: valuesB, c: gramB, table: b.table }),
      workspace.product({ ...b.shape, a: 'table', c: 'table', accumulate: true, layout: 'NN', m: rows, n: r, k: r }, { a: valuesB, b: gramA, ...ontoB }),
    ],
    inside: () => [
      [...inside(), ...workspace.product({ batch, layout: 'TN', m: r, n: r, k }, { a: p, b: p, c: gramB })],
      [
        ...workspace.product({ batch, layout: 'NN', m: k, n: r, k: r }, { a: p, b: gramA, c: product }),
        ...workspace.product({ ...b.shape, a: ofU, c: 'table', accumulate: true, layout: 'NN', m: rows, n: r, k }, { a: u, b: product, ...ontoB }),
      ],
    ],
    outside: () => [
      [
        ...inside(),
        ...workspace.product({ batch, a: ofU, layout: 'NN', m: rows, n: r, k }, { a: u, b: p, c: outside }),
        { kernel: kernel('penalty outside', outsideSource, ['read', 'read', 'write'], { SIZE: rows * r }), slices: [valuesB, b.table, outside], grid: [Math.ceil((rows * r) / 64), batch, 1] },
        ...workspace.product({ batch, layout: 'TN', m: r, n: r, k: rows }, { a: outside, b: outside, c: gramB }),
      ],
      workspace.product({ ...b.shape, c: 'table', accumulate: true, layout: 'NN', m: rows, n: r, k: r }, { a: outside, b: gramA, ...ontoB }),
    ],
  };
  const ofA: Readonly<Record<Term['a'], () => readonly [gram: Call[], gradient: Call[]]>> = {
    whole: () => [
      workspace.product({ ...a.shape, a: 'table', b: 'table', layout: 'NT', m: r, n: r, k: columns }, { a: valuesA, b: valuesA, c: gramA, table: a.table }),
      workspace.product({ ...a.shape, b: 'table', c: 'table', accumulate: true, layout: 'NN', m: r, n: columns, k: r }, { a: gramB, b: valuesA, ...ontoA }),
    ],
    inside: () => [
      [
        ...workspace.product({ ...a.shape, a: 'table', b: ofV, layout: 'NN', m: r, n: k, k: columns }, { a: valuesA, b: v, c: q, table: a.table }),
        ...workspace.product({ batch, layout: 'NT', m: r, n: r, k }, { a: q, b: q, c: gramA }),
      ],
      [
        ...workspace.product({ batch, layout: 'NN', m: r, n: k, k: r }, { a: gramB, b: q, c: product }),
        ...workspace.product({ ...a.shape, b: ofV, c: 'table', accumulate: true, layout: 'NT', m: r, n: columns, k }, { a: product, b: v, ...ontoA }),
      ],
    ],
  };
  const [[gramOfB, gradientOfB], [gramOfA, gradientOfA]] = [ofB[term.b](), ofA[term.a]()];
  return [...gramOfB, ...gramOfA, scaleGrams, ...gradientOfB, ...gradientOfA];
}

function placesOf(workspace: Workspace, weights: readonly PlacedWeight[]) {
  const { shape, table } = workspace.inShard({ offsets: weights.map(({ offset }) => offset) });
  return { shard: weights[0]!.shard, shape, table };
}
