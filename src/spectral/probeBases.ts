/**
 * @file Whether bases are those of the weights at hand, by random vectors: with x normal, ‖E x‖² is ‖E‖² in the mean for any matrix E, so a few
 * thin products tell of a whole decomposition what comparing it would. Every matrix is probed, those of one shape in one dispatch.
 */
import { readFloats } from '../gpu/buffers.ts';
import type { Context } from '../gpu/context.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import { sidesOf } from './block.ts';
import type { Basis } from './decompose.ts';
import { Workspace } from './workspace.ts';

/** Vectors a matrix. The estimate of a norm from four is rarely off by more than a factor of two. */
const VECTORS = 4;
/** Largest ‖UᵀU − I‖ and ‖VᵀV − I‖, as a share of ‖I‖. */
const ORTHONORMAL = 1e-4;
/** The rounding of one f32 product of a few hundred terms, with a wide margin. */
const ROUNDING = 2 ** -24 * 64;
/**
 * Least and largest ‖W V − U diag σ‖ that is allowed, as a share of ‖σ‖. Directions come from products of W with itself, so that the rounding of one
 * grows with σ₁/σᵢ; without a bound a matrix of low rank would let anything pass. Bases of other weights are off by a tenth and more.
 */
const LEAST_RESIDUAL = 1e-4;
const LARGEST_RESIDUAL = 0.02;

/** What does not hold in the bases of some weights, as a sentence without its end; undefined where U and V are orthonormal, W V = U diag σ and Wᵀ U = V diag σ. */
export async function faultOfBases(context: Context, values: ParameterBuffers, bases: readonly Basis[]): Promise<string | undefined> {
  for (const basis of bases) {
    const workspace = new Workspace(context);
    try {
      const fault = await faultOf(workspace, values, basis);
      if (fault !== undefined) return fault;
    } finally {
      workspace.destroy();
    }
  }
  return undefined;
}

async function faultOf(workspace: Workspace, { shards, precision }: ParameterBuffers, basis: Basis): Promise<string | undefined> {
  const { batch, k } = basis;
  const { wide, short, long, near, far } = sidesOf(basis);
  const count = batch.names.length;
  const { device } = workspace.context.gpu;
  const read = (slice: Slice): Promise<Float32Array> => readFloats(device, slice);
  const sigma = (await read(basis.sigma)).subarray(0, count * k);
  const x = Float32Array.from({ length: count * k * VECTORS }, normal);
  const given = workspace.upload(x, 'probe');
  const stretched = workspace.upload(x.map((value, at) => value * sigma[Math.floor(at / VECTORS)]!), 'stretched probe');

  const { shape, table } = workspace.inShard(batch);
  const matrix = { ...shape, a: 'table', aType: precision } as const;
  const shard = shards[batch.shard]!;
  const room = (rows: number): Slice => workspace.storage(count * rows * VECTORS, 'probed basis');
  const product = (layout: 'NN' | 'TN', a: Slice, b: Slice, c: Slice, rows: number): Call[] => {
    const [m, inner] = layout === 'NN' ? [rows, k] : [k, rows];
    return workspace.product({ layout, m, n: VECTORS, k: inner, batch: count }, { a, b, c });
  };
  const probed = { near: room(short), far: room(long), nearBack: room(k), farBack: room(k), nearStretched: room(short), farStretched: room(long), nearImage: room(short), farImage: room(long) };
  const program = await workspace.record('probe of bases', [
    ...product('NN', near, given, probed.near, short),
    ...product('NN', far, given, probed.far, long),
    ...product('TN', near, probed.near, probed.nearBack, short),
    ...product('TN', far, probed.far, probed.farBack, long),
    ...product('NN', near, stretched, probed.nearStretched, short),
    ...product('NN', far, stretched, probed.farStretched, long),
    ...workspace.product({ ...matrix, layout: wide ? 'NN' : 'TN', m: short, n: VECTORS, k: long }, { a: shard, b: probed.far, c: probed.nearImage, table }),
    ...workspace.product({ ...matrix, layout: wide ? 'TN' : 'NN', m: long, n: VECTORS, k: short }, { a: shard, b: probed.near, c: probed.farImage, table }),
  ]);
  program.replay();
  const found = { nearBack: await read(probed.nearBack), farBack: await read(probed.farBack), nearStretched: await read(probed.nearStretched), farStretched: await read(probed.farStretched), nearImage: await read(probed.nearImage), farImage: await read(probed.farImage) };

  for (const [z, name] of batch.names.entries()) {
    const own = sigma.subarray(z * k, (z + 1) * k);
    const length = Math.hypot(...own);
    /** An estimate of ‖A − B‖ from A x and B x. */
    const distance = (a: Float32Array, b: Float32Array, rows: number): number => {
      let sum = 0;
      for (let at = z * rows * VECTORS; at < (z + 1) * rows * VECTORS; at += 1) sum += (a[at]! - b[at]!) ** 2;
      return Math.sqrt(sum / VECTORS);
    };
    const skew = Math.max(distance(found.nearBack, x, k), distance(found.farBack, x, k)) / Math.sqrt(k);
    if (!(skew <= ORTHONORMAL)) return `the directions of ${name} are not orthonormal, by ${skew.toExponential(1)}`;
    const residual = Math.max(distance(found.nearImage, found.nearStretched, short), distance(found.farImage, found.farStretched, long)) / length;
    if (!(residual <= allowedResidual(own, length))) return `W V and U diag(σ) of ${name} differ by ${residual.toExponential(1)} of their length`;
  }
  return undefined;
}

function allowedResidual(sigma: Float32Array, length: number): number {
  const first = sigma[0]!;
  const rounding = ROUNDING * Math.sqrt(sigma.reduce((sum, value) => sum + (first * (first / value)) ** 2, 0));
  return Math.min(LARGEST_RESIDUAL, Math.max(LEAST_RESIDUAL, rounding / length));
}

/** A standard normal number (Box and Muller). Not from a seed: what is probed should not know the probe. */
const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
