/**
 * @file Drift of one matrix from small products of its old and new singular vectors, finished in f64 on the CPU.
 * Shapes: `cross` [k, k] = U0ᵀU, `outside` [k, k] = RᵀR with R = U - U0 U0ᵀU, `block` [k, k] = U0ᵀ(W - W0)V0.
 */
import { singularValues, symmetricEigen } from './eigen.ts';

type Square = ArrayLike<number>;

/**
 * Principal angles between two k-dimensional subspaces in degrees, smallest first. Angles up to 45 degrees come from
 * their sines: near 1 a cosine of f32 products no longer tells 0 from 0.03 degrees (Björck & Golub 1973).
 */
export function principalAngles(cross: Square, outside: Square, k: number): number[] {
  const cosines = singularValues(cross, k);
  const squaredSines = symmetricEigen(outside, k, 0).values;
  return Array.from(cosines, (cosine, i) => {
    const sine = Math.sqrt(Math.min(1, Math.max(0, squaredSines[k - 1 - i]!)));
    const angle = cosine * cosine > 0.5 ? Math.asin(sine) : Math.acos(Math.min(1, cosine));
    return (angle * 180) / Math.PI;
  });
}

/** mean |<u_i, u'_i>|, and the same with each u_i matched to the u'_j most like it. */
export function alignment(cross: Square, k: number): { readonly same: number; readonly matched: number } {
  let same = 0;
  let matched = 0;
  for (let i = 0; i < k; i += 1) {
    let most = 0;
    for (let j = 0; j < k; j += 1) most = Math.max(most, Math.abs(cross[i * k + j]!));
    same += Math.abs(cross[i * k + i]!) / k;
    matched += most / k;
  }
  return { same, matched };
}

/**
 * Shares of `change` = ‖W - W0‖² in the block: on its diagonal, where to first order singular values change, and off
 * it, where vectors of the block turn into each other. 0 when nothing changed.
 */
export function blockShares(block: Square, k: number, change: number): { readonly share: number; readonly diagonal: number; readonly offDiagonal: number } {
  let diagonal = 0;
  let offDiagonal = 0;
  for (let at = 0; at < k * k; at += 1) {
    const square = block[at]! * block[at]!;
    if (at % (k + 1) === 0) diagonal += square;
    else offDiagonal += square;
  }
  const scale = change > 0 ? 1 / change : 0;
  return { share: (diagonal + offDiagonal) * scale, diagonal: diagonal * scale, offDiagonal: offDiagonal * scale };
}

/** `model.layers.3.self_attn.q_proj.weight` is `q_proj` of layer 3; weights outside the layers have none. */
export function placeOf(name: string): { readonly layer?: number; readonly module: string } {
  const module = name.replace(/\.weight$/, '').split('.').at(-1)!;
  const layer = /\.(?:layers|h|blocks)\.(\d+)\./.exec(`.${name}`)?.[1];
  return layer === undefined ? { module } : { layer: Number(layer), module };
}
