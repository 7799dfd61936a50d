/**
 * @file Matrix products on row-major matrices: which kernel a shape gets, and the dispatches that compute it. Operands may
 * be stored as halves; products are f32.
 *
 * One set of shaders is specialised per shape. `G` works straight from global memory with no barriers; `M` and `L`
 * stage tiles in workgroup memory for real GPUs (tile sizes from the measurements gathered for the engine). A long k
 * with few workgroups, as in weight gradients, is split, and the partial sums are added in a fixed order.
 */
import directSource from '../../shaders/matmul-direct.wgsl?raw';
import fewRowsSource from '../../shaders/matmul-few-rows.wgsl?raw';
import operandsSource from '../../shaders/matmul-operands.wgsl?raw';
import reducedRowsSource from '../../shaders/matmul-reduced-rows.wgsl?raw';
import sumPartialsSource from '../../shaders/matmul-sum-partials.wgsl?raw';
import tiledSource from '../../shaders/matmul-tiled.wgsl?raw';
import type { AdapterFacts } from './device.ts';
import { kernel, type Access, type Call, type Grid, type Kernel, type Slice } from './kernel.ts';
import { enableHalves, storedFloats, type FloatType } from './storedFloats.ts';
import { unroll } from './unroll.ts';

/** C[m,n] = A B with A [m,k], B [k,n]; `NT`: B is stored [n,k]; `TN`: A is stored [k,m]. */
export type MatmulLayout = 'NN' | 'NT' | 'TN';

/**
 * Where matrix z of a batch begins, in elements: `offset + z * stride`, or `table[z]` of a u32 buffer that every
 * operand saying 'table' shares.
 */
export type Addressing = { readonly offset?: number; readonly stride?: number } | 'table';

/** The product to compute; everything here is baked into the kernel. */
export interface MatmulShape {
  readonly layout: MatmulLayout;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Number of products; 1 by default. */
  readonly batch?: number;
  /** Offset 0 and the matrix's size as stride by default. */
  readonly a?: Addressing;
  readonly b?: Addressing;
  readonly c?: Addressing;
  /** How the operands are stored; f32 by default. C is always f32. */
  readonly aType?: FloatType;
  readonly aMinusType?: FloatType;
  readonly bType?: FloatType;
  /** Every entry of the table is a multiple of 4, so rows of whole vectors may be loaded as such. */
  readonly alignedTable?: boolean;
  /** C += A B instead of C = A B. */
  readonly accumulate?: boolean;
  /** A is the difference of two buffers with one addressing, such as W - W0. */
  readonly aMinus?: boolean;
  /**
   * What need not be computed, with `starts[z]` a u32 for each matrix of the batch. `below`: C under the diagonal; `leading`: that, and rows of C
   * before the start; `rows`: rows of C before the start. Tiles that lie in it altogether stay as they are. `terms`: terms of k before the start, a
   * multiple of 16, which are zero.
   */
  readonly skip?: 'below' | 'leading' | 'rows' | 'terms';
}

/**
 * `G`: 4x4 sums an invocation, no barriers. `W`: 8x8, where registers are cheap and loads are not (SwiftShader).
 * `S`: 32x4, with the rows of A passed between the lanes of a subgroup (lavapipe); `S16`, `S8`: the same with so many rows.
 * For real GPUs, tiles staged in workgroup memory: `M`: 64x64 a workgroup, 4x4 an invocation; `L`: 128x64, 8x4.
 */
export const TILES = ['G', 'W', 'S', 'S16', 'S8', 'M', 'L'] as const;

/**
 * For few rows, as decoding has them, in NT alone. `F`: up to 4 rows an invocation, no barriers; `R`: up to 8 rows a workgroup, whose
 * invocations share k out (GPUs). Within `G` to `F`, and within `R`, the sum of a row has the same bits however many rows there are.
 */
export const FEW_ROWS_TILES = ['F', 'R'] as const;
export type Tile = (typeof TILES)[number] | (typeof FEW_ROWS_TILES)[number];

/** A shape with its kernel chosen and specialised. */
export interface MatmulPlan {
  readonly shape: MatmulShape;
  readonly tile: Tile;
  /** Parts that k is cut into. */
  readonly splits: number;
  /** Bytes `matmulCalls` needs as `scratch`; 0 without splits. */
  readonly scratchBytes: number;
  readonly product: Kernel;
  readonly productGrid: Grid;
  /** The second pass, when k is split. */
  readonly sum?: { readonly kernel: Kernel; readonly grid: Grid };
}

/** The buffers of one product; offsets in bytes, as the device aligns them. */
export interface MatmulOperands {
  readonly a: Slice;
  readonly aMinus?: Slice;
  readonly b: Slice;
  readonly c: Slice;
  readonly table?: Slice;
  readonly starts?: Slice;
  readonly scratch?: Slice;
}

/** How a tile's work is laid out: a workgroup of groupX x groupY invocations, each with a block of sums. */
interface TileGeometry {
  readonly groupX: number;
  readonly groupY: number;
  /** Rows of C per invocation, in fours. */
  readonly rowVectors: number;
  /** Columns of C per invocation, in fours. */
  readonly columnVectors: number;
  /** The workgroup is one subgroup whose lanes share the loads of A. */
  readonly sharesA?: boolean;
  /** Operands pass through workgroup memory, 16 terms of k at a time. */
  readonly staged?: boolean;
  /** Of the tiles for few rows: what an invocation of `F`, a workgroup of `R`, covers. */
  readonly few?: { readonly rows: number; readonly columns: number };
  /** The invocations of a workgroup share k out and add up what they have. */
  readonly reduces?: boolean;
}

/** `S` has as many lanes as the adapter's subgroups. */
const GEOMETRY: Readonly<Record<(typeof TILES)[number], TileGeometry>> = {
  G: { groupX: 8, groupY: 8, rowVectors: 1, columnVectors: 1 },
  W: { groupX: 4, groupY: 1, rowVectors: 2, columnVectors: 2 },
  S: { groupX: 8, groupY: 1, rowVectors: 8, columnVectors: 1, sharesA: true },
  S16: { groupX: 8, groupY: 1, rowVectors: 4, columnVectors: 1, sharesA: true },
  S8: { groupX: 8, groupY: 1, rowVectors: 2, columnVectors: 1, sharesA: true },
  M: { groupX: 16, groupY: 16, rowVectors: 1, columnVectors: 1, staged: true },
  L: { groupX: 16, groupY: 16, rowVectors: 2, columnVectors: 1, staged: true },
};

/** Terms of k that the staged kernels hold in workgroup memory at once; splits of k are whole multiples. */
const STAGED_TERMS = 16;

/** Below this many floating-point operations a dispatch is short anyway, and the small kernel compiles soonest. */
const LARGE = 2 ** 23;

/** The same for products of at most 16 rows, whose kernels are small. */
const LARGE_FEW = 2 ** 20;

/** Up to so many rows an adapter on the CPU computes exactly those (`F`), unless 8 at once are sooner done. */
const FEW_ROWS = 4;

/** Up to so many rows a GPU reads B once for every 8 of them (`R`); the tiles would compute 64. */
const REDUCED_ROWS = 32;

/** A GPU is taken to be busy with this many workgroups of 256; its number of cores cannot be asked for. */
const BUSY_WORKGROUPS = 128;

/** More than a grid has. */
const MOST_MATRICES = 2 ** 16;

interface Forced {
  readonly tile?: Tile;
  readonly splits?: number;
}

/** The layers of a model ask for the same few products, and the estimates of a run's memory ask for all of them again. */
const planned = new WeakMap<AdapterFacts, Map<string, MatmulPlan>>();

/**
 * Chooses and specialises the kernels of a product.
 * @throws {RangeError} when the grid would exceed what WebGPU allows in one dimension.
 */
export function planMatmul(shape: MatmulShape, facts: AdapterFacts, force: Forced = {}): MatmulPlan {
  const plans = planned.get(facts) ?? new Map<string, MatmulPlan>();
  planned.set(facts, plans);
  const key = JSON.stringify([shape, force]);
  const plan = plans.get(key) ?? specialise(shape, facts, force);
  plans.set(key, plan);
  return plan;
}

function specialise(shape: MatmulShape, facts: AdapterFacts, force: Forced): MatmulPlan {
  const { m, n, k, batch = 1 } = shape;
  for (const [name, value] of Object.entries({ m, n, k, batch })) {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`A matmul's ${name} must be a positive integer, not ${value}.`);
  }
  const tile = force.tile ?? chooseTile(shape, facts);
  const geometry = geometryOf(tile, shape, facts);
  const splitLength = roundUp(Math.ceil(k / (force.splits ?? chooseSplits(shape, geometry, facts))), STAGED_TERMS);
  const splits = Math.ceil(k / splitLength);
  const productGrid: Grid = [Math.ceil(n / tileColumns(geometry)), Math.ceil(m / tileRows(geometry)), batch * splits];
  const limit = facts.limits.maxComputeWorkgroupsPerDimension;
  if (productGrid.some((size) => size > limit)) throw new RangeError(`A matmul of ${batch}x[${m},${n},${k}] needs the grid ${productGrid.join('x')}; the limit is ${limit}.`);

  const target: MatmulShape = splits === 1 ? shape : { ...shape, c: {}, accumulate: false };
  const product = productKernel(target, geometry, splitLength, facts);
  if (splits === 1) return { shape, tile, splits, scratchBytes: 0, product, productGrid };
  return { shape, tile, splits, scratchBytes: 4 * splits * batch * m * n, product, productGrid, sum: sumKernel(shape, splits, limit) };
}

function chooseTile(shape: MatmulShape, facts: AdapterFacts): Tile {
  const { layout, m, n, k, batch = 1 } = shape;
  if (facts.software) {
    const tile = facts.subgroupSize === 8 ? 'S' : facts.architecture === 'swiftshader' ? 'W' : undefined;
    const few = layout === 'NT' && m <= 16;
    const large = n >= 32 && (few || m >= 16) && 2 * m * n * k * batch >= (few ? LARGE_FEW : LARGE) && loadsVectors(shape);
    if (layout === 'NT' && m <= FEW_ROWS && !(tile && large && m > 2)) return 'F';
    if (!tile || !large) return 'G';
    return tile === 'W' || m > 16 ? tile : m > 8 ? 'S16' : 'S8';
  }
  if (layout === 'NT' && m <= REDUCED_ROWS) return 'R';
  if (m <= 16 || n <= 16) return 'G';
  return workgroups(shape, GEOMETRY.L) >= BUSY_WORKGROUPS ? 'L' : 'M';
}

/** @throws {RangeError} for a tile that the layout or the adapter's subgroups do not allow */
function geometryOf(tile: Tile, { layout, m, n }: MatmulShape, { subgroupSize, software }: AdapterFacts): TileGeometry {
  if (tile === 'F' || tile === 'R') {
    if (layout !== 'NT') throw new RangeError(`Tile ${tile} is for NT, not ${layout}.`);
    if (tile === 'F') return { groupX: software ? subgroupSize || 4 : 32, groupY: 1, rowVectors: 1, columnVectors: 1, few: { rows: Math.min(m, FEW_ROWS), columns: 2 } };
    // A vocabulary of more than 2^18 tokens would need more workgroups than a dimension of the grid has.
    return { groupX: 64, groupY: 1, rowVectors: 1, columnVectors: 1, few: { rows: Math.min(m, 8), columns: n > 2 ** 17 ? 8 : 4 }, reduces: true };
  }
  const geometry = GEOMETRY[tile];
  if (!geometry.sharesA) return geometry;
  const rows = 4 * geometry.rowVectors;
  if (subgroupSize < 4 || rows % subgroupSize !== 0) throw new RangeError(`Tile ${tile} needs subgroups of 4 to ${rows} lanes, not ${subgroupSize}.`);
  return { ...geometry, groupX: subgroupSize };
}

/** Into how many parts of at least 512 terms to cut a long k, so that a GPU has enough workgroups. */
function chooseSplits(shape: MatmulShape, geometry: TileGeometry, facts: AdapterFacts): number {
  if (facts.software || geometry.reduces || shape.k <= 1024) return 1;
  const wanted = Math.floor(BUSY_WORKGROUPS / workgroups(shape, geometry));
  return Math.max(1, Math.min(wanted, Math.floor(shape.k / 512)));
}

const tileRows = ({ groupY, rowVectors, few }: TileGeometry): number => few?.rows ?? groupY * rowVectors * 4;
const tileColumns = ({ groupX, columnVectors, few, reduces }: TileGeometry): number => (few ? (reduces ? 1 : groupX) * few.columns : groupX * columnVectors * 4);

function workgroups({ m, n, batch = 1 }: MatmulShape, geometry: TileGeometry): number {
  return Math.ceil(n / tileColumns(geometry)) * Math.ceil(m / tileRows(geometry)) * batch;
}

/** The dispatches of a planned product, in order. */
export function matmulCalls(plan: MatmulPlan, operands: MatmulOperands): Call[] {
  const { shape, product, productGrid, sum } = plan;
  const target = sum ? needed(operands.scratch, 'scratch') : operands.c;
  const slices = [operands.a];
  if (shape.aMinus) slices.push(needed(operands.aMinus, 'aMinus'));
  slices.push(operands.b, target);
  if (shape.a === 'table' || shape.b === 'table' || (!sum && shape.c === 'table')) slices.push(needed(operands.table, 'table'));
  if (readsStarts(shape)) slices.push(needed(operands.starts, 'starts'));
  const calls: Call[] = [{ kernel: product, slices, grid: productGrid }];
  if (sum) {
    const sumSlices = [target, operands.c];
    if (shape.c === 'table') sumSlices.push(needed(operands.table, 'table'));
    calls.push({ kernel: sum.kernel, slices: sumSlices, grid: sum.grid });
  }
  return calls;
}

const readsStarts = ({ skip }: MatmulShape): boolean => skip !== undefined && skip !== 'below';

function needed(slice: Slice | undefined, name: string): Slice {
  if (!slice) throw new TypeError(`This matmul was planned with ${name}, which was not given.`);
  return slice;
}

function productKernel(shape: MatmulShape, geometry: TileGeometry, splitLength: number, facts: AdapterFacts): Kernel {
  const { layout, m, n, k, batch = 1, accumulate = false, aMinus = false, aType = 'f32', aMinusType = 'f32', bType = 'f32' } = shape;
  const { groupX, groupY, rowVectors, columnVectors, sharesA = false, staged = false, few, reduces = false } = geometry;
  const aKMajor = layout !== 'TN';
  const bKMajor = layout === 'NT';
  const usesTable = [shape.a, shape.b, shape.c].includes('table');
  const tileM = tileRows(geometry);
  const tileN = tileColumns(geometry);
  const bindings: Access[] = ['read'];
  if (aMinus) bindings.push('read');
  bindings.push('read', 'write');
  if (usesTable) bindings.push('read');
  if (readsStarts(shape)) bindings.push('read');
  const firstB = aMinus ? 2 : 1;
  const whole = vectorFlags(shape);
  const vectors = few ? { ...whole, C_VECTOR: false } : whole;
  const stored = [
    storedFloats('a', 0, aType, facts, { fours: vectors.A_VECTOR }),
    ...(aMinus ? [storedFloats('a_minus', 1, aMinusType, facts, { fours: vectors.A_VECTOR })] : []),
    storedFloats('b', firstB, bType, facts, { fours: vectors.B_VECTOR }),
  ];
  const tileSource = few ? (reduces ? reducedRowsSource : fewRowsSource) : staged ? tiledSource : directSource;
  const source = unroll([...stored, operandsSource, tileSource].join('\n'), few ? { ROWS: few.rows, COLUMNS: few.columns } : { ROW_VECTORS: rowVectors, COLUMN_VECTORS: columnVectors });
  const product = kernel(`matmul ${layout} ${batch}x[${m},${n},${k}]`, source, bindings, {
    M: m,
    N: n,
    K: k,
    // Grid z is the matrix where k is whole, so that batches of any size share the kernel.
    BATCH: splitLength < k ? batch : MOST_MATRICES,
    SPLIT: splitLength < k,
    SPLIT_LENGTH: splitLength,
    ...(few ? { ROWS: few.rows, COLUMNS: few.columns, [reduces ? 'LANES' : 'GROUP_X']: groupX } : { TILE_M: tileM, ROW_VECTORS: rowVectors }),
    ...(!few && !staged && { GROUP_X: groupX, GROUP_Y: groupY, TILE_N: tileN, COLUMN_VECTORS: columnVectors }),
    C_BINDING: firstB + 1,
    TABLE_BINDING: firstB + 2,
    ...addressConstants('A', shape.a, m * k),
    ...addressConstants('B', shape.b, k * n),
    ...addressConstants('C', shape.c, m * n),
    ...vectors,
    C_SINGLE: few !== undefined,
    USES_TABLE: usesTable,
    A_MINUS: aMinus,
    ACCUMULATE: accumulate,
    A_K_MAJOR: aKMajor,
    B_K_MAJOR: bKMajor,
    M_EDGE: m % tileM !== 0,
    N_EDGE: n % tileN !== 0,
    K_EDGE: k % (staged ? STAGED_TERMS : 4) !== 0,
    SHARES_A: sharesA,
    // Tiles for few rows have nothing to leave out.
    SKIPS: !few && shape.skip !== undefined && shape.skip !== 'terms',
    SKIPS_BELOW: shape.skip === 'below' || shape.skip === 'leading',
    SKIPS_ROWS: shape.skip === 'leading' || shape.skip === 'rows',
    SKIPS_TERMS: shape.skip === 'terms',
    READS_STARTS: readsStarts(shape),
    ...(readsStarts(shape) && { STARTS_BINDING: firstB + 2 + Number(usesTable) }),
  });
  const widened = enableHalves(product, [aType, ...(aMinus ? [aMinusType] : []), bType], facts);
  return sharesA ? { ...widened, code: `enable subgroups;\n${widened.code}` } : widened;
}

function sumKernel(shape: MatmulShape, splits: number, gridLimit: number): { kernel: Kernel; grid: Grid } {
  const { m, n, batch = 1, accumulate = false } = shape;
  const bindings: Access[] = shape.c === 'table' ? ['read', 'write', 'read'] : ['read', 'write'];
  const groups = Math.ceil((m * n) / 64);
  const rows = Math.ceil(groups / gridLimit);
  return {
    kernel: kernel(`matmul partials ${splits}x${batch}x[${m},${n}]`, sumPartialsSource, bindings, {
      M: m,
      N: n,
      BATCH: batch,
      SPLITS: splits,
      PARTIALS_BINDING: 0,
      C_BINDING: 1,
      TABLE_BINDING: 2,
      ...addressConstants('C', shape.c, m * n),
      ACCUMULATE: accumulate,
    }),
    grid: [Math.ceil(groups / rows), rows, batch],
  };
}

function addressConstants(operand: 'A' | 'B' | 'C', addressing: Addressing = {}, size: number): Record<string, number | boolean> {
  const { offset = 0, stride = size } = addressing === 'table' ? {} : addressing;
  return { [`${operand}_OFFSET`]: offset, [`${operand}_STRIDE`]: stride, [`${operand}_TABLE`]: addressing === 'table' };
}

function vectorFlags(shape: MatmulShape): Record<'A_VECTOR' | 'B_VECTOR' | 'C_VECTOR', boolean> {
  const { layout, m, n, k } = shape;
  return {
    A_VECTOR: holdsVectors(shape, shape.a, layout === 'TN' ? m : k, m * k),
    B_VECTOR: holdsVectors(shape, shape.b, layout === 'NT' ? k : n, k * n),
    C_VECTOR: holdsVectors(shape, shape.c, n, m * n),
  };
}

const loadsVectors = (shape: MatmulShape): boolean => Object.values(vectorFlags(shape)).every(Boolean);

/** Whether every row of `rowLength` elements begins on a multiple of 4 and holds whole fours. */
function holdsVectors({ batch = 1, alignedTable = false }: MatmulShape, addressing: Addressing = {}, rowLength: number, size: number): boolean {
  if (rowLength % 4 !== 0) return false;
  if (addressing === 'table') return alignedTable;
  const { offset = 0, stride = size } = addressing;
  return offset % 4 === 0 && (batch === 1 || stride % 4 === 0);
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;
