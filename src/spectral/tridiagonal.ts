/**
 * @file Symmetric matrices of a batch to tridiagonal form and eigenvectors back, on the GPU: A = Q T Qᵀ by Householder reflectors whose updates are
 * collected over a panel (LAPACK's dsytrd), Q as blocks I - Vᵀ T V (compact WY form). T goes to the CPU, 2n numbers a matrix (eigen.ts).
 *
 * A third of the n³ is one matrix-vector product a step, which reads the matrix once and little else; the rest are matrix products. All matrices of the
 * batch go through each step together, two dispatches a step, so a GPU takes hardly longer for thirty than for one.
 */
import blockSource from '../../shaders/tridiagonal-block.wgsl?raw';
import productsSource from '../../shaders/tridiagonal-products.wgsl?raw';
import reflectSource from '../../shaders/tridiagonal-reflect.wgsl?raw';
import startSource from '../../shaders/tridiagonal-start.wgsl?raw';
import { ALIGNMENT, alignUp, readBack } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import { kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import { unroll } from '../gpu/unroll.ts';
import { rowLanes } from '../graph/rows.ts';
import type { Workspace } from './workspace.ts';

/** Steps whose updates of the matrix are collected; rows are padded with zeros to whole panels. */
const PANEL = 32;

/** Rows of the matrix that a workgroup multiplies with a reflector. */
const ROWS = 16;

/** Lanes of the one workgroup that makes a matrix's reflector. */
const reflectLanes = (facts: AdapterFacts): number => (facts.software ? rowLanes(facts) : 256);

/** T of one matrix over its trace, and the trace. */
export interface Tridiagonal {
  /** [n] */
  readonly diagonal: Float32Array;
  /** [n], the last entry is nothing */
  readonly offDiagonal: Float32Array;
  readonly trace: number;
}

/** n rounded up to whole panels: the size of the padded matrix, and of the eigenvectors that `backCalls` turns. */
export const paddedSize = (n: number): number => Math.ceil(n / PANEL) * PANEL;

/** What the reduction of some matrices holds, and its commands before they are recorded. */
export interface TridiagonalPlan {
  readonly size: { readonly batch: number; readonly n: number };
  /** [batch, 2 padded]: diagonal, then off-diagonal, over the trace; and [batch] traces */
  readonly tridiagonal: Slice;
  readonly traces: Slice;
  /** [batch, padded, padded]: reflector j in row j; and the panels of them times their triangular factors, negated */
  readonly reflectors: Slice;
  readonly scaled: Slice;
  /** The reduction is the start, a panel for every 32 columns, and the blocks of reflectors. */
  readonly start: readonly Call[];
  readonly panel: readonly Call[];
  readonly blocks: readonly Call[];
}

/** @param gram [batch, n, n], read on and above its diagonal */
export function planTridiagonalisation(workspace: Workspace, { batch, n }: TridiagonalPlan['size'], gram: Slice): TridiagonalPlan {
  const { facts } = workspace.context.gpu;
  const size = paddedSize(n);
  const panels = size / PANEL;
  const room = (elements: number, label: string): Slice => workspace.storage(batch * elements, label);
  const a = room(size * size, 'matrices to reduce');
  const reflectors = room(size * size, 'reflectors');
  const scaled = room(size * size, 'scaled reflectors');
  const factors = room(2 * PANEL * size, 'panel rows');
  const columns = room(2 * PANEL * size, 'panel columns');
  const products = room(size + 2 * PANEL, 'reflector products');
  const behind = room((size / ROWS) * size, 'reflector products behind');
  const tridiagonal = room(2 * size, 'tridiagonal form');
  const traces = room(1, 'traces');
  const steps = room(1, 'steps');
  const squares = room(panels * PANEL * PANEL, 'reflector squares');
  const triangles = room(panels * PANEL * PANEL, 'triangular factors');

  const lanes = rowLanes(facts);
  const reflect = (FINISH: boolean, BEGIN: boolean): Call => ({
    kernel: kernel('tridiagonal reflect', unroll(reflectSource, {}), ['read', 'read', 'write', 'write', 'write', 'write', 'write', 'read'], { SIZE: size, PANEL, LANES: reflectLanes(facts), ROWS, FINISH, BEGIN }),
    slices: [a, products, factors, columns, reflectors, tridiagonal, steps, behind],
    grid: [batch, 1, 1],
  });
  const multiply: Call = {
    kernel: kernel('tridiagonal products', unroll(productsSource, { ROWS }), ['read', 'read', 'read', 'read', 'write', 'write'], { SIZE: size, PANEL, LANES: lanes, ROWS }),
    slices: [a, factors, reflectors, steps, products, behind],
    grid: [(size + 2 * PANEL) / ROWS, batch, 1],
  };
  const each = { batch: batch * panels, a: { stride: PANEL * size } } as const;
  return {
    size: { batch, n },
    tridiagonal,
    traces,
    reflectors,
    scaled,
    start: [{ kernel: kernel('tridiagonal start', startSource, ['read', 'write', 'write', 'write'], { N: n, SIZE: size, ROWS, LANES: lanes }), slices: [gram, a, traces, steps], grid: [size / ROWS, 1, batch] }],
    panel: [
      reflect(false, true),
      ...Array.from({ length: PANEL - 1 }, () => [multiply, reflect(true, true)]).flat(),
      multiply,
      reflect(true, false),
      ...workspace.product({ layout: 'NN', m: size, n: size, k: 2 * PANEL, batch, accumulate: true, skip: 'leading' }, { a: columns, b: factors, c: a, starts: steps }),
    ],
    blocks: [
      ...workspace.product({ ...each, layout: 'NT', m: PANEL, n: PANEL, k: size }, { a: reflectors, b: reflectors, c: squares }),
      { kernel: kernel('tridiagonal block', blockSource, ['read', 'write'], { PANEL }), slices: [squares, triangles], grid: [batch * panels, 1, 1] },
      ...workspace.product({ layout: 'NN', m: PANEL, n: size, k: PANEL, batch: batch * panels }, { a: triangles, b: reflectors, c: scaled }),
    ],
  };
}

/** Eigenvectors of T [batch, padded, k] into those of the matrix, in place; rows from n on stay zero. */
export function backCalls(workspace: Workspace, { size: { batch, n }, reflectors, scaled }: TridiagonalPlan, vectors: Slice, k: number): Call[] {
  const size = paddedSize(n);
  const middle = workspace.storage(batch * PANEL * k, 'panel coefficients');
  // Reflectors of a panel are zero before it.
  const stride = alignUp(batch, ALIGNMENT / 4);
  const starts = workspace.upload(Uint32Array.from({ length: (size / PANEL) * stride }, (_, i) => Math.floor(i / stride) * PANEL), 'panel starts');
  const from = ({ buffer, offset, size: bytes }: Slice, panel: number): Slice => ({ buffer, offset: offset + 4 * panel * PANEL * size, size: bytes - 4 * panel * PANEL * size });
  const shape = { n: k, batch, a: { stride: size * size } } as const;
  const calls: Call[] = [];
  for (let panel = size / PANEL - 1; panel >= 0; panel -= 1) {
    const own = { buffer: starts.buffer, offset: starts.offset + 4 * panel * stride, size: 4 * batch };
    calls.push(
      ...workspace.product({ ...shape, layout: 'NN', m: PANEL, k: size, skip: 'terms' }, { a: from(scaled, panel), b: vectors, c: middle, starts: own }),
      ...workspace.product({ ...shape, layout: 'TN', m: size, k: PANEL, accumulate: true, skip: 'rows' }, { a: from(reflectors, panel), b: middle, c: vectors, starts: own }),
    );
  }
  return calls;
}

/** Reduces the matrices of a batch as often as asked. */
export class Tridiagonalisation {
  private constructor(
    private readonly context: Context,
    private readonly plan: TridiagonalPlan,
    private readonly programs: { readonly start: Program; readonly panel: Program; readonly blocks: Program },
  ) {}

  static async record(workspace: Workspace, plan: TridiagonalPlan): Promise<Tridiagonalisation> {
    const programs = {
      start: await workspace.record('tridiagonal start', plan.start),
      panel: await workspace.record('tridiagonal panel', plan.panel),
      blocks: await workspace.record('reflector blocks', plan.blocks),
    };
    return new Tridiagonalisation(workspace.context, plan, programs);
  }

  /** Submits the reduction of what the Gram matrices hold then. */
  replay(): void {
    const { start, panel, blocks } = this.programs;
    start.replay();
    for (let i = 0; i < paddedSize(this.plan.size.n) / PANEL; i += 1) panel.replay();
    blocks.replay();
  }

  /** T of every matrix. */
  async read(): Promise<Tridiagonal[]> {
    const { batch, n } = this.plan.size;
    const padded = paddedSize(n);
    const [both, traces] = (await readBack(this.context.gpu.device, [this.plan.tridiagonal, this.plan.traces])).map((bytes) => new Float32Array(bytes));
    return Array.from({ length: batch }, (_, z) => ({
      diagonal: both!.subarray(2 * z * padded, 2 * z * padded + n),
      offDiagonal: both!.subarray((2 * z + 1) * padded, (2 * z + 1) * padded + n),
      trace: traces![z]!,
    }));
  }
}
