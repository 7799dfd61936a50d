// Columns of standard normal numbers for each matrix z of a batch: y [BATCH, ROWS, COLUMNS]. Number i of matrix z is a
// hash of (seeds[z], STREAM, i), so it depends neither on the grid nor on what ran before.
// ONLY_REPLACED: writes just the columns that spectral-cholesky.wgsl marked.
//
// Baked: ROWS, COLUMNS, STREAM (which of the numbers of a seed), ROWS_PER_GROUP.
@group(0) @binding(0) var<storage, read> seeds: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
//#if ONLY_REPLACED
@group(0) @binding(2) var<storage, read> replaced: array<u32>;
//#end

// A bijective 32-bit mixer (Chris Wellons' hash prospector, lowbias32).
fn mix(value: u32) -> u32 {
  var x = value;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}

// Box-Muller from two 24-bit uniforms, the first in (0, 1] so that its logarithm is finite.
fn normal(seed: u32, index: u32) -> f32 {
  let first = mix(mix(seed ^ (STREAM * 0x9e3779b9u)) + index);
  let second = mix(first ^ 0x85ebca6bu);
  let radius = sqrt(-2.0 * log((f32(first >> 8u) + 1.0) / 16777216.0));
  return radius * cos(6.283185307179586 * f32(second >> 8u) / 16777216.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= COLUMNS) {
    return;
  }
//#if ONLY_REPLACED
  if (replaced[id.z * COLUMNS + column] == 0u) {
    return;
  }
//#end
  let end = min((id.y + 1u) * ROWS_PER_GROUP, ROWS);
  for (var row = id.y * ROWS_PER_GROUP; row < end; row += 1u) {
    let index = row * COLUMNS + column;
    y[id.z * ROWS * COLUMNS + index] = normal(seeds[id.z], index);
  }
}
