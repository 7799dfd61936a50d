// The small step of CholeskyQR for each matrix of a batch, one workgroup a matrix: from the Gram matrix G = YᵀY
// [size, size] the upper triangular X with (Y X)ᵀ(Y X) = I, and the norms of Y's columns.
//
// G is first scaled to a unit diagonal, which makes the result indifferent to how far the columns differ in length. In
// f32 a scaled pivot below about size * 2^-24 is rounding noise; it is raised to PIVOT_FLOOR ("shifted CholeskyQR",
// Fukaya et al., arXiv 1809.11085), which leaves Y X well conditioned, so that the next pass makes it orthonormal.
// Columns that hold nothing at all (zero, or a pivot below `replace_below`, which a second pass only meets where a
// column was a combination of earlier ones) are marked, and left out of the others, for new random numbers.
//
// Baked: LANES.
struct Setting {
  size: u32,
  replace_below: f32,
}
@group(0) @binding(0) var<uniform> setting: Setting;
@group(0) @binding(1) var<storage, read_write> gram: array<f32>;
@group(0) @binding(2) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> replaced: array<u32>;

const PIVOT_FLOOR = 1e-6;
const SMALLEST_SQUARE = 1e-30;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let size = setting.size;
  let matrix = group.x * size * size;
  let vector = group.x * size;
  for (var j = lane; j < size; j += LANES) {
    norms[vector + j] = sqrt(max(gram[matrix + j * size + j], 0.0));
  }
  storageBarrier();
  for (var c = lane; c < size; c += LANES) {
    let square = norms[vector + c] * norms[vector + c];
    for (var i = 0u; i <= c; i += 1u) {
      let product = norms[vector + i] * norms[vector + c];
      let entry = gram[matrix + i * size + c];
      let scaled = select(entry / max(product, SMALLEST_SQUARE), 1.0, i == c);
      gram[matrix + i * size + c] = select(0.0, scaled, square > SMALLEST_SQUARE && norms[vector + i] * norms[vector + i] > SMALLEST_SQUARE);
    }
  }

  // Right-looking Cholesky, G = RᵀR: row j of R replaces row j of G. The root of each pivot is kept by all lanes'
  // next reads only through the diagonal, which lane 0 writes after everyone has read the pivot.
  for (var j = 0u; j < size; j += 1u) {
    storageBarrier();
    let pivot = gram[matrix + j * size + j];
    let empty = pivot <= setting.replace_below;
    let root = sqrt(max(pivot, PIVOT_FLOOR));
    for (var c = j + 1u + lane; c < size; c += LANES) {
      let at = matrix + j * size + c;
      gram[at] = select(gram[at] / root, 0.0, empty);
    }
    storageBarrier();
    if (lane == 0u) {
      gram[matrix + j * size + j] = root;
      replaced[vector + j] = select(0u, 1u, empty);
    }
    for (var c = j + 1u + lane; c < size; c += LANES) {
      let factor = gram[matrix + j * size + c];
      for (var i = j + 1u; i <= c; i += 1u) {
        gram[matrix + i * size + c] -= gram[matrix + j * size + i] * factor;
      }
    }
  }
  storageBarrier();

  // X = D inverse(R), D the scaling: every lane solves for whole columns by back substitution.
  for (var c = lane; c < size; c += LANES) {
    for (var i = c + 1u; i < size; i += 1u) {
      inverse[matrix + i * size + c] = 0.0;
    }
    for (var step = 0u; step <= c; step += 1u) {
      let i = c - step;
      var sum = select(0.0, 1.0, i == c);
      for (var j = i + 1u; j <= c; j += 1u) {
        sum -= gram[matrix + i * size + j] * inverse[matrix + j * size + c];
      }
      inverse[matrix + i * size + c] = sum / gram[matrix + i * size + i];
    }
    for (var i = 0u; i <= c; i += 1u) {
      let norm = norms[vector + i];
      inverse[matrix + i * size + c] *= select(0.0, 1.0 / norm, norm * norm > SMALLEST_SQUARE);
    }
  }
}
