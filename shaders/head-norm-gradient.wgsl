// Gradient of the per-head RMS norm with respect to its input, with r = inverse[row, head] and h = x r:
//   dx = r * (gain * dy - h * mean(gain * dy * h)); value heads are copied. Layout as in head-norm.wgsl.
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> gains: array<vec4f>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = (group.y * groups.x + group.x) * 64u + lane;
  if (item >= ROWS * HEADS) {
    return;
  }
  let head = item % HEADS;
  let start = item * QUADS;
  if (head >= NORMED) {
    for (var i = 0u; i < QUADS; i++) {
      dx[start + i] = dy[start + i];
    }
    return;
  }
  let gain = select(QUADS, 0u, head < QUERIES);
  let r = inverse[item / HEADS * NORMED + head];
  var product = 0.0;
  for (var i = 0u; i < QUADS; i++) {
    product += dot(gains[gain + i] * dy[start + i], x[start + i]);
  }
  let mean = product * r * r / f32(4u * QUADS);
  for (var i = 0u; i < QUADS; i++) {
    dx[start + i] = r * (gains[gain + i] * dy[start + i] - x[start + i] * mean);
  }
}
