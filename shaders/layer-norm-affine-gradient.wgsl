// Gradient of the layer norm's gain and bias over ROWS_PER_PART rows each: part[p] = (sum of dy * h, sum of dy), WIDTH
// numbers of either, with h = (total - mean) r as in layer-norm-gradient.wgsl. column-sum.wgsl adds the parts.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> total: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= WIDTH) {
    return;
  }
  let first = id.y * ROWS_PER_PART;
  let last = min(first + ROWS_PER_PART, ROWS);
  var gain = 0.0;
  var bias = 0.0;
  for (var row = first; row < last; row++) {
    let d = dy[row * WIDTH + i];
    gain += d * (total[row * WIDTH + i] - stats[row].x) * stats[row].y;
    bias += d;
  }
  parts[id.y * 2u * WIDTH + i] = gain;
  parts[id.y * 2u * WIDTH + WIDTH + i] = bias;
}
