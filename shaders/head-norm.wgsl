// RMS norm of every query and key head by itself (Qwen3), value heads copied. One invocation a head; a head is QUADS
// values of four. gains holds the query gain, then the key gain.
//   inverse[row, head] = 1 / sqrt(mean(x^2) + EPSILON),  y = x * inverse * gain
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gains: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> inverse: array<f32>;

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
      y[start + i] = x[start + i];
    }
    return;
  }
  var squares = 0.0;
  for (var i = 0u; i < QUADS; i++) {
    squares += dot(x[start + i], x[start + i]);
  }
  let scale = inverseSqrt(squares / f32(4u * QUADS) + EPSILON);
  inverse[item / HEADS * NORMED + head] = scale;
  let gain = select(QUADS, 0u, head < QUERIES);
  for (var i = 0u; i < QUADS; i++) {
    y[start + i] = x[start + i] * scale * gains[gain + i];
  }
}
